"""The columns of a source by their names."""

import difflib
import typing

from .. import InputError

MOST_LISTED = 40  # columns of a source in a message


def find_columns(place: str, found: typing.Sequence[str], wanted: typing.Sequence[str], remedy: str = "") -> list[int]:
    """Where `wanted` are among `found`: as written, or else whatever their case and the blanks around them.

    Raises InputError that lists the columns of the source.
    """
    plain = [_plain(name) for name in found]
    places = []
    for name in wanted:
        exact = [i for i, column in enumerate(found) if column == name] or [i for i, column in enumerate(plain) if column == _plain(name)]
        if len(exact) > 1:
            raise InputError(f"{place}: expected one column {name!r}, found {len(exact)} of them. Rename the others")
        if not exact:
            near = difflib.get_close_matches(_plain(name), plain, 1)
            meant = f" (did you mean {found[plain.index(near[0])]!r}?)" if near else ""
            raise InputError(f"{place}: expected a column {name!r}, found {list_columns(found)}{meant}{remedy}")
        places.append(exact[0])
    return places


def list_columns(names: typing.Sequence[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:MOST_LISTED])
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return f"the columns {shown}{more}" if names else "no columns"


def _plain(name: str) -> str:
    return name.strip().casefold()
