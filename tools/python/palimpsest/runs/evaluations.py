"""What evaluations measured: sums of scores by task, as task and state records have them in every version of the format."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..counted import counted
from ..errors import InputError
from .record import Array, Objects
from .scores import GIVEN_TASK, score_info

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]

# Files of 1.x don't name their scores. The first two are in all of them; the others came with 1.2, together with counts by class.
SCORES_OF_VERSION_1 = ("correct", "correct_given_task", "correct_top5", "correct_task", "loss_given_task")
SCORES_OF_1_0 = 2


class Score(NamedTuple):
    """sums, weights: [tasks]; what a task's sum is divided by is its weight: samples, mostly."""

    name: str
    sums: Numbers
    weights: Numbers


@dataclass(frozen=True, eq=False)
class Row:
    """One evaluation, over the tasks seen so far. samples: [tasks], 0 where a task wasn't tested. class_*: [classes seen], task after task, or None.

    The first score is the primary one, of which accuracy (of completions: exact match or the task score) is read.
    """

    samples: Counts
    scores: tuple[Score, ...]
    class_samples: Counts | None = None
    class_correct: Counts | None = None

    def __repr__(self) -> str:
        return f"<Row of {counted(len(self.samples), 'task')}: {', '.join(score.name for score in self.scores)}>"

    def find(self, name: str) -> Score | None:
        return next((score for score in self.scores if score.name == name), None)

    def given_task(self) -> "Row":
        """The same evaluation, whose only score counts what is right among the classes of the sample's own task."""
        score = self.find(GIVEN_TASK)
        if score is None:
            raise InputError(f"expected the score {GIVEN_TASK} in every evaluation of a task-incremental run, found {', '.join(s.name for s in self.scores)}")
        return Row(self.samples, (score,))


@dataclass(frozen=True, eq=False)
class Evaluations:
    """All evaluations by one classifier: row t of each is after task t (from 0), over t + 1 tasks."""

    classifier: str
    after_merge: tuple[Row, ...]
    before_merge: tuple[Row, ...]

    def __repr__(self) -> str:
        return f"<Evaluations by {self.classifier} after {counted(len(self.after_merge), 'task')}>"

    @property
    def is_of_completions(self) -> bool:
        """Of prompts with completions, not of samples with classes."""
        return score_info(self.after_merge[-1].scores[0].name).of_completions

    @property
    def score_title(self) -> str:
        """What the primary score is called: accuracy, exact match or task score."""
        return score_info(self.after_merge[-1].scores[0].name).title if self.is_of_completions else "accuracy"

    def given_task(self) -> "Evaluations":
        return Evaluations(self.classifier, tuple(row.given_task() for row in self.after_merge), tuple(row.given_task() for row in self.before_merge))


@dataclass(frozen=True, eq=False)
class _Table:
    """Rows of one length, [rows, tasks] and [rows, classes]."""

    samples: Counts
    scores: tuple[Score, ...]
    by_class: tuple[Counts, Counts] | None
    is_of_version_1: bool

    def row(self, t: int, tasks: int, classes: int | None) -> Row:
        """The first tasks and classes (None: all) of row t. What is zero throughout wasn't counted."""
        by_class = None
        if self.by_class is not None:
            samples, correct = (counts[t, :classes] for counts in self.by_class)
            by_class = (samples, correct) if samples.any() else None
        scores = []
        for i, (name, sums, weights) in enumerate(self.scores):
            has_score = (i < SCORES_OF_1_0 or by_class is not None) if self.is_of_version_1 else bool(weights[t, :tasks].any())
            if has_score:
                scores.append(Score(name, sums[t, :tasks], weights[t, :tasks]))
        return Row(self.samples[t, :tasks], tuple(scores), *(by_class or (None, None)))


def read_row(objects: Objects, group: str, tasks: int) -> Row:
    """Of a task's record: over so many tasks. Raises InputError."""
    return _checked(objects, group, _read_table(objects, group, 1, tasks).row(0, tasks, None))


def read_rows(objects: Objects, group: str, classes_seen: Sequence[int]) -> tuple[Row, ...]:
    """Of a state: row t has the evaluation after task t, and then zeros. classes_seen: [tasks], up to each task. Raises InputError."""
    table = _read_table(objects, group, len(classes_seen), len(classes_seen))
    return tuple(_checked(objects, group, table.row(t, t + 1, classes)) for t, classes in enumerate(classes_seen))


def _read_table(objects: Objects, group: str, rows: int, tasks: int) -> _Table:
    shape = (rows, tasks)
    samples = _read(objects, f"{group}/samples", shape).astype(np.int64)
    if objects.has(f"{group}/scores"):
        names = objects.texts(f"{group}/scores")
    else:
        names = tuple(name for name in SCORES_OF_VERSION_1 if objects.has(f"{group}/{name}"))
    scores = []
    for name in names:
        own = f"{group}/weights/{name}"
        weights = _read(objects, own, shape) if objects.has(own) else samples
        scores.append(Score(name, _read(objects, f"{group}/{name}", shape).astype(np.float64), weights.astype(np.float64)))
    by_class = None
    if objects.has(f"{group}/class_samples"):
        counts = np.atleast_2d(objects.array(f"{group}/class_samples")).astype(np.int64)
        by_class = (counts, _read(objects, f"{group}/class_correct", counts.shape).astype(np.int64))
    return _Table(samples, tuple(scores), by_class, objects.version[0] == 1)


def _checked(objects: Objects, group: str, row: Row) -> Row:
    if not row.scores or row.samples[-1] == 0:
        raise InputError(f"{objects.path}: {group}: expected a score and tested samples of the newest task, found none. The file is damaged")
    return row


def _read(objects: Objects, name: str, shape: tuple[int, ...]) -> Array:
    """A row is a table of one row."""
    values = np.atleast_2d(objects.array(name))
    if values.shape != shape:
        raise InputError(
            f"{objects.path}: {name}: expected {' x '.join(map(str, shape))} numbers, found {' x '.join(map(str, values.shape))}. The file is damaged"
        )
    return values
