"""A run folder as it is when it is opened."""

import operator
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, overload

import pandas as pd

from ..counted import counted
from ..errors import InputError
from .adapter import Float32
from .comparison import compare
from .evaluations import Evaluations
from .files import find_run, newest_snapshot
from .frames import accuracy_frame, class_frame, matrix
from .kinds import kinds_in
from .log import read_log
from .manifest import Manifest, read_object, state_name, task_name
from .record import Record
from .scores import GIVEN_TASK
from .state import State
from .stream_metrics import stream_metrics
from .task import Task
from .weights import check_files, merge_again

TASK_INCREMENTAL = "task-incremental"


def open_run(folder: str | os.PathLike[str]) -> "Run":
    """Opens a run folder, finished or not. Raises InputError if it is not a run folder, or if its newest commit is damaged.

    Opening reads only manifest.json and the head of the newest state. Everything else is read when it is used, and each array's checksum is checked then.
    """
    return Run(folder)


class Tasks(Sequence[Task]):
    """The finished tasks, counted from 0. Indexing reads nothing from disk."""

    def __init__(self, make: Callable[[int], Task], count: int) -> None:
        self._make = make
        self._made: dict[int, Task] = {}
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Task: ...
    @overload
    def __getitem__(self, index: slice) -> list[Task]: ...
    def __getitem__(self, index: int | slice) -> Task | list[Task]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        index = operator.index(index)  # a TypeError for what is no whole number
        if not -self._count <= index < self._count:
            raise IndexError(f"task {index}: the run has {counted(self._count, 'finished task')}, counted from 0")
        index %= self._count
        if index not in self._made:
            self._made[index] = self._make(index)
        return self._made[index]

    def __repr__(self) -> str:
        return f"<{counted(self._count, 'task')}>"


