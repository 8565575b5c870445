"""What a reader of a source gives."""

import dataclasses
import typing

Record: typing.TypeAlias = tuple[int, list[object] | str]  # (line or row, counted from 1; its values, or why it is broken)


@dataclasses.dataclass
class Position:
    """How much is read, in bytes: of the file that is read, which its reader writes now and then, and of the files before it."""

    done: int = 0
    before: int = 0

    def total(self) -> int:
        return self.before + self.done
