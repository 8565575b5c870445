"""Evaluations as data frames."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from .evaluations import Evaluations, Row
from .scores import score_info

KEYS = ["after_task", "task", "classifier", "moment", "samples"]
MOMENTS = ("before merge", "after merge")


def accuracy_frame(evaluations: Iterable[Evaluations]) -> pd.DataFrame:
    """A row for each task, evaluation, classifier and moment; sums of scores by their names, and their means. NaN where a task wasn't tested."""
    parts = []
    for one in evaluations:
        for t, pair in enumerate(zip(one.before_merge, one.after_merge, strict=True)):
            for moment, row in zip(MOMENTS, pair, strict=True):
                parts.append(_row_columns(row) | {"after_task": t, "classifier": one.classifier, "moment": moment})
    if not parts:
        return pd.DataFrame(columns=[*KEYS, "correct", "accuracy"])
    names = list(dict.fromkeys(name for part in parts for name in part if name not in KEYS))
    lengths = [len(part["samples"]) for part in parts]
    frame = {name: np.repeat([part[name] for part in parts], lengths) for name in ("after_task", "classifier", "moment")}
    frame |= {
        name: np.concatenate([part.get(name, np.full(n, np.nan)) for part, n in zip(parts, lengths, strict=True)]) for name in ("task", "samples", *names)
    }
    return pd.DataFrame(frame)[[*KEYS, *names]]


def _row_columns(row: Row) -> dict[str, Any]:
    columns: dict[str, Any] = {"task": np.arange(len(row.samples)), "samples": row.samples}
    for score in row.scores:
        mean = np.divide(score.sums, score.weights, out=np.full(len(score.sums), np.nan), where=score.weights > 0)
        name = score_info(score.name).mean
        if name != score.name:
            columns[score.name] = np.where(row.samples > 0, score.sums, np.nan)
        columns[name] = mean
        if not np.array_equal(score.weights, row.samples):
            columns[f"{score.name}_weight"] = score.weights
    return columns


def matrix(rows: Sequence[Row], score: str | None) -> pd.DataFrame:
    """R[t][j], the mean of a score (the primary one) on task j after task t; NaN where it wasn't tested, and above the diagonal. Raises InputError."""
    values = np.full((len(rows), len(rows)), np.nan)
    for t, row in enumerate(rows):
        found = row.scores[0] if score is None else row.find(score)
        if found is None:
            raise InputError(f"expected one of the scores {', '.join(one.name for one in row.scores)}, found '{score}'")
        np.divide(found.sums, found.weights, out=values[t, : t + 1], where=found.weights > 0)
    tasks = range(len(rows))
    return pd.DataFrame(values, index=pd.Index(tasks, name="after_task"), columns=pd.Index(tasks, name="task"))


def class_frame(rows: Sequence[Row], classes: Sequence[Sequence[str]]) -> pd.DataFrame:
    """A row for each class and evaluation that counted by class; accuracy (of completions: exact_match) is NaN where a class wasn't tested."""
    parts = []
    for t, row in enumerate(rows):
        if row.class_samples is None or row.class_correct is None:
            continue
        samples, correct = row.class_samples, row.class_correct
        names = [name for task in classes[: t + 1] for name in task]
        tasks = np.repeat(np.arange(t + 1), [len(task) for task in classes[: t + 1]])
        share = np.divide(correct, samples, out=np.full(len(samples), np.nan), where=samples > 0)
        title = score_info(row.scores[0].name).mean
        parts.append(pd.DataFrame({"after_task": t, "task": tasks, "class": names, "samples": samples, "correct": correct, title: share}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["after_task", "task", "class", "samples", "correct", "accuracy"])
