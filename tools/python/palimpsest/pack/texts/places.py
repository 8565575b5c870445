"""Where rows are in their sources, in 8 bytes a row."""

import array

import numpy as np

from ...counted import counted
from ..arrays import Bools, Ints

MOST_NAMED = 3  # rows in a message
_NUMBER = 1 << 40  # above any number of a row


class Places:
    """The places of rows whose numbers are such; of others nothing is known."""

    def __init__(self, heads: dict[str, int] | None = None, rows: Ints | None = None) -> None:
        self._heads = heads or {}
        self._rows = array.array("q", b"" if rows is None else rows.tobytes())

    def append(self, head: str, number: int | str) -> None:
        """A row, as messages call it: "a.csv, line" and 12."""
        self._rows.append(self._heads.setdefault(head, len(self._heads)) * _NUMBER + (number if isinstance(number, int) else 0))

    def at(self, chosen: Ints | Bools) -> "Places":
        return Places(self._heads, np.frombuffer(self._rows, "<i8")[chosen])

    def named(self, chosen: Ints) -> str:
        """A few of these rows: "lines 12, 40 and 3 more", with their files where there are several."""
        heads = list(self._heads)
        found = [divmod(self._rows[row], _NUMBER) for row in chosen[:MOST_NAMED].tolist()]
        if len(heads) == 1:
            unit = counted(len(chosen), heads[0].rpartition(", ")[2]).partition(" ")[2]
            listed = f"{unit} {', '.join(str(number) for _, number in found)}"
        else:
            listed = "; ".join(f"{heads[head]} {number}" for head, number in found)
        return listed + (f" and {len(chosen) - MOST_NAMED} more" if len(chosen) > MOST_NAMED else "")
