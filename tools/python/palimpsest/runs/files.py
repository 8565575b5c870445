"""Which of a folder's files are the run, when the program may be writing it."""

import os

from ..errors import InputError
from .manifest import EMPTY, Manifest, read_manifest, state_name
from .record import Record
from .state import State, check_tasks_done

ATTEMPTS = 5


def is_run(folder: str) -> bool:
    return any(os.path.exists(os.path.join(folder, name)) for name in ("manifest.json", "run.json"))


def find_run(folder: str) -> None:
    """Raises InputError unless the folder is a run's."""
    if is_run(folder):
        return
    raise InputError(f"{folder}: expected a run folder with manifest.json or run.json, found {_what_is_there(folder)}")


def _what_is_there(folder: str) -> str:
    if not os.path.exists(folder):
        return "nothing there"
    if not os.path.isdir(folder):
        return "a file"
    above = os.path.dirname(os.path.abspath(folder))
    if is_run(above):
        return f"a part of the run folder {above}. Give that folder"
    runs = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir() and is_run(entry.path))
    if not runs:
        return "no manifest.json there"
    return f"a folder of {len(runs)} run{'s' if len(runs) > 1 else ''}. Give {', '.join(runs[:4])}{' or another' if len(runs) > 4 else ''}"


def newest_snapshot(folder: str) -> tuple[Manifest, State | None]:
    """The manifest and its newest state, which is left open: a run that continues deletes it. Raises InputError."""
    manifest = read_manifest(folder) or EMPTY
    for attempt in range(ATTEMPTS):
        if manifest.tasks_done == 0:
            return manifest, None
        name = state_name(manifest.tasks_done - 1)
        record = Record(os.path.join(folder, name), "state", manifest.files[name].content_sha256)
        try:
            record.keep()
            with record.opened() as objects:
                check_tasks_done(objects, manifest.tasks_done)
            return manifest, State(record, manifest.tasks_done)
        except InputError:
            newer = read_manifest(folder) or EMPTY
            if newer == manifest or attempt == ATTEMPTS - 1:
                raise
            manifest = newer
    raise AssertionError("unreachable")