class Run:
    """A run as it was when it was opened. `refresh()` shows later commits. Tasks are counted from 0, as in the files."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = os.fspath(folder)
        find_run(self.folder)
        self._manifest, self._state = newest_snapshot(self.folder)
        self.tasks = Tasks(self._make_task, self._manifest.tasks_done)

    def _make_task(self, index: int) -> Task:
        return Task(self.task_record(index), index)

    def task_record(self, index: int) -> Record:
        """The file of a finished task."""
        name = task_name(index)
        return Record(os.path.join(self.folder, *name.split("/")), "task", self._manifest.files[name].content_sha256)

    def refresh(self) -> "Run":
        """The run as it is now; this one stays as it is."""
        return Run(self.folder)

    @property
    def name(self) -> str:
        """The name of the folder."""
        return os.path.basename(os.path.abspath(self.folder))

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    @property
    def tasks_before(self) -> int:
        """The number of tasks that another run had learned before this run continued it."""
        return self._manifest.tasks_before

    @property
    def state(self) -> State | None:
        """The state after the newest task; None while no task is finished."""
        return self._state

    @cached_property
    def started(self) -> dict[str, Any]:
        """run.json: how the run began, with every setting in "config"; empty if the file is missing. Raises InputError if it is damaged."""
        path = os.path.join(self.folder, "run.json")
        found = read_object(path) if os.path.exists(path) else {}
        if not isinstance(found.get("config", {}), dict):
            raise InputError(f"{path}: config: expected an object, found {found['config']!r}. The file is damaged: restore it from a copy")
        return found

    @cached_property
    def config(self) -> dict[str, Any]:
        """The settings that affect the results, as the newest task recorded them; while no task is finished, the settings at the start."""
        return self.tasks[-1].config if self.tasks else dict(self.started.get("config", {}))

    @property
    def is_task_given(self) -> bool:
        """Whether the run is task-incremental: accuracies are then among the classes of the sample's own task."""
        return bool(self.config.get("scenario") == TASK_INCREMENTAL)

    @cached_property
    def evaluations(self) -> dict[str, Evaluations]:
        """The exact sums behind the frames, by classifier, the run's own first. Among all classes seen."""
        if self._state is None:
            return {}
        own = self.tasks[-1].classifier or own_classifier(self.config)
        places = {own: "/accuracy"} | {other: f"/accuracy/classifiers/{other}" for other in self._state.other_classifiers}
        return {classifier: self._state.evaluations(place, classifier) for classifier, place in places.items()}

    @property
    def classifiers(self) -> tuple[str, ...]:
        """The names of the classifiers, the run's own first; while no task is finished, from the setting."""
        return tuple(self.evaluations) or configured_classifiers(self.config)

    @cached_property
    def accuracy(self) -> pd.DataFrame:
        """Long form: a row for each `after_task`, `task`, `classifier` and `moment` ("before merge", "after merge").

        Columns: samples; each score's sum by its name (correct, correct_given_task, ...) and mean (accuracy, accuracy_given_task, task_identity, top5,
        loss_given_task in nats). For prompts with completions: exact_match, correct_tokens, loss_per_token in nats, and more (see docs/notebook.md).
        Shares are from 0 to 1. NaN means that a task wasn't tested.
        """
        return accuracy_frame(self.evaluations.values())

    def matrix(self, classifier: str | None = None, before_merge: bool = False, score: str | None = None) -> pd.DataFrame:
        """Accuracy on each task (column) after each task (row), [T, T], from 0 to 1; NaN where not tested. In a task-incremental run, given the task.

        For prompts with completions: exact match, or the task score if the protocol has one. score: selects another score, such as
        "correct_given_task" or "loss_per_token". Raises InputError for a classifier or score that the run does not have.
        """
        found = self._by(classifier)
        if score is None and self.is_task_given:
            score = GIVEN_TASK
        return matrix(found.before_merge if before_merge else found.after_merge, score)

    def by_class(self, classifier: str | None = None, before_merge: bool = False) -> pd.DataFrame:
        """Test samples, correct ones and their share, for each class after each task; empty if nothing was counted by class.

        For prompts with completions, a sample is correct by exact match, and the classes are the pack's.
        """
        found = self._by(classifier)
        return class_frame(found.before_merge if before_merge else found.after_merge, self._state.classes if self._state else ())

    def _by(self, classifier: str | None) -> Evaluations:
        if not self.evaluations:
            return Evaluations(classifier or own_classifier(self.config), (), ())
        if classifier is None:
            return next(iter(self.evaluations.values()))
        if classifier not in self.evaluations:
            raise InputError(f"{self.folder}: expected a classifier of the run ({', '.join(self.evaluations)}), found '{classifier}'")
        return self.evaluations[classifier]

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """One row per metric (last, average_anytime, forgetting, plasticity, ...), one column per classifier; NaN if not defined.

        The same numbers as `palimpsest inspect --json`. In a task-incremental run, given the task.
        """
        shown = {name: one.given_task() if self.is_task_given else one for name, one in self.evaluations.items()}
        return pd.DataFrame({name: pd.Series(stream_metrics(one), dtype=float) for name, one in shown.items()}).rename_axis("metric")

    @cached_property
    def alphas(self) -> pd.Series:
        """The merge coefficient of each task (the mean, if a merge has several); NaN if nothing was merged."""
        return pd.Series([task.merge.alpha for task in self.tasks], index=pd.RangeIndex(len(self.tasks), name="task"), name="alpha", dtype=float)

    @property
    def log(self) -> pd.DataFrame:
        """metrics.jsonl as it is now: one row per event, one column per field."""
        return read_log(os.path.join(self.folder, "metrics.jsonl"))

    def compare(self, other: "Run") -> pd.DataFrame:
        """What differs from another run: settings, classes, metrics, hashes of the weights. One row per difference, one column per run."""
        return compare(self, other)

    def weights(self, task: int | None = None) -> dict[str, Float32]:
        """theta_hat - theta_hat_0 after a task (None: the newest), by module, [out, in] float32.

        For an earlier task, the weights are merged again from the recorded coefficients and checked against the recorded hash. Raises InputError if that fails.
        """
        if self._state is None:
            raise InputError(f"{self.folder}: expected a run with a finished task, found none")
        if task is None or self.tasks[task].index == len(self.tasks) - 1:
            return dict(self._state.weights)
        return merge_again(self.tasks[: self.tasks[task].index + 1], self._state.shapes)

    def check(self) -> None:
        """Compares all files of the run with manifest.json. Raises InputError that names each missing or damaged file."""
        check_files(self.folder, self._manifest.files)

    def check_newest(self) -> None:
        """The same, for only the newest state and the newest task's record."""
        done = self._manifest.tasks_done
        names = (state_name(done - 1), task_name(done - 1)) if done else ()
        check_files(self.folder, {name: self._manifest.files[name] for name in names})

    def __repr__(self) -> str:
        from .show import run_text

        return run_text(self)

    def _repr_html_(self) -> str:
        from .show import run_html

        return run_html(self)


def own_classifier(config: dict[str, Any]) -> str:
    """Records before version 2.1 don't name it: it is the setting's first one, or the only one that there was."""
    return configured_classifiers(config)[0]


def configured_classifiers(config: dict[str, Any]) -> tuple[str, ...]:
    return tuple(kinds_in(str(config.get("classifier", "local"))))
