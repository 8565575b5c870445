"""Which files a call reads, what each of them is, and which side its name says."""

import collections
import glob
import json
import os
import pathlib
import typing

from ...counted import counted, form
from .. import InputError
from ..images.listing import endings, shown, side_words
from ..notes import note
from ..pack_file import TEST, TRAIN
from . import arrow, json_lines, tables
from .record import Position, Record
from .rows import Skipped
from .text_file import start_of

SUFFIXES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".parquet", ".arrow")
PLAIN = ".txt"
READ = "CSV, TSV, JSON Lines, Parquet, Arrow, or a data set saved by Hugging Face's save_to_disk"
_OTHERS = {
    b"PK\x03\x04": "a ZIP archive or a workbook. Unpack it, or save it as CSV in UTF-8",
    b"\x80\x04": "a Python pickle. Save it as Parquet, CSV or JSON Lines (pandas: to_parquet)",
    b"SQLite format 3": "an SQLite file. Save its table as CSV",
    b"\x89HDF\r\n": "an HDF5 file. If it is a pack, palimpsest pack show reads it",
    b"BZh": "a bzip2 file. Unpack it",
    b"\xfd7zXZ": "an xz file. Unpack it",
    b"\x28\xb5\x2f\xfd": "a Zstandard file. Unpack it",
    b"version https://git-lfs": "a pointer of Git LFS. Get the file itself with git lfs pull",
    b"<!DOCTYPE": "a web page. Get the file again",
}


class Source(typing.NamedTuple):
    path: pathlib.Path
    kind: str  # table, json, parquet or arrow; or text
    side: int | None  # TRAIN, TEST, or None

    def rows_are_called(self) -> str:
        """What messages put before the number of a row."""
        return f"{shown(self.path)}, {'row' if self.kind in ('parquet', 'arrow') else 'line'}"


def find_sources(given: typing.Sequence[str], use_names: bool, has_plain_text: bool = False) -> list[Source]:
    """The files of SOURCE... with their kinds. With `use_names` a side is taken from the files' names, where all have one.

    With `has_plain_text` files whose names end in .txt are of the kind text, and a folder with no others is read.
    """
    named = [found for name in given for found in _expanded(name, (PLAIN,) if has_plain_text else ())]
    twice = [path for path, count in collections.Counter(path.resolve() for path, _ in named).items() if count > 1]
    if twice:
        raise InputError(f"{shown(twice[0])}: expected every file once, found it twice in the sources. Name it once")
    sources = [Source(path, "text" if has_plain_text and is_plain(path) else kind_of(path), None) for path, _ in named]
    return _with_sides(sources, [word for _, word in named]) if use_names else sources


def is_plain(path: pathlib.Path) -> bool:
    """Whether the name of a file is one of plain text."""
    return path.name.lower().removesuffix(".gz").endswith(PLAIN)


def columns_of(source: Source, encoding: str | None) -> list[str]:
    """The names of a source's columns, of JSON Lines those of the objects at its beginning."""
    if source.kind in ("parquet", "arrow"):
        return arrow.columns_of(source.path, source.kind)
    return json_lines.columns_of(source.path, encoding) if source.kind == "json" else tables.columns_of(source.path, encoding)


def read_all(
    sources: typing.Sequence[Source], read_one: typing.Callable[[Source], typing.Iterator[Record]], position: Position, skipped: Skipped
) -> typing.Iterator[tuple[Source, int, list[object]]]:
    """(source, line or row, values) of all rows, one source after another; those that are broken are in `skipped`."""
    position.before = 0
    for source in sources:
        for number, values in read_one(source):
            if isinstance(values, str):
                skipped.add(f"{source.rows_are_called()} {number}", values)
            else:
                yield source, number, values
        position.before += source.path.stat().st_size


def read(
    source: Source, wanted: typing.Sequence[str], position: Position, encoding: str | None, optional: typing.Collection[str] = ()
) -> typing.Iterator[Record]:
    """The rows with the values of the columns `wanted`. Where an object of JSON Lines lacks one that is `optional`, its value is None."""
    if source.kind == "parquet":
        return arrow.read_parquet(source.path, wanted, position)
    if source.kind == "arrow":
        return arrow.read_arrow(source.path, wanted, position)
    if source.kind == "json":
        return json_lines.read(source.path, wanted, position, encoding, optional)
    return tables.read(source.path, wanted, position, encoding)


def kind_of(path: pathlib.Path) -> str:
    """By the first bytes; by the name where these don't say."""
    start = start_of(path, 4096)
    if not start:
        raise InputError(f"{shown(path)}: expected {READ}, found an empty file")
    for first, what in _OTHERS.items():
        if start.startswith(first):
            raise InputError(f"{shown(path)}: expected {READ}, found {what}")
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "arrow"
    suffix = pathlib.Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix in (".parquet", ".arrow"):
        raise InputError(f"{shown(path)}: expected a {suffix[1:]} file, found one that begins with {start[:16]!r}. Get the file again")
    plain = start.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    is_json = suffix in (".jsonl", ".ndjson", ".json") or (plain.startswith(b"{") and suffix not in (".csv", ".tsv", ".tab"))
    return "json" if is_json else "table"


