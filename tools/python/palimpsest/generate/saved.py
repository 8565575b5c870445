"""Facts about saved weights: the objective that they were trained with, and the place of their backbone."""

import json
import pathlib
import typing

from ..errors import InputError
from ..runs.inputs import find_input

OBJECTIVE = "next-token"


def check_objective(weights: str) -> None:
    """Raises InputError for a run that trained another objective than next-token."""
    found = _settings(weights).get("objective")
    if isinstance(found, str) and found.partition(":")[0] != OBJECTIVE:
        raise InputError(
            f"{weights}: expected a run with objective = {OBJECTIVE}, found {found.partition(':')[0]}. Only runs with this objective generate text; "
            "use palimpsest predict to classify samples"
        )


def find_backbone(weights: str) -> str:
    """The folder of the run's backbone, as the run names it. Raises InputError where the weights don't say it."""
    path = _description(weights)
    return find_input(str(path.parent), _started(path), "backbone", "Give --backbone FOLDER")


def find_tokenizer(backbone: str) -> str:
    """The folder, which is the backbone's. Raises InputError where it has no tokenizer."""
    if not (pathlib.Path(backbone) / "tokenizer.json").is_file():
        raise InputError(f"{backbone}: expected the backbone's tokenizer.json, found none. Give --tokenizer FOLDER")
    return backbone


def positions_of(backbone: str) -> int:
    """Most tokens of a text that the decoder takes."""
    config = pathlib.Path(backbone) / "config.json"
    found = _read_object(config).get("max_position_embeddings")
    if not isinstance(found, int) or found < 1:
        raise InputError(f"{config}: expected max_position_embeddings (the maximum number of tokens of a text), found {found!r}. Give the folder of a decoder")
    return found


def _description(weights: str) -> pathlib.Path:
    """run.json of a run folder, or beside a state of one."""
    path = pathlib.Path(weights)
    if not path.exists():
        raise InputError(f"{weights}: expected a run folder, one of its states or merged weights, found nothing there")
    return (path if path.is_dir() else path.absolute().parent) / "run.json"


def _settings(weights: str) -> dict[str, typing.Any]:
    """The settings that the run began with; none where there is no run.json."""
    found = _started(_description(weights)).get("config")
    return found if isinstance(found, dict) else {}


def _started(path: pathlib.Path) -> dict[str, typing.Any]:
    return _read_object(path) if path.is_file() else {}


def _read_object(path: pathlib.Path) -> dict[str, typing.Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: expected a JSON file, found nothing there") from None
    except ValueError as error:
        raise InputError(f"{path}: expected a JSON object, but the file is damaged: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected a JSON object, found another value")
    return found
