"""manifest.json: which files belong to a run. Its rename is the run's commit."""

import json
import os
from dataclasses import dataclass
from typing import Any

from ..counted import counted
from ..errors import InputError
from .record import check_version


@dataclass(frozen=True)
class Entry:
    sha256: str  # of the file's bytes
    content_sha256: str  # of what it says


@dataclass(frozen=True)
class Manifest:
    tasks_done: int
    tasks_before: int  # of these, learned before the run's own pack and protocol
    files: dict[str, Entry]


EMPTY = Manifest(tasks_done=0, tasks_before=0, files={})


def task_name(task: int) -> str:
    return f"tasks/task-{task:04}.h5"


def state_name(task: int) -> str:
    return f"state-{task:04}.h5"


def read_object(path: str) -> dict[str, Any]:
    """A JSON object. Raises InputError."""
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except (OSError, RecursionError, ValueError) as error:
        raise InputError(f"{path}: expected a JSON object, but it cannot be read ({error}). The file is damaged: restore it from a copy") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(value).__name__}. The file is damaged: restore it from a copy")
    return value


def read_manifest(folder: str) -> Manifest | None:
    """None before the first commit. Raises InputError that names the field."""
    path = os.path.join(folder, "manifest.json")
    if not os.path.exists(path):
        return None
    found = read_object(path)
    if found.get("palimpsest_type") != "manifest":
        raise InputError(f"{path}: palimpsest_type: expected 'manifest', found {found.get('palimpsest_type')!r}")
    check_version(f"{path}: palimpsest_version", found.get("palimpsest_version"))
    files = found.get("files")
    if not isinstance(files, dict):
        raise InputError(f"{path}: files: expected an object, found {files!r}")
    entries = {name: _entry(path, name, entry) for name, entry in files.items()}
    done = _count(path, found, "tasks_done")
    before = _count(path, found, "tasks_before") if "tasks_before" in found else 0
    missing = [name for name in map(task_name, range(min(done, len(entries) + 1))) if name not in entries]
    if done > 0 and state_name(done - 1) not in entries:
        missing.append(state_name(done - 1))
    if missing:
        raise InputError(
            f"{path}: files: expected an entry for each of {counted(done, 'task')} done and for the newest state, found none for {', '.join(missing)}"
        )
    return Manifest(tasks_done=done, tasks_before=before, files=entries)


def _entry(path: str, name: str, entry: object) -> Entry:
    parts = name.split("/")
    if os.path.isabs(name) or ".." in parts or not name:
        raise InputError(f"{path}: files: expected paths inside the run folder, found '{name}'")
    hashes = [entry.get(key) if isinstance(entry, dict) else None for key in ("sha256", "content_sha256")]
    for key, value in zip(("sha256", "content_sha256"), hashes, strict=True):
        if not isinstance(value, str) or len(value) != 64:
            raise InputError(f"{path}: files.{name}.{key}: expected 64 hexadecimal digits, found {value!r}")
    return Entry(*map(str, hashes))


def _count(path: str, found: dict[str, Any], key: str) -> int:
    value = found.get(key)
    if type(value) is not int or value < 0:
        raise InputError(f"{path}: {key}: expected a whole number of 0 or more, found {value!r}")
    return value
