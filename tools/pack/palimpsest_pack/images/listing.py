"""What a source of images holds: where each sample's bytes are, its label, its side where the source says one."""

import gzip
import hashlib
import os
import pathlib
import re
import shutil
import typing
import zlib

from .. import InputError
from ..files import atomic
from ..pack_file import TEST, TRAIN

SIDES = {"train": TRAIN, "test": TEST, "val": TEST, "validation": TEST}
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


class Sample(typing.NamedTuple):
    place: str  # what messages call it
    file: str
    label: str | int  # a class name, or an index; once classes are numbered, always an index
    side: int | None = None  # TRAIN, TEST, or None where the split is made by hash
    offset: int = 0
    size: int = -1  # bytes from the offset; -1: all of the file
    raw: tuple | None = None  # [colours, height, width] of uint8 pixels; None: an image file


class Listing(typing.NamedTuple):
    samples: list
    names: list | None  # class names by index, where the source knows them
    notes: list  # what was found and not used
    sides: dict = {}  # {word of SIDES: how often the source says it}, where the words come from names that it gives


def shown(path):
    """A path as text that prints everywhere, even where a file name is not UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")


def read_lines(path):
    """The lines of a text file, stripped, without empty ones at the end."""
    try:
        return [line.strip() for line in pathlib.Path(path).read_text("utf-8-sig").rstrip().split("\n")]
    except (OSError, UnicodeError) as error:
        raise InputError(f"{shown(path)}: expected lines of UTF-8 text, found {error}") from None


def side_word(name):
    """The word of SIDES that a file name has (train-0001.tar), when it has one of them, else None."""
    words = {word for word in re.split("[^a-z]+", name.lower()) if word in SIDES}
    return words.pop() if len(words) == 1 else None


def side_in_name(name):
    """TRAIN or TEST when a file name says so as a word, else None."""
    return SIDES.get(side_word(name))


def notes_on_sides(counts):
    """[a note] where more than one word means the test side, else []; `counts`: {word of SIDES: how often}."""
    tests = [f"{count} of {word}" for word, count in counts.items() if SIDES[word] == TEST]
    if len(tests) < 2:
        return []
    return [f"{' and '.join(tests)} are test images together: a pack has two sides, train and test"]


def uncompressed(path, scratch):
    """`path`, or for a gzip file an unpacked copy in the folder `scratch`, which an earlier call may have left."""
    with open(path, "rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return str(path)
    status = os.stat(path)
    key = f"{os.path.abspath(path)}\0{status.st_size}\0{status.st_mtime_ns}"
    copy = pathlib.Path(scratch) / f"unpacked-{hashlib.sha256(os.fsencode(key)).hexdigest()[:16]}"
    if not copy.exists():
        try:
            with gzip.open(path) as packed, atomic(copy) as temporary, open(temporary, "wb") as out:
                shutil.copyfileobj(packed, out, 1 << 20)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(
                f"{shown(path)}: expected a whole gzip file, found damage: {error}. Get the file again"
            ) from None
    return str(copy)
