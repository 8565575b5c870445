"""What a source of images contains: where each sample's bytes are, its label, its side where the source says one."""

import collections
import gzip
import hashlib
import os
import pathlib
import re
import shutil
import typing
import zlib

from ...files import atomic
from .. import InputError
from ..pack_file import TEST, TRAIN

SIDES = {"train": TRAIN, "test": TEST, "val": TEST, "validation": TEST}
# Words that name sides in other people's data sets, and the name that is read as such.
_SIDE_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "eval", "evaluation"), "val"),
}
MOST_NAMED = 8  # endings in a note
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


Unpack: typing.TypeAlias = typing.Callable[[str], str]  # of a path, the path of an uncompressed file


class Sample(typing.NamedTuple):
    place: str  # what messages call it
    file: str
    label: str | int  # a class name, or an index; once classes are numbered, always an index
    side: int | None = None  # TRAIN, TEST, or None where the split is made by hash
    offset: int = 0
    size: int = -1  # bytes from the offset; -1: all of the file
    raw: tuple[int, int, int] | None = None  # [colours, height, width] of uint8 pixels; None: an image file


def index_of(sample: Sample) -> int:
    """The label of a sample whose classes are numbered."""
    assert isinstance(sample.label, int)
    return sample.label


class Listing(typing.NamedTuple):
    samples: list[Sample]
    names: list[str] | None  # class names by index, where the source knows them
    notes: list[str]  # what was found and not used
    sides: dict[str, int] = {}  # {word of SIDES: images}, where each image has such a word


def shown(path: str | pathlib.Path) -> str:
    """A path as text that prints everywhere, even where a file name is not UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")


def endings(names: typing.Iterable[str]) -> str:
    """How many names have which ending, the most frequent first: "3 .bmp, 1 without an ending"."""
    found = collections.Counter(os.path.splitext(name)[1].lower() or "without an ending" for name in names)
    listed = [f"{count} {shown(ending)}" for ending, count in found.most_common(MOST_NAMED)]
    return ", ".join(listed) + (f" and {len(found) - MOST_NAMED} other endings" if len(found) > MOST_NAMED else "")


def side_words(name: str) -> set[str]:
    """The sides, "train", "test" or "val", that a name seems to mean: of Testing/, seg_test/ and TestImages/ test."""
    words = re.split("[^a-z]+", re.sub("([a-z])([A-Z])", r"\1 \2", name).lower())
    return {side for word in words if (side := side_word(word))}


def side_word(name: str) -> str | None:
    """The side that a name means as a whole, "train", "test" or "val", or None: of Testing and test_set test."""
    return _SIDE_WORDS.get(re.sub("[^a-z]*(set|data|images|imgs)$", "", name.lower()))


def read_lines(path: str | pathlib.Path) -> list[str]:
    """The lines of a text file, stripped, without empty ones at the end."""
    try:
        return [line.strip() for line in pathlib.Path(path).read_text("utf-8-sig").rstrip().split("\n")]
    except (OSError, UnicodeError) as error:
        raise InputError(f"{shown(path)}: expected lines of UTF-8 text, but the file cannot be read: {error}") from None


def side_in_name(name: str) -> int | None:
    """TRAIN or TEST when a file name says so as a word (train-0001.tar), else None."""
    words = {word for word in re.split("[^a-z]+", name.lower()) if word in SIDES}
    return SIDES[words.pop()] if len(words) == 1 else None


def notes_on_tests(kinds: list[str]) -> list[str]:
    """[a note] where there are more than one kind of test images, as texts, else []."""
    if len(kinds) < 2:
        return []
    return [f"{' and '.join(kinds)} together are the test side; leave one kind out to test on the other"]


def uncompressed(path: str, scratch: str | pathlib.Path) -> str:
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
            raise InputError(f"{shown(path)}: expected a complete gzip file, but it is damaged: {error}. Get the file again") from None
    return str(copy)
