"""Parquet and Arrow files, row group by row group; numbers that are labels of a Hugging Face data set become their names."""

import collections.abc
import json
import pathlib
import typing

from .. import InputError
from .columns import find_columns
from .record import Position, Record

ROWS = 1024  # read at once
BUFFER = 1 << 20  # bytes; without it pyarrow reads the column of a whole row group
_MISSING = "{path}: reading {what} needs pyarrow. Install it: pip install 'palimpsest[parquet]' (or pip install pyarrow)"


def _pyarrow(path: pathlib.Path, what: str) -> typing.Any:
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise InputError(_MISSING.format(path=path, what=what)) from None
    return pyarrow


def columns_of(path: pathlib.Path, kind: str) -> list[str]:
    """The names of the columns of a file of the kind parquet or arrow."""
    pyarrow = _pyarrow(path, "Parquet" if kind == "parquet" else "an Arrow file")
    with _refusals(pyarrow, path, "a Parquet file" if kind == "parquet" else "an Arrow file"):
        if kind == "parquet":
            return list(pyarrow.parquet.ParquetFile(path).schema_arrow.names)
        with open(path, "rb") as file:
            return list(_reader(pyarrow, file)[0].schema.names)


def read_parquet(path: pathlib.Path, wanted: typing.Sequence[str], position: Position) -> typing.Iterator[Record]:
    """(row, values of the columns `wanted`, or why the row is broken)."""
    pyarrow = _pyarrow(path, "Parquet")
    with _refusals(pyarrow, path, "a Parquet file"):
        file = pyarrow.parquet.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False)
        schema, total = file.schema_arrow, file.metadata.num_rows
        columns = [schema.names[place] for place in find_columns(str(path), schema.names, wanted)]
        yield from _records(path, file.iter_batches(ROWS, columns=columns), schema, columns, total, position)


def read_arrow(path: pathlib.Path, wanted: typing.Sequence[str], position: Position) -> typing.Iterator[Record]:
    """As read_parquet(), of an Arrow file or stream, as Hugging Face data sets are saved."""
    pyarrow = _pyarrow(path, "an Arrow file")
    with _refusals(pyarrow, path, "an Arrow file"), open(path, "rb") as file:
        reader, is_file = _reader(pyarrow, file)
        batches = (reader.get_batch(i) for i in range(reader.num_record_batches)) if is_file else reader
        columns = [reader.schema.names[place] for place in find_columns(str(path), reader.schema.names, wanted)]
        yield from _records(path, batches, reader.schema, columns, None, position)


def _reader(pyarrow: typing.Any, file: typing.BinaryIO) -> tuple[typing.Any, bool]:
    """(reader of an Arrow file or stream, whether it is a file)."""
    is_file = file.read(6) == b"ARROW1"
    file.seek(0)
    return (pyarrow.ipc.open_file(file) if is_file else pyarrow.ipc.open_stream(file)), is_file


class _refusals:
    """Errors of pyarrow as InputError that names the file."""

    def __init__(self, pyarrow: typing.Any, path: pathlib.Path, expected: str) -> None:
        self._errors, self._path, self._expected = (pyarrow.ArrowException, OSError), path, expected

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, self._errors):
            raise InputError(f"{self._path}: expected {self._expected}, but it cannot be read: {error}") from None


def _records(
    path: pathlib.Path, batches: collections.abc.Iterable[typing.Any], schema: typing.Any, columns: list[str], total: int | None, position: Position
) -> typing.Iterator[Record]:
    names = class_names(schema)
    size, number = path.stat().st_size, 0
    for batch in batches:
        for begin in range(0, batch.num_rows, ROWS):
            part = batch.slice(begin, ROWS)
            lists = [_named(_list(part.column(part.schema.get_field_index(column))), names.get(column)) for column in columns]
            for values in zip(*lists, strict=True):
                number += 1
                yield number, list(values)
            position.done = size * number // total if total else min(size, position.done + part.nbytes)


def _list(column: typing.Any) -> list[object]:
    """The values of a column; bytes that are not UTF-8 become lone surrogates, which rows.py refuses."""
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        return [None if value.as_buffer() is None else value.as_buffer().to_pybytes().decode("utf-8", "surrogateescape") for value in column]


def _named(values: list[object], names: list[str] | None) -> list[object]:
    """Class names for indices into them; -1 means none in such a data set."""
    if names is None:
        return values
    return [names[value] if isinstance(value, int) and 0 <= value < len(names) else None for value in values]


def class_names(schema: typing.Any) -> dict[str, list[str]]:
    """{column: its class names}, of the columns of type ClassLabel that a Hugging Face data set writes into the schema."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        return {column: kind["names"] for column, kind in features.items() if isinstance(kind, dict) and kind.get("_type") == "ClassLabel"}
    except (KeyError, TypeError, ValueError):
        return {}
