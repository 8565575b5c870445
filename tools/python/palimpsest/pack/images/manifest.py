"""A CSV (or TSV) manifest: columns path, label and, where the split is known, split.

A row that doesn't fit the first line, an unknown side and bytes that aren't text are refused by line. A separator or a
column that is taken in another's place, and columns that are not read, are named in notes. Blank lines are passed over.
"""

import codecs
import csv
import io
import os
import typing

from ...counted import counted, form
from .. import InputError
from ..notes import note
from .listing import SIDES, Listing, Sample, shown

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SIDES_PERHAPS = {"set", "subset", "partition", "fold", "phase", "usage", "mode", "is_test", "is_train", "is_training", "is_valid"}
LONGEST_SHOWN = 200  # characters of a line


def read(path: str) -> Listing:
    """The samples of a manifest; its paths are relative to its folder."""
    text = _text(path)
    separator, columns, names = _header(path, text)
    rows = list(_rows(path, text, separator, names))
    places = {column: names.index(column) for column in ("path", "label")}
    sides = _side_column(path, names, rows, set(places.values()))
    unread = [shown(repr(column)) for i, column in enumerate(columns) if i not in (*places.values(), sides)]
    if unread:
        perhaps = "; sides are read from a column split" if SIDES_PERHAPS & set(names) and sides is None else ""
        note(f"{shown(path)}: columns not read: {', '.join(unread)}{perhaps}")
    return _listing(path, rows, places, sides)


def _text(path: str) -> str:
    """The file as text, in which bytes that are not UTF-8 stay as they are."""
    with open(path, "rb") as file:
        data = file.read()
    for mark, name in ((codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16")):
        if data.startswith(mark):
            raise InputError(f"{shown(path)}: expected UTF-8, found {name}. Save it as CSV in UTF-8")
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise InputError(f"{shown(path)}, line {line}: expected text in UTF-8, found a NUL byte. Save the file as CSV in UTF-8")
    return data.decode("utf-8-sig", "surrogateescape")


def _lines(path: str, text: str, separator: str) -> typing.Iterator[tuple[int, list[str]]]:
    """(number of its first line, fields) of every row that isn't blank."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    while True:
        line = rows.line_num + 1
        try:
            fields = next(rows, None)
        except csv.Error as error:
            raise InputError(
                f"{shown(path)}, line {line}: expected CSV, found {error}. Put a field with a quote, a line break or "
                f'a separator in quotes, and write a quote in it twice: "a ""b"", c"'
            ) from None
        if fields is None:
            return
        if fields:
            yield line, fields


def _header(path: str, text: str) -> tuple[str, list[str], list[str]]:
    """(separator, columns as written, columns in small letters without blanks around)."""
    usual = "\t" if str(path).lower().endswith(".tsv") else ","
    first = ""
    for separator in (usual, *SEPARATORS):
        try:
            _, columns = next(_lines(path, text, separator), (0, []))
        except InputError:
            continue  # quotes end elsewhere with another separator
        names = [column.strip().lower() for column in columns]
        if {"path", "label"} <= set(names):
            break
        first = first or separator.join(columns)
    else:
        data = ". The first line must name the columns" if first else ""
        raise InputError(f"{shown(path)}, line 1: expected the columns path,label or path,label,split, found {_cut(first) or 'an empty file'}{data}")
    for name in ("path", "label", "split"):
        if names.count(name) > 1:
            twice = ", ".join(repr(shown(column)) for column in columns if column.strip().lower() == name)
            raise InputError(f"{shown(path)}, line 1: expected one column {name}, found {twice}. Rename the others")
    if separator != usual:
        note(f"{shown(path)}: fields are separated by {SEPARATORS[separator]}, not by {SEPARATORS[usual]}")
    return separator, columns, names


def _rows(path: str, text: str, separator: str, names: list[str]) -> typing.Iterator[tuple[int, list[str]]]:
    """(line, fields) after the first line, each with as many fields as columns."""
    lines = _lines(path, text, separator)
    next(lines)
    for line, fields in lines:
        if len(fields) != len(names):
            remedy = (
                f'Put a field that contains {separator!r} in quotes: "a{separator} b"'
                if len(fields) > len(names)
                else "Add the missing fields, or delete the line"
            )
            raise InputError(
                f"{shown(path)}, line {line}: expected {counted(len(names), 'field')}, one per column of line 1, found {len(fields)}: "
                f"{_cut(separator.join(fields))}. {remedy}"
            )
        yield line, fields


def _cut(text: str) -> str:
    return shown(text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "...")


def _side_column(path: str, names: list[str], rows: list[tuple[int, list[str]]], taken: set[int]) -> int | None:
    """The position of the column with the sides: split, or else the only one that has nothing but sides; or None."""
    if "split" in names:
        return names.index("split")
    free = [i for i in range(len(names)) if i not in taken]
    found = [i for i in free if rows and all(_word(fields[i]) in SIDES for _, fields in rows)]
    if len(found) > 1:
        both = ", ".join(repr(shown(names[i])) for i in found)
        raise InputError(f"{shown(path)}, line 1: expected one column with sides, found {both}. Rename the right one to split")
    if found:
        note(f"{shown(path)}: the column {shown(names[found[0]])!r} contains sides and is read as split")
    return found[0] if found else None


def _word(text: str) -> str:
    return text.strip().lower()


def _listing(path: str, rows: list[tuple[int, list[str]]], places: dict[str, int], sides: int | None) -> Listing:
    folder = os.path.dirname(os.path.abspath(path))
    samples: list[Sample] = []
    first: dict[str, tuple[int, str]] = {}
    words: dict[str, int] = {}
    repeated = 0
    for line, fields in rows:
        place = f"{shown(path)}, line {line}"
        name, label = (fields[places[column]] for column in ("path", "label"))
        if not name.strip() or not label.strip():
            raise InputError(f"{place}: expected a path and a label, found an empty field")
        side = None
        if sides is not None:
            word = _word(fields[sides])
            if word not in SIDES:
                raise InputError(f"{place}: expected one of {', '.join(SIDES)} as split, found {shown(fields[sides])!r}")
            words[word] = words.get(word, 0) + 1
            side = SIDES[word]
        file = os.path.join(folder, name)
        before = first.setdefault(os.path.normpath(file), (line, label.strip()))
        if before[1] != label.strip():
            raise InputError(
                f"{place}: {shown(name)}: expected one label for a file, found {shown(label)!r} here and "
                f"{shown(before[1])!r} in line {before[0]}. Several labels for one image are not supported"
            )
        repeated += before[0] != line
        samples.append(Sample(f"{place}: {shown(name)}", file, label, side))
    _expect_a_file(path, samples)
    notes = (
        [f"{shown(path)}: {counted(repeated, 'row')} {form(repeated, 'names', 'name')} a file of an earlier row; each is a separate image"] if repeated else []
    )
    return Listing(samples, None, notes, words)


def _expect_a_file(path: str, samples: list[Sample]) -> None:
    """Refuses a manifest none of whose files is there: its paths are meant otherwise."""
    if not samples or any(os.path.exists(sample.file) for sample in samples):
        return
    sample = samples[0]
    raise InputError(
        f"{sample.place}: expected an image file, found nothing at {shown(sample.file)} or at any other of the {len(samples)} paths. "
        f"Paths must be absolute or relative to the folder of {shown(os.path.basename(path))}, with / between folders; ~ and "
        "addresses (https://) are not supported"
    )
