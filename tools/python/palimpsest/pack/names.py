"""Class names as a reader sees them.

A name that can't be printed, and two that can't be distinguished, are refused with their bytes; names that look alike and
may be meant so are named in a note with their bytes.
"""

import collections
import re
import typing
import unicodedata

from . import InputError
from .notes import note

_UNPRINTABLE = {"Cc", "Zl", "Zp"}  # categories of Unicode: control characters, separators of lines and paragraphs
# Characters that choose between two drawings of another, and empty ones that are no blanks to Unicode.
_INVISIBLE = re.compile("[\ufe00-\ufe0f\u180b-\u180f\u034f\u2800\u3164\uffa0\u115f\u1160]")
# Cyrillic and Greek letters, dashes and quotes, by what they look like.
_LOOKS = str.maketrans("аеорсухіјѕһԁοναιυ‐‑‒–—−‘’ʼ", "aeopcyxijshdovaiu" + 6 * "-" + 3 * "'")


def with_bytes(name: str) -> str:
    """A name in quotes, and its bytes where it isn't plain ASCII."""
    return f"{name!r}" if name.isascii() else f"{name!r} (bytes {name.encode('utf-8', 'surrogateescape')!r})"


def check_names(names: list[str]) -> None:
    """Raises InputError for a name that is empty or can't be printed, and for two that can't be distinguished."""
    name, times = collections.Counter(names).most_common(1)[0]
    if times > 1:
        raise InputError(f"expected every class name once, found {with_bytes(name)} twice")
    for name in names:
        if not name.strip():
            raise InputError(f"class {with_bytes(name)}: expected a name, found only blanks. Rename it")
        try:
            name.encode()
        except UnicodeError:
            raise InputError(f"class {_replaced(name)}: expected a name in UTF-8, found bytes that are not UTF-8, {with_bytes(name)}. Rename it") from None
        if any(unicodedata.category(letter) in _UNPRINTABLE for letter in name):
            raise InputError(f"class {with_bytes(name)}: expected a name on one line, found a line break or a control character. Rename it")
    for first, second in _twins(names, _seen):
        raise InputError(
            f"classes {with_bytes(first)} and {with_bytes(second)}: expected names that a reader can distinguish, found "
            "two that differ only in blanks at their ends, invisible characters or the Unicode form (NFC, NFD). "
            "If they are one class, write them the same way; otherwise rename one"
        )


def note_odd_names(names: list[str]) -> None:
    """Notes on names that may be meant: they differ in case alone, say, or end in a blank."""
    for first, second in _twins(names, _alike):
        note(
            f"classes {with_bytes(first)} and {with_bytes(second)} look alike: they differ in case, in blanks or in "
            "characters that look the same. They stay two classes"
        )
    odd = [with_bytes(name) for name in names if name != name.strip() or name != _without_invisible(name)]
    if odd:
        note(f"class names with blanks at their ends or with invisible characters: {', '.join(odd)}")


def _twins(names: list[str], key: typing.Callable[[str], str]) -> list[tuple[str, str]]:
    """Pairs of different names with one key."""
    first: dict[str, str] = {}
    return [(first[key(name)], name) for name in names if first.setdefault(key(name), name) != name]


def _seen(name: str) -> str:
    """What is on the screen."""
    return unicodedata.normalize("NFC", _without_invisible(name)).strip()


def _alike(name: str) -> str:
    """A text that names which look alike have in common."""
    return " ".join(unicodedata.normalize("NFKC", _seen(name)).casefold().translate(_LOOKS).split())


def _without_invisible(name: str) -> str:
    return "".join(letter for letter in _INVISIBLE.sub("", name) if unicodedata.category(letter) != "Cf")


def _replaced(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
