"""Runs beside one another: groups that differ in seed and class order alone, and differences between groups, pair by pair."""

import hashlib
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..runs.stream_metrics import overall
from .measures import MEASURES, measure_values
from .published import published_line, published_number
from .reported import ReportedRun, has_domains, read_finished, read_origin
from .settings import defaults
from .text import Number, setting_text


class NamedTwice(Exception):
    """Two runs with the same settings, seed and class order."""


class Spread(NamedTuple):
    """Over runs. deviation: of a sample, divided by n - 1; None of a single run."""

    mean: float
    deviation: Number


@dataclass(frozen=True)
class ComparedRun:
    """class_order: SHA-256 of the tasks' classes in order. values: by key of MEASURES. accuracies: on all tasks so far, after each task."""

    folder: str
    seed: int
    class_order: str
    values: dict[str, float]
    accuracies: list[float]


@dataclass
class Group:
    name: str
    published: str
    first: ReportedRun
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
    groups: list[Group]
    differences: list[Difference]


def compare_runs(folders: Sequence[str]) -> Comparison:
    """Raises InputError (no finished task, or a damaged record) and NamedTwice."""
    groups: list[Group] = []
    conditions: list[dict[str, str]] = []  # of the groups
    for folder in folders:
        records = read_finished(folder)
        own = _conditions(records)
        if own not in conditions:
            conditions.append(own)
            groups.append(Group(_letters(len(groups)), published_line(published_number(records)), records))
        group = groups[conditions.index(own)]
        run = _compared(folder, records)
        _check_double(group, run)
        group.runs.append(run)
    differences = []
    for g, group in enumerate(groups):
        group.description = _description(conditions, g)
        group.spreads = _spreads(len(group.runs), lambda i, key, group=group: group.runs[i].values.get(key))  # type: ignore[misc]
        differences += [found for earlier in range(g) if (found := _paired(groups, earlier, g))]
    return Comparison(groups, differences)


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)


def _conditions(run: ReportedRun) -> dict[str, str]:
    """What runs of a group have in common, by name."""
    # A setting that the record lacks came later, and was what it is by default.
    conditions = defaults()["recorded"] | {name: setting_text(value) for name, value in run.recorded.items()}
    del conditions["seed"]
    origin = read_origin(run, -1)
    conditions["tasks"] = f"{len(run.tasks)} of {'+'.join(str(len(task.classes)) for task in run.tasks)} classes"
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
        seed=run.tasks[-1].seed,
        class_order=hashlib.sha256(order.encode()).hexdigest(),
        values=measure_values(run.evaluations),
        accuracies=[overall(row) for row in run.evaluations.after_merge],
    )


def _check_double(group: Group, run: ComparedRun) -> None:
    for other in group.runs:
        if (other.seed, other.class_order) == (run.seed, run.class_order):
            raise NamedTwice(f"{other.folder} and {run.folder} have the same settings, seed ({run.seed}) and class order: name one of them, or it counts twice")


def _spreads(count: int, value_at: Callable[[int, str], Number]) -> dict[str, Spread]:
    """Of the measures that all of these have, by key."""
    spreads = {}
    for measure in MEASURES:
        values = [value for i in range(count) if (value := value_at(i, measure.key)) is not None]
        if values and len(values) == count:
            spreads[measure.key] = spread(values)
    return spreads


def _paired(groups: Sequence[Group], first: int, second: int) -> Difference | None:
    pairs = [(one, other) for one in groups[first].runs for other in groups[second].runs if (one.seed, one.class_order) == (other.seed, other.class_order)]

    def difference(i: int, key: str) -> Number:
        before, after = (run.values.get(key) for run in pairs[i])
        return None if before is None or after is None else after - before

    return Difference(first, second, len(pairs), _spreads(len(pairs), difference)) if pairs else None


def _description(conditions: Sequence[dict[str, str]], group: int) -> str:
    """ "merge average, perturbation none": what is not the same in all groups."""
    differing = [f"{name} {value or '-'}" for name, value in conditions[group].items() if any(other.get(name) != value for other in conditions)]
    return ", ".join(differing)


def _letters(index: int) -> str:
    """ "A" to "Z", then "AA"."""
    return (_letters(index // 26 - 1) if index >= 26 else "") + chr(ord("A") + index % 26)
