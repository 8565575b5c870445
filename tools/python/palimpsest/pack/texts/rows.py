"""A row of a source of texts: what is read, what is refused as broken, and the list of those that are skipped."""

import collections
import math
import sys
import typing

from ...counted import counted
from .. import InputError
from ..notes import note
from ..pack_file import TEST, TRAIN

MOST_LISTED = 100  # skipped rows, by their place
LONGEST_LABEL = 500  # characters
UNLABELLED = "unlabelled"  # the class of texts without labels
_SIDES = {"train": TRAIN, "training": TRAIN, "test": TEST, "val": TEST, "valid": TEST, "validation": TEST, "dev": TEST}


class Row(typing.NamedTuple):
    head: str  # with `number`, what messages call it: "a.csv, line" and 12
    number: int | str
    text: str | tuple[str, str]
    label: str
    side: int | None  # TRAIN, TEST, or None where the split is made by hash
    group: str | None = None  # rows of one group are on one side of a split by hash; None: rows of one text

    @property
    def place(self) -> str:
        return f"{self.head} {self.number}"


class Columns(typing.NamedTuple):
    """Names of the columns of a source; those that are None aren't used."""

    texts: tuple[str, ...]  # one, or two that the tokenizer takes as a pair
    label: str | None  # None: all texts are UNLABELLED
    split: str | None = None
    domain: str | None = None
    group: str | None = None

    def names(self) -> list[str]:
        return [*self.texts, *(name for name in (self.label, self.split, self.domain, self.group) if name is not None)]


class Broken(Exception):
    """A row can't be used; the text is the reason."""


class Skipped:
    """Lists broken rows on stderr, the first MOST_LISTED by their place, and counts them; with `strict` the first is an error."""

    def __init__(self, strict: bool = False) -> None:
        self._strict = strict
        self.count = 0
        self.sides: collections.Counter[str] = collections.Counter()  # rows by the word of their split

    def add(self, place: str, reason: str) -> None:
        if self._strict:
            raise InputError(f"{place}: {reason}. Repair or delete the row, or skip it by leaving --strict out")
        self._list(f"skipped {place}: {reason}")

    def note(self, rows: int) -> None:
        """A note on how many of so many rows are skipped."""
        if self.count:
            more = "; --strict stops at the first" if self.count > MOST_LISTED else ""
            note(f"{self.count} of {counted(rows, 'row')} skipped, {self._listed()}{more}")

    def _list(self, text: str) -> None:
        self.count += 1
        if self.count <= MOST_LISTED:
            print(f"palimpsest pack: {text}", file=sys.stderr)

    def _listed(self) -> str:
        return "as listed above" if self.count <= MOST_LISTED else f"of which the first {MOST_LISTED} are listed above"


class Unusable(Skipped):
    """Lists broken rows, of which note() makes one error: none may be skipped."""

    def add(self, place: str, reason: str) -> None:
        self._list(f"{place}: {reason}")

    def note(self, rows: int) -> None:
        if self.count:
            raise InputError(
                f"{self.count} of {counted(rows, 'row')} cannot be packed, {self._listed()}. With --unlabelled, sample n must be row n: "
                "repair or delete these rows"
            )


def make_row(head: str, number: int, values: typing.Sequence[object], columns: Columns, side: int | None, words: collections.Counter[str]) -> Row:
    """The row of the values of `columns.names()`. `words` counts the words of the column of sides. Raises Broken."""
    found = dict(zip(columns.names(), values, strict=True))
    texts = tuple(_text(found[name], name) for name in columns.texts)
    label = UNLABELLED if columns.label is None else label_of(found[columns.label], columns.label)
    if columns.domain is not None:
        domain = label_of(found[columns.domain], columns.domain)
        if "/" in domain:
            raise Broken(f"expected a domain without a slash, found {domain!r}; classes are named DOMAIN/LABEL")
        label = f"{domain}/{label}"
    if columns.split is not None:
        side = side_of(found[columns.split], columns.split, words)
    group = None if columns.group is None or is_missing(found[columns.group]) else label_of(found[columns.group], columns.group)
    return Row(head, number, texts[0] if len(texts) == 1 else (texts[0], texts[1]), label, side, group)


def side_of(value: object, column: str, words: collections.Counter[str]) -> int:
    """TRAIN or TEST, as the word in the column of sides says. `words` counts the words."""
    word = label_of(value, column).lower()
    if word not in _SIDES:
        raise Broken(f"column {column!r}: expected one of {', '.join(_SIDES)}, found {word!r}")
    words[word] += 1
    return _SIDES[word]


def note_kinds_of_tests(words: collections.Counter[str], noun: str) -> None:
    """A note where the words that side_of() has counted say several kinds of tests."""
    tests = [f"{counted(number, noun)} of {word}" for word, number in words.items() if word not in ("train", "training")]
    if len(tests) > 1:
        note(f"{' and '.join(tests)} together are the test side; leave one kind out to test on the other")


def is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or (isinstance(value, str) and value.strip().lower() in ("", "nan"))


def _text(value: object, column: str) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise Broken(f"column {column!r}: expected a text, found none")
    if not isinstance(value, str):
        raise Broken(f"column {column!r}: expected a text, found {shorten(repr(value))}")
    return check_characters(value.strip(), column, "a text")


def label_of(value: object, column: str) -> str:
    """A name, of a text or a number. Raises Broken."""
    if is_missing(value):
        raise Broken(f"column {column!r}: expected a value, found {'none' if value is None else repr(value)}")
    if isinstance(value, bool):
        raise Broken(f"column {column!r}: expected a text or a number, found {str(value).lower()} without quotes; write a name instead, such as yes or no")
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # so pandas writes whole numbers in a column where some are missing
    if not isinstance(value, str | int | float):
        raise Broken(f"column {column!r}: expected a text or a number, found {shorten(repr(value))}")
    label = check_characters(str(value).strip(), column, "a value")
    if len(label) > LONGEST_LABEL:
        raise Broken(f"column {column!r}: expected a name of at most {LONGEST_LABEL} characters, found {len(label)}: {shorten(label)}")
    return label


def check_characters(text: str, column: str, what: str) -> str:
    """The text. Raises Broken where it is empty, or no pack can contain it."""
    if not text:
        raise Broken(f"column {column!r}: expected {what}, found only blanks")
    if "\0" in text:
        raise Broken(f"column {column!r}: expected {what}, found a NUL character in it")
    check_surrogates(text, f"column {column!r}", what)
    return text


def check_surrogates(text: str, place: str, what: str) -> None:
    """Raises Broken for a text that UTF-8 can't have."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Broken(f"{place}: expected {what}, found a lone surrogate, {ascii(text[error.start])}, which is not a character") from None


def shorten(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[:most]}..."
