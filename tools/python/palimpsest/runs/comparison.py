"""What differs between two runs."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from .run import Run

Values = dict[tuple[str, str], Any]


def compare(run: "Run", other: "Run") -> pd.DataFrame:
    """One row per difference, by `what` and `name`; one column per run. None if a run does not have the value."""
    first, second = _values(run), _values(other)
    rows = [(key, first.get(key), second.get(key)) for key in dict.fromkeys([*first, *second])]
    differing = [(key, one, two) for key, one, two in rows if not _are_equal(one, two)]
    columns = _column_names(run, other)
    index = (
        pd.MultiIndex.from_tuples([key for key, _, _ in differing], names=["what", "name"])
        if differing
        else pd.MultiIndex.from_arrays([[], []], names=["what", "name"])
    )
    return pd.DataFrame([[one, two] for _, one, two in differing], index=index, columns=columns, dtype=object)


def _values(run: "Run") -> Values:
    """Everything that is compared."""
    found: Values = {("setting", key): value for key, value in run.config.items()}
    found["tasks", "finished"] = len(run.tasks)
    for task in run.tasks:
        found["classes", f"task {task.index}"] = ", ".join(task.classes)
        found["samples", f"task {task.index}"] = task.samples
    if run.state is not None:
        found["backbone", "SHA-256"] = run.state.backbone_sha256
        found["pack", "content SHA-256"] = run.state.pack_content_sha256
    for classifier in run.classifiers[1:]:
        found["classifier", classifier] = True
    found |= {("metric", name): value for name, value in _metrics(run)}
    for task in run.tasks:
        found["weights", f"after task {task.index}"] = task.merge.weights_after
    return found


def _metrics(run: "Run") -> Iterable[tuple[str, float]]:
    """By the run's own classifier, whatever it is; then by the others, with their names."""
    for i, classifier in enumerate(run.metrics.columns):
        for name, value in run.metrics[classifier].items():
            yield f"{name}" if i == 0 else f"{name} by {classifier}", float(value)


def _are_equal(one: Any, two: Any) -> bool:
    both_undefined = isinstance(one, float) and isinstance(two, float) and math.isnan(one) and math.isnan(two)
    return both_undefined or (one is not None and two is not None and bool(one == two))


def _column_names(run: "Run", other: "Run") -> list[str]:
    for names in ([run.name, other.name], [run.folder, other.folder]):
        if names[0] != names[1]:
            return names
    return [f"{run.name} (this)", f"{other.name} (other)"]
