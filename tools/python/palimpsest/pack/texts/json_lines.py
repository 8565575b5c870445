"""JSON Lines: an object a line; its fields are the columns."""

import json
import pathlib
import typing

from .. import InputError
from .columns import find_columns, list_columns
from .record import Position, Record
from .text_file import TextFile, lines_of, open_text, wrong_bytes


def columns_of(path: pathlib.Path, encoding: str | None = None) -> list[str]:
    """The fields of the objects at the beginning of the file."""
    file = open_text(path, encoding, newline="\n", say=None)
    with file.lines:
        return _fields(path, file)


def read(
    path: pathlib.Path, wanted: typing.Sequence[str], position: Position, encoding: str | None = None, optional: typing.Collection[str] = ()
) -> typing.Iterator[Record]:
    """(line, values of the fields `wanted`, or why the line is broken) of every line that isn't blank.

    A line that lacks a field of `optional` has None.
    """
    file = open_text(path, encoding, newline="\n")
    with file.lines:
        known = _fields(path, file)
        names = [known[place] for place in find_columns(str(path), known, wanted)]
        may_lack = {name for name, asked in zip(names, wanted, strict=True) if asked in optional}
        for number, line in enumerate(lines_of(path, file), 1):
            if number % 512 == 1:
                position.done = file.position()
            if line.strip():
                yield number, _values(line, names, may_lack)


def _fields(path: pathlib.Path, file: TextFile) -> list[str]:
    """The fields of the objects at the beginning of the file."""
    lines = [line for line in file.sample.split("\n") if line.strip("\ufeff \t\r")]
    if not lines:
        raise InputError(f"{path}: expected one JSON object per line, found an empty file")
    names: dict[str, None] = {}
    for line in lines:
        found = _object(line)
        names.update(dict.fromkeys(found) if isinstance(found, dict) else {})
    if not names:
        start = lines[0].strip("\ufeff \t\r")
        is_list = start.startswith("[") or start == "{"
        remedy = (
            ". A file that is one JSON value cannot be read; write one object per line (pandas: to_json(..., orient='records', lines=True))" if is_list else ""
        )
        raise InputError(f"{path}, line 1: expected one JSON object per line, found {start[:60]!r}{remedy}")
    return list(names)


def _object(line: str) -> dict[str, object] | str:
    """The object of a line, or why there is none."""
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        return f"expected a JSON object, found {_beginning(line)}, which is not JSON at character {error.pos + 1}"
    except (ValueError, RecursionError):
        return f"expected a JSON object, found {_beginning(line)}, which is too deep or has a number with too many digits"
    return value if isinstance(value, dict) else f"expected a JSON object, found {_beginning(line)}"


def _beginning(line: str) -> str:
    text = line.strip()
    return repr(text) if len(text) <= 60 else f"{text[:60]!r}..."


def _values(line: str, names: list[str], may_lack: set[str]) -> list[object] | str:
    if wrong := wrong_bytes(line):
        return f"expected text in the file's encoding, found the bytes {wrong}; --encoding names another"
    found = _object(line)
    if isinstance(found, str):
        return found
    missing = [name for name in names if name not in found and name not in may_lack]
    if missing:
        return f"expected a field {missing[0]!r}, found {list_columns(list(found)).replace('columns', 'fields')}"
    return [found.get(name) for name in names]
