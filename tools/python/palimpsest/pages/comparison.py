"""Runs beside one another: groups that differ in seed and class order alone, and differences between groups, pair by pair."""

import hashlib
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import InputError
from ..runs.stream_metrics import overall
from .measures import Measure, measure_values, measures, number_text
from .names import method_name, stream_name
from .published import published_line, published_number
from .reported import ReportedRun, has_domains, read_finished, read_origin
from .settings import defaults
from .text import Number, setting_text

TESTED_ON = ("pack", "scenario")  # conditions without which accuracies of the same classes can't be compared


class NamedTwice(Exception):
    """Two runs with the same settings, seed and class order."""


class Spread(NamedTuple):
    """Over runs. deviation: of a sample, divided by n - 1; None of a single run."""

    mean: float
    deviation: Number


@dataclass(frozen=True)
class ComparedRun:
    """class_order: SHA-256 of the tasks' classes in order. values: by key of its measures, where defined.

    accuracies: on all tasks so far, after each task; None where these weren't tested.
    """

    folder: str
    name: str
    seed: int
    class_order: str
    classes: frozenset[str]
    measures: tuple[Measure, ...]
    values: dict[str, float]
    accuracies: list[Number]


@dataclass
class Group:
    """name: a letter. conditions: what its runs have in common, by name. label: its name, and what its runs are called."""

    name: str
    conditions: dict[str, str]
    published: str
    first: ReportedRun
    label: str = ""
    description: str = ""  # what isn't the same in all groups
    runs: list[ComparedRun] = field(default_factory=list)
    spreads: dict[str, Spread] = field(default_factory=dict)


class Difference(NamedTuple):
    """Of the second group to the first, over the seeds and class orders that both have. Places in the list of groups."""

    first: int
    second: int
    pairs: int
    spreads: dict[str, Spread]


class Comparison(NamedTuple):
    """All runs have the same primary score, of this title. measures: those of any of them."""

    score_title: str
    measures: list[Measure]
    groups: list[Group]
    differences: list[Difference]


def compare_runs(folders: Sequence[str]) -> Comparison:
    """Raises InputError (no finished task, a damaged record, or another primary score than the first run's) and NamedTwice."""
    groups: list[Group] = []
    title = ""
    for folder in folders:
        records = read_finished(folder)
        title = title or records.score_title
        if records.score_title != title:
            raise InputError(
                f"{folder}: expected a run scored by {title}, like {folders[0]}, found one scored by {records.score_title}. "
                "They can't be compared: give runs with the same score"
            )
        conditions = _conditions(records)
        group = next((group for group in groups if group.conditions == conditions), None)
        if group is None:
            group = Group(_letters(len(groups)), conditions, published_line(published_number(records)), records)
            groups.append(group)
        run = _compared(folder, records)
        _check_double(group, run)
        group.runs.append(run)
    differences = []
    listed = list(dict.fromkeys(measure for group in groups for run in group.runs for measure in run.measures))
    labels = _labels(groups)
    for g, group in enumerate(groups):
        group.label = f"{group.name}: {labels[g]}"
        group.description = _description(groups, group)
        group.spreads = _spreads(listed, len(group.runs), lambda i, key, group=group: group.runs[i].values.get(key))  # type: ignore[misc]
        differences += [found for earlier in range(g) if (found := _paired(listed, groups, earlier, g))]
    return Comparison(title, listed, groups, differences)


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)


def spread_text(measure: Measure, found: Spread, signed: bool = False) -> str:
    mean = number_text(measure, found.mean, signed)
    return mean if found.deviation is None else f"{mean} ± {number_text(measure, found.deviation)}"


def _conditions(run: ReportedRun) -> dict[str, str]:
    """What runs of a group have in common, by name."""
    # A setting that the record lacks came later, and was what it is by default.
    conditions = defaults()["recorded"] | {name: setting_text(value) for name, value in run.recorded.items()}
    del conditions["seed"]
    origin = read_origin(run, -1)
    conditions["classes by task"] = "+".join(str(len(task.classes)) for task in run.tasks)
    conditions["backbone"] = f"{origin.backbone_name} {origin.backbone_sha256[:12]}"
    conditions["pack"] = origin.pack_content_sha256[:12]
    return dict(sorted(conditions.items()))


def _compared(folder: str, run: ReportedRun) -> ComparedRun:
    assert run.evaluations is not None
    order = ""
    for task in run.tasks:
        names = [task.name, *task.classes] if has_domains(run) else list(task.classes)
        order += "".join(f"{name}\n" for name in names) + "\n"
    return ComparedRun(
        folder=folder,
        name=run.name,
        seed=run.tasks[-1].seed,
        class_order=hashlib.sha256(order.encode()).hexdigest(),
        classes=frozenset(run.classes),
        measures=measures(run.evaluations),
        values=measure_values(run.evaluations),
        accuracies=[overall(row) for row in run.evaluations.after_merge],
    )


def _check_double(group: Group, run: ComparedRun) -> None:
    for other in group.runs:
        if (other.seed, other.class_order) == (run.seed, run.class_order):
            raise NamedTwice(f"{other.folder} and {run.folder} have the same settings, seed ({run.seed}) and class order. Give only one of them")


def _spreads(listed: Sequence[Measure], count: int, value_at: Callable[[int, str], Number]) -> dict[str, Spread]:
    """Of the measures that all of these have, by key."""
    spreads = {}
    for measure in listed:
        values = [value for i in range(count) if (value := value_at(i, measure.key)) is not None]
        if values and len(values) == count:
            spreads[measure.key] = spread(values)
    return spreads


def _paired(listed: Sequence[Measure], groups: Sequence[Group], first: int, second: int) -> Difference | None:
    if any(groups[first].conditions[name] != groups[second].conditions[name] for name in TESTED_ON):
        return None
    pairs = [(one, other) for one in groups[first].runs for other in groups[second].runs if (one.seed, one.class_order) == (other.seed, other.class_order)]

    def difference(i: int, key: str) -> Number:
        before, after = (run.values.get(key) for run in pairs[i])
        return None if before is None or after is None else after - before

    return Difference(first, second, len(pairs), _spreads(listed, len(pairs), difference)) if pairs else None


def _labels(groups: Sequence[Group]) -> list[str]:
    """Their methods or streams where these distinguish all groups, else their runs."""
    for name in (method_name, stream_name):
        names = [name(group.first) for group in groups]
        if len(set(names)) == len(names):
            return names
    return [group.runs[0].name + (f" and {len(group.runs) - 1} more" if len(group.runs) > 1 else "") for group in groups]


def _description(groups: Sequence[Group], group: Group) -> str:
    """ "merge average, perturbation none": what is not the same in all groups."""
    differing = [f"{name} {value or '-'}" for name, value in group.conditions.items() if any(other.conditions.get(name) != value for other in groups)]
    return ", ".join(differing)


def _letters(index: int) -> str:
    """ "A" to "Z", then "AA"."""
    return (_letters(index // 26 - 1) if index >= 26 else "") + chr(ord("A") + index % 26)
