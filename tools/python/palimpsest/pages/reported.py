"""All that pages and tables say of a run, read from its records."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .. import runs
from ..errors import InputError
from ..runs.evaluations import Evaluations
from ..runs.kinds import keys_in, kind_in
from ..runs.manifest import state_name
from ..runs.record import Record
from .old_settings import todays_settings

MOST_OPEN = 400  # files at a time, of the 1,024 that a process may have


@dataclass(frozen=True)
class ReportedRun:
    """settings: those of the newest task, then those of run.json that a record leaves out, in today's spelling. recorded: the newest task's alone.

    evaluations: of the run's own classifier, given the task where the scenario gives it; among_all: among all classes seen. None before the first task.
    """

    run: runs.Run
    tasks: tuple[runs.Task, ...]
    records: tuple[Record, ...]  # of the tasks
    settings: dict[str, Any]
    recorded: dict[str, Any]
    evaluations: Evaluations | None
    among_all: Evaluations | None
    others: tuple[Evaluations, ...]  # among all classes seen

    @property
    def name(self) -> str:
        return self.run.name

    @property
    def is_task_given(self) -> bool:
        return self.text_setting("scenario") == "task-incremental"

    @property
    def score_title(self) -> str:
        """What the primary score is called: accuracy, exact match or task score."""
        return self.evaluations.score_title if self.evaluations else "accuracy"

    @property
    def is_of_completions(self) -> bool:
        return self.evaluations is not None and self.evaluations.is_of_completions

    @property
    def classes(self) -> list[str]:
        return [name for task in self.tasks for name in task.classes]

    @property
    def is_on_texts(self) -> bool:
        """By the scores, or the names of the adapted modules, where there are any: those of text models with classes are BERT's."""
        return self.is_of_completions or any(str(name).startswith("encoder.layer.") for task in self.tasks[:1] for name in task.modules.index)

    def text_setting(self, name: str) -> str:
        """ "" where it is none, or no text."""
        value = self.settings.get(name)
        return value if isinstance(value, str) else ""

    def kind(self, name: str) -> str:
        return kind_in(self.text_setting(name))

    def key(self, name: str, key: str) -> str:
        """Of a setting's kind; "" where it has no such key."""
        return keys_in(self.text_setting(name)).get(key, "")


@contextlib.contextmanager
def opened_run(folder: str | os.PathLike[str]) -> Iterator[ReportedRun]:
    """For who reads much of every task: the tasks' files are open as long as the context lasts. Raises InputError as read_reported_run()."""
    run = read_reported_run(folder)
    try:
        for record in run.records[:MOST_OPEN]:
            record.keep()
        yield run
    finally:
        for record in run.records:
            record.close()


def read_reported_run(folder: str | os.PathLike[str]) -> ReportedRun:
    """Raises InputError: no run folder, or a record that is damaged."""
    run = runs.Run(folder)
    run.check_newest()
    records = tuple(map(run.task_record, range(len(run.tasks))))
    newest = todays_settings(run.tasks[-1].config) if run.tasks else {}
    at_start = todays_settings(run.started.get("config", {}))
    settings = newest | {name: value for name, value in at_start.items() if name not in newest}
    # run.json is of the first start; a later one may have trained more tasks.
    tasks = settings.get("tasks", 0)
    if isinstance(tasks, int) and 0 < tasks < len(run.tasks):
        settings["tasks"] = len(run.tasks)
    is_task_given = settings.get("scenario") == "task-incremental"
    own, *others = run.evaluations.values() if run.tasks else [None]
    shown = own.given_task() if own and is_task_given else own
    tasks_read = tuple(runs.Task(record, index) for index, record in enumerate(records))
    return ReportedRun(run, tasks_read, records, settings, newest, shown, own, tuple(one for one in others if one))


def read_finished(folder: str | os.PathLike[str]) -> ReportedRun:
    """The same, of a run that must have finished a task."""
    run = read_reported_run(folder)
    if not run.tasks:
        raise InputError(f"{os.fspath(folder)}: expected a run with a finished task, found none")
    return run


def given_task_if(run: ReportedRun, evaluations: Evaluations) -> Evaluations:
    return evaluations.given_task() if run.is_task_given else evaluations


def has_domains(run: ReportedRun) -> bool:
    """Whether every task has the same labels, so that names distinguish the tasks."""
    return run.text_setting("scenario") == "domain-incremental"


@dataclass(frozen=True)
class Origin:
    """What a task's record was made from, and by what."""

    backbone_name: str
    backbone_sha256: str
    pack_content_sha256: str
    content_sha256: str
    writer: str
    version: str


def read_origin(run: ReportedRun, task: int) -> Origin:
    """Raises InputError where the record is damaged."""
    with run.records[task].opened() as objects:
        return Origin(
            *(str(objects.attribute(place, name)) for place, name in (("/base", "name"), ("/base", "sha256"), ("/pack", "content_sha256"))),
            *(str(objects.attribute("/", name)) for name in ("content_sha256", "writer", "palimpsest_version")),
        )


def state_content_sha256(run: ReportedRun) -> str:
    """Of the newest state; "" before the first."""
    return run.run.manifest.files[state_name(len(run.tasks) - 1)].content_sha256 if run.tasks else ""
