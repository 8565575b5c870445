"""Numbers and tables as text, the same on pages and in a terminal."""

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

Number = float | None


def fixed(value: Number, decimals: int) -> str:
    """ "-" for None. Never "-0.0"."""
    if value is None:
        return "-"
    text = f"{value:.{decimals}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def percent(share: Number, decimals: int = 1) -> str:
    return "-" if share is None else fixed(100 * share, decimals)


def short_number(value: Number) -> str:
    return "-" if value is None else f"{value or 0.0:.4g}"


def scientific(value: Number, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}e}"


def with_power(value: float) -> str:
    """ "1.5e-04"; "0" for 0."""
    digits, _, power = f"{value:.3e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.')}e{power}" if value else "0"


def grouped(value: int) -> str:
    return f"{value:,}"


def duration(seconds: float) -> str:
    """ "12:04", "1:12:04" or "3.2 days"."""
    if not math.isfinite(seconds) or seconds < 0:
        return "-:--"
    days = min(seconds, 3.6e9) / 86_400
    if days >= 2:
        return f"{days:.{1 if days < 9.95 else 0}f} days"
    minutes, rest = divmod(math.floor(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def shortest(value: float) -> str:
    """As few digits as identify a float, as configuration files have it: 1, 0.001, 1e-05."""
    return str(int(value)) if value == int(value) and abs(value) < 1e16 else repr(value)


def setting_text(value: Any) -> str:
    """A setting's value as a configuration file has it."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return shortest(value)
    return ",".join(map(setting_text, value)) if isinstance(value, list) else str(value)


def clean(text: str) -> str:
    """Without what no page may contain: control characters and halves of surrogate pairs become U+FFFD."""
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]", "\ufffd", text)


class Table(NamedTuple):
    heading: list[str]  # [] for none
    rows: list[list[str]]
    align: str  # "l" or "r" for each column


def text_table(table: Table, gap: int = 2) -> str:
    """Columns side by side, with spaces between them."""
    rows = [table.heading, *table.rows] if table.heading else table.rows
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.align))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) if side == "r" else cell.ljust(width) for cell, width, side in zip(row, widths, table.align, strict=True)]
        lines.append((" " * gap).join(cells).rstrip(" ") + "\n")
    return "".join(lines)


def wrap(text: str, width: int, indent: int) -> str:
    """Words in lines of at most `width`; the first one begins at `indent`, the others are indented by it."""
    lines: list[str] = []
    column = indent
    for word in filter(None, text.split(" ")):
        if not lines:
            lines.append(word)
            column += len(word)
        elif column + 1 + len(word) <= width:
            lines[-1] += f" {word}"
            column += 1 + len(word)
        else:
            lines.append(word)
            column = indent + len(word)
    return f"\n{' ' * indent}".join(lines)


def listed(items: Sequence[str]) -> str:
    """ "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""