def _expanded(name: str, more: tuple[str, ...] = ()) -> list[tuple[pathlib.Path, str]]:
    """(file, the name by which its side is known) of a file, a glob or a folder."""
    path = pathlib.Path(name)
    if path.is_dir():
        return _of_folder(path, more)
    if path.is_file() or not glob.has_magic(name):
        if not path.exists():
            raise InputError(f"{shown(name)}: expected {READ}, found nothing there")
        return [(path, path.name)]
    found = sorted(pathlib.Path(file) for file in glob.glob(name, recursive=True))
    if not found:
        raise InputError(f"{shown(name)}: expected files, found none that match the glob")
    return [each for file in found for each in _expanded(str(file), more)]


def _of_folder(path: pathlib.Path, more: tuple[str, ...]) -> list[tuple[pathlib.Path, str]]:
    if (path / "dataset_dict.json").is_file():
        return _of_splits(path)
    if (path / "state.json").is_file():
        return [(file, path.name) for file in _arrow_files(path)]
    files = sorted(file for file in path.rglob("*") if file.is_file() and not any(part.startswith((".", "_")) for part in file.relative_to(path).parts))
    read = [file for file in files if file.name.lower().removesuffix(".gz").endswith(SUFFIXES)]
    kept = [file for file in read if file.name not in ("dataset_info.json", "dataset_infos.json")]
    kept = kept or [file for file in files if file.name.lower().removesuffix(".gz").endswith(more)]
    if not kept:
        there = f"{counted(len(files), 'file')}: {endings([file.name for file in files])}" if files else "no files"
        raise InputError(f"{shown(path)}: expected a folder with {READ}, found {there}")
    unread = len(files) - len(kept)
    if unread:
        note(f"{shown(path)}: {counted(unread, 'file')} {form(unread, 'is', 'are')} not read: {endings([file.name for file in files if file not in kept])}")
    return [(file, str(file.relative_to(path))) for file in kept]


def _of_splits(path: pathlib.Path) -> list[tuple[pathlib.Path, str]]:
    """The files of a Hugging Face DatasetDict, a folder a split."""
    names = _json(path / "dataset_dict.json").get("splits")
    if not isinstance(names, list) or not names:
        raise InputError(f"{shown(path / 'dataset_dict.json')}: expected the names of the splits, found none. Save the data set again")
    kept = [str(name) for name in names if side_words(str(name))] or [str(name) for name in names]
    if len(kept) < len(names):
        note(f"{shown(path)}: splits left out, whose names give no side: {', '.join(str(name) for name in names if str(name) not in kept)}")
    return [(file, name) for name in kept for file in _arrow_files(path / name)]


def _arrow_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files of a Hugging Face Dataset in their order."""
    try:
        files = [folder / entry["filename"] for entry in typing.cast(list[dict[str, str]], _json(folder / "state.json")["_data_files"])]
    except (KeyError, TypeError):
        raise InputError(f"{shown(folder / 'state.json')}: expected the names of the data set's files, found none. Save the data set again") from None
    missing = [file for file in files if not file.is_file()]
    if missing or not files:
        raise InputError(f"{shown(missing[0] if missing else folder)}: expected a file of the data set, found nothing there. Save the data set again")
    return files


def _json(path: pathlib.Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(path)}: expected JSON, but the file cannot be read: {error}") from None
    return found if isinstance(found, dict) else {}


def _with_sides(sources: list[Source], names: list[str]) -> list[Source]:
    """The sources with the sides that their names say; test files count, validation files only where there are none."""
    words = [side_words(name) for name in names]
    found = collections.Counter(word for each in words for word in each)
    if "train" not in found or len(found) < 2:
        return sources
    unclear = next((source for source, each in zip(sources, words, strict=True) if len(each) != 1), None)
    if unclear is not None:
        raise InputError(
            f"{shown(unclear.path)}: expected a name with one side (train, test or validation), as other files have. Rename the file, "
            "leave it out, or give --split or --test-share"
        )
    test = "test" if "test" in found else "val"
    side = {"train": TRAIN, test: TEST}
    taken = [source._replace(side=side[word]) for source, (word,) in zip(sources, words, strict=True) if word in side]
    note(f"the names of the sources give the sides: {counted(found['train'], 'training file')} and {counted(found[test], 'test file')}")
    if len(taken) < len(sources):
        left = ", ".join(shown(source.path) for source, (word,) in zip(sources, words, strict=True) if word not in side)
        note(f"validation files are left out, because there are test files: {left}")
    return taken


def total_size(sources: typing.Sequence[Source]) -> int:
    return sum(os.path.getsize(source.path) for source in sources)
