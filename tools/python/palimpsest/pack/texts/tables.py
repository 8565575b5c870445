"""CSV and TSV: separator and quotes are detected; a row that doesn't fit the first line is broken."""

import csv
import io
import itertools
import pathlib
import typing

from ...counted import counted
from .. import InputError
from ..notes import note
from .columns import find_columns
from .record import Position, Record
from .text_file import TextFile, lines_of, open_text, wrong_bytes

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
LONGEST_FIELD = 1 << 22  # characters; a longer one is taken for a quote that isn't closed
_SAMPLE_ROWS = 1000
_SAMPLE = 1 << 18  # characters of the sample that are parsed


class _Dialect(typing.NamedTuple):
    separator: str
    quotes: bool  # a field in quotes may contain separators and line breaks; without: quotes are characters as others


def columns_of(path: pathlib.Path, encoding: str | None = None) -> list[str]:
    """The names in the first line."""
    file = open_text(path, encoding, say=None)
    with file.lines:
        return _header(_rows(io.StringIO(file.sample, newline=""), _dialect(path, file, ())))


def read(path: pathlib.Path, wanted: typing.Sequence[str], position: Position, encoding: str | None = None) -> typing.Iterator[Record]:
    """(line of its beginning, values of the columns `wanted`, or why the row is broken) of every row.

    Blank lines are no rows, but in a table of one column, between rows, they are rows with an empty field.
    """
    csv.field_size_limit(LONGEST_FIELD)
    file = open_text(path, encoding)
    with file.lines:
        dialect = _dialect(path, file, wanted)
        _note_unusual(path, dialect)
        rows = _rows(lines_of(path, file), dialect)
        columns = _header(rows)
        places = find_columns(f"{path}, line 1", columns, wanted)
        blank: list[int] = []
        for count, (line, fields) in enumerate(rows):
            if count % 512 == 0:
                position.done = file.position()
            if not fields:
                blank += [line] if len(columns) == 1 else []
                continue
            for each in blank:
                yield each, [""]
            blank = []
            yield line, fields if isinstance(fields, str) else _values(fields, columns, places, dialect.separator)


def _values(fields: list[str], columns: list[str], places: list[int], separator: str) -> list[object] | str:
    if len(fields) != len(columns):
        remedy = f"; put a field that contains {separator!r} in quotes" if len(fields) > len(columns) else ""
        return f"expected {counted(len(columns), 'field')}, one per column of line 1, found {len(fields)}{remedy}"
    for place in places:
        if wrong := wrong_bytes(fields[place]):
            return f"column {columns[place]!r}: expected text in the file's encoding, found the bytes {wrong}; --encoding names another"
    return [fields[place] for place in places]


def _rows(lines: typing.Iterable[str], dialect: _Dialect) -> typing.Iterator[tuple[int, list[str] | str]]:
    """(line of its beginning, fields or why they can't be read) of every row; a blank line has no fields."""
    quotes = dialect.quotes
    reader = csv.reader(lines, delimiter=dialect.separator, quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE, strict=True, skipinitialspace=quotes)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            if "NUL" in str(error):  # Python 3.10 reads no such line
                yield line, "expected text, found a NUL character"
                continue
            end = f" (to line {reader.line_num})" if reader.line_num > line else ""
            yield line, f"expected CSV, found {error}{end}; is a quote not closed, or not doubled inside a field?"
            continue
        if fields is None:
            return
        yield line, fields


def _header(rows: typing.Iterator[tuple[int, list[str] | str]]) -> list[str]:
    columns = next((fields for _, fields in rows if fields), [])
    return columns if isinstance(columns, list) else []


def _dialect(path: pathlib.Path, file: TextFile, wanted: typing.Sequence[str]) -> _Dialect:
    """The dialect with all columns and the fewest broken rows in the sample; the usual one where several are alike."""
    if not file.sample.strip("\ufeff \t\r\n"):
        raise InputError(f"{path}: expected a table whose first line names the columns, found an empty file")
    usual = _usual_separator(path)
    candidates = [_Dialect(separator, quotes) for quotes in (True, False) for separator in (usual, *(s for s in SEPARATORS if s != usual))]
    judged = [(dialect, *_judge(file, dialect, wanted)) for dialect in candidates]
    best, missing, _ = min(judged, key=lambda found: found[1:])
    if missing:
        columns = _header(_rows(io.StringIO(file.sample, newline=""), best))
        find_columns(
            f"{path}, line 1",
            columns,
            wanted,
            ". The first line must name the columns; choose them with --text, --label, --split, --domain and --group; --unlabelled reads no labels",
        )
    return best


def _usual_separator(path: pathlib.Path) -> str:
    """As the name of the file says."""
    return "\t" if pathlib.Path(path.name.removesuffix(".gz")).suffix.lower() in (".tsv", ".tab") else ","


def _note_unusual(path: pathlib.Path, best: _Dialect) -> None:
    usual = _usual_separator(path)
    if best.separator != usual:
        note(f"{path}: fields are separated by {SEPARATORS[best.separator]}, not by {SEPARATORS[usual]}")
    if not best.quotes:
        note(f"{path}: quotes are read as part of the texts, because they don't enclose fields")


def _judge(file: TextFile, dialect: _Dialect, wanted: typing.Sequence[str]) -> tuple[int, int]:
    """(columns that aren't found, broken rows): the fewer, the better. Where no column is found, the most columns are best."""
    sample = file.sample[:_SAMPLE]
    read = _rows(io.StringIO(sample, newline=""), dialect)
    rows = list(itertools.islice(((line, fields) for line, fields in read if fields), _SAMPLE_ROWS))
    if len(rows) < _SAMPLE_ROWS and not (file.is_whole and len(sample) == len(file.sample)):
        rows = rows[:-1] or rows  # the last one is cut
    columns = rows[0][1] if rows and isinstance(rows[0][1], list) else []
    names = {column.strip().casefold() for column in columns}
    missing = sum(name.strip().casefold() not in names for name in wanted)
    broken = sum(isinstance(fields, str) or len(fields) != len(columns) or (not dialect.quotes and _has_quotes(fields)) for _, fields in rows)
    return missing, broken if missing < len(wanted) else -len(columns)


def _has_quotes(fields: list[str]) -> bool:
    """Whether a field is enclosed in quotes."""
    return any(len(field) > 1 and field[0] == field[-1] == '"' for field in fields)
