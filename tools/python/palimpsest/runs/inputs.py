"""Where a run's inputs are. run.json has their absolute paths, and the same paths from the run folder, for a run that is moved with its data."""

import os
from typing import Any

from ..errors import InputError


def find_input(folder: str, started: dict[str, Any], setting: str, advice: str) -> str:
    """The path of an input of the run, which exists. started: run.json. Raises InputError, which ends with the advice, where there is none."""
    recorded = _text(started, "config", setting)
    if recorded is None:
        raise InputError(f"{folder}: expected a run.json with the path of the {setting}, found none. {advice}")
    relative = _text(started, "relative_paths", setting)
    beside = None if relative is None else os.path.normpath(os.path.join(folder, relative))
    for path in (recorded, beside):
        if path is not None and os.path.exists(path):
            return path
    places = recorded if beside is None else f"{recorded}, as its run.json says, or at {beside}"
    raise InputError(f"{folder}: expected the run's {setting} at {places}, found nothing there. {advice}")


def _text(started: dict[str, Any], name: str, setting: str) -> str | None:
    texts = started.get(name)
    found = texts.get(setting) if isinstance(texts, dict) else None
    return found if isinstance(found, str) and found else None
