"""What is published of the method, and under which conditions a run may be compared with it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from ..runs.kinds import keys_in, kind_in
from .reported import ReportedRun, read_origin
from .text import Number, fixed, grouped, listed, setting_text

YES, NO, UNKNOWN = "yes", "no", "not known"


@cache
def published() -> dict[str, Any]:
    """The paper's numbers, and the conditions of each."""
    return dict(json.loads(resources.files(__package__).joinpath("published.json").read_text("utf-8")))


@dataclass(frozen=True)
class Condition:
    """met: YES, NO or UNKNOWN. found: what the run has, and what the published number is of."""

    name: str
    met: str
    found: str


@dataclass(frozen=True)
class PublishedNumber:
    """last, average_anytime: in percent."""

    column: str
    row: str
    last: float
    average_anytime: Number
    conditions: tuple[Condition, ...]

    def names(self, met: str) -> str:
        return ", ".join(condition.name for condition in self.conditions if condition.met == met)


def published_number(run: ReportedRun) -> PublishedNumber | str:
    """Of the run's data and method; where there is none, why."""
    if not run.tasks:
        return "no task is finished yet"
    column = published_column(run)
    if column is None:
        return f"no number is published for these tasks; there are numbers for {listed(_data_sets())}"
    name = column["name"]
    row = published_row(run)
    if row is None:
        settings = ", ".join(f"{key} {run.text_setting(key)}" for key in ("adapter", "perturbation", "merge"))
        return f"no number is published on {column_in_words(name)} for {settings}"
    return PublishedNumber(
        column=name,
        row=row["name"],
        last=row["last"][name],
        average_anytime=row.get("average_anytime", {}).get(name),
        conditions=(
            _split(run, column),
            _class_order(run, column),
            _weights(run),
            Condition("normalisation", UNKNOWN, f"{run.key('image-transform', 'normalisation')}; published: nothing"),
            _settings(run, column, row),
        ),
    )


def published_line(match: PublishedNumber | str) -> str:
    """For a terminal."""
    if isinstance(match, str):
        return match
    line = f"{match.row} on {column_in_words(match.column)}: {fixed(match.last, 2)} %"
    for words, met in (("not the same", NO), ("not known", UNKNOWN)):
        if names := match.names(met):
            line += f"; {words}: {names}"
    return line


def column_in_words(name: str) -> str:
    """ "C100-10" is "C100-10 (CIFAR-100 in 10 tasks)"."""
    column = next(one for one in published()["columns"] if one["name"] == name)
    return f"{name} ({column['data']} in {column['tasks']} tasks)"


def _data_sets() -> list[str]:
    """ "ImageNet-R in 10 or 20 tasks" and so on."""
    tasks: dict[str, list[str]] = {}
    for column in published()["columns"]:
        tasks.setdefault(column["data"], []).append(str(column["tasks"]))
    return [f"{data} in {' or '.join(numbers)} tasks" for data, numbers in tasks.items()]


def published_row(run: ReportedRun) -> dict[str, Any] | None:
    """The paper's row of the run's method."""
    if run.kind("adapter") != kind_in(published()["settings"]["adapter"]):
        return None
    for row in published()["rows"]:
        if "method" in row and all(_agrees(run.settings.get(name), value) for name, value in row["method"].items()):
            return dict(row)
    return None


def value_in_paper(name: str) -> str:
    """ "not published", or "" for a setting that no paper would name."""
    if name in published()["settings"]:
        return setting_text(published()["settings"][name])
    return "not published" if name in published()["not_published"] else ""


def departs_from_paper(name: str, value: Any) -> bool:
    """Whether the value is known to be another than the paper's."""
    return name in published()["settings"] and not _agrees(value, published()["settings"][name])


def hash_names(names: Sequence[str]) -> str:
    """As configs/protocols/README.md has it: of the names in UTF-8, a line feed after each."""
    return hashlib.sha256("".join(f"{name}\n" for name in names).encode()).hexdigest()


def published_column(run: ReportedRun) -> dict[str, Any] | None:
    """The paper's data set and number of tasks, where the run has learned these classes."""
    classes = hash_names(sorted(run.classes, key=str.encode))
    return next((one for one in published()["columns"] if one["classes_sha256"] == classes and one["tasks"] == len(run.tasks)), None)


def _agrees(found: Any, published_value: Any) -> bool:
    """Whether a setting is as published; of a kind, as far as both say."""
    if not isinstance(found, str) or not isinstance(published_value, str):
        return bool(found == published_value and isinstance(found, bool) == isinstance(published_value, bool))
    ours = keys_in(found)
    return kind_in(found) == kind_in(published_value) and all(ours.get(key, "") in ("", value) for key, value in keys_in(published_value).items())


def _split(run: ReportedRun, column: dict[str, Any]) -> Condition:
    assert run.among_all is not None
    train = sum(task.samples for task in run.tasks)
    test = int(run.among_all.after_merge[-1].samples.sum())
    expected = column["split"]
    what = f"{grouped(train)} + {grouped(test)} samples; published: {expected['what']}"
    if expected["train"] is None:
        return Condition("split", UNKNOWN, what)
    if (expected["train"], expected["test"]) != (train, test):
        return Condition("split", NO, f"{what}, {grouped(expected['train'])} + {grouped(expected['test'])}")
    return Condition("split", YES if expected["is"] == "published" else UNKNOWN, what)


def _class_order(run: ReportedRun, column: dict[str, Any]) -> Condition:
    same = column["order_sha256"] == hash_names(run.classes)
    order = f"{'as' if same else 'another than'} in configs/protocols/{column['protocol']}.json; published: {published()['class_order']}"
    return Condition("class order", UNKNOWN, order)


def _weights(run: ReportedRun) -> Condition:
    name = read_origin(run, -1).backbone_name
    weights = published()["weights"]
    return Condition("weights", UNKNOWN if name in weights["folders"] else NO, f"{name}; published: {weights['what']}")


def _settings(run: ReportedRun, column: dict[str, Any], row: dict[str, Any]) -> Condition:
    expected = published()["settings"] | column["settings"] | _method(row)
    differing = [
        f"{name} {setting_text(run.settings[name])} (published: {setting_text(value)})"
        for name, value in expected.items()
        if name in run.settings and not _agrees(run.settings[name], value)
    ]
    return Condition("settings", NO if differing else YES, ", ".join(differing) or "as far as they are published")


def _method(row: dict[str, Any]) -> dict[str, Any]:
    """Of a row, with the published size of the perturbation where it has one."""
    method = dict(row["method"])
    if method["perturbation"] != "none":
        method["perturbation"] += f":epsilon={keys_in(published()['settings']['perturbation'])['epsilon']}"
    return method
