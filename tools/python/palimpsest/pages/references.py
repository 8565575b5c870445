"""Runs of the same classes, drawn beside a run: what joint training, a frozen backbone or sequential training reach."""

import os
from collections.abc import Sequence
from statistics import fmean

from ..counted import counted
from ..errors import InputError
from ..runs.stream_metrics import overall
from .draw import Line, line_of_runs
from .names import method_name
from .reported import ReportedRun, read_finished
from .text import Number, listed, percent

ROLES = ("quiet", "second", "third", "fourth")


class Reference:
    """Runs of one method, each with its accuracies on all tasks so far: [tasks], one number of joint training."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.accuracies: list[list[Number]] = []

    @property
    def last(self) -> Number:
        """Mean over the runs; None where one wasn't tested on all tasks."""
        known = [value for values in self.accuracies if (value := values[-1]) is not None]
        return fmean(known) if len(known) == len(self.accuracies) else None


def read_references(run: ReportedRun, folders: Sequence[str]) -> list[Reference]:
    """By method, in the order given. Raises InputError where a run has other classes, or hasn't finished them."""
    found: dict[str, Reference] = {}
    for folder in folders:
        reference = read_finished(folder)
        _check_classes(run, reference, folder)
        assert reference.evaluations is not None
        name = method_name(reference)
        name = f"{name} in other runs" if name == method_name(run) else name
        group = found.setdefault(name, Reference(name))
        group.accuracies.append([overall(row) for row in reference.evaluations.after_merge])
    return list(found.values())


def _check_classes(run: ReportedRun, reference: ReportedRun, folder: str) -> None:
    ours, theirs = set(run.classes), set(reference.classes)
    if run.is_task_given != reference.is_task_given:
        raise InputError(
            f"{os.fspath(folder)}: expected a run of the same scenario ({run.text_setting('scenario')}), found {reference.text_setting('scenario')}"
        )
    if run.score_title != reference.score_title:
        raise InputError(f"{os.fspath(folder)}: expected a run scored by {run.score_title}, found one scored by {reference.score_title}")
    if ours != theirs:
        example = sorted(ours ^ theirs)[0]
        raise InputError(
            f"{os.fspath(folder)}: expected a finished run of the same {counted(len(ours), 'class')}, found {len(theirs)}. "
            f"They differ in '{example}' and others: "
            "give a run of the same stream"
        )


def reference_lines(references: Sequence[Reference], tasks: int, roles: Sequence[str] = ROLES) -> list[Line]:
    """Mean over the runs of a method, and their range; roles: their colours. A run with one row, as joint training has, is a level line."""
    lines = []
    for i, reference in enumerate(references):
        length = max(map(len, reference.accuracies))
        rows = [values if len(values) > 1 or length > 1 else values * tasks for values in reference.accuracies]
        rows = [values for values in rows if len(values) == max(map(len, rows))]
        name = reference.name if len(rows) == 1 else f"{reference.name}, {len(rows)} runs"
        lines.append(line_of_runs(name, rows, (2, 1, 3, 0)[i % 4], roles[i % len(roles)]))
    return lines


def reference_sentence(references: Sequence[Reference]) -> str:
    """ "" without references whose last accuracy is defined."""
    parts = [f"{reference.name} reaches {percent(reference.last)} %" for reference in references if reference.last is not None]
    return f"For comparison, {listed(parts)}." if parts else ""
