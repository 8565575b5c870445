"""The colours of pages and figures, by role.

Figures are drawn in the light scheme's colours. In a page each of these is replaced by a CSS variable of the role's name, so that the
page's scheme decides. All light colours therefore differ from each other, and none is #000000, which matplotlib leaves out.
"""

import re

LIGHT = {
    "ink": "#1c1d1f",
    "quiet": "#5f6368",
    "paper": "#ffffff",
    "rule": "#dadce0",
    "accent": "#0072b2",
    "second": "#cf5a00",
    "third": "#007a5a",
    "fourth": "#9c5587",
    "heat": "#0b4f8a",
    "on-faint": "#000001",
    "on-middle": "#000002",
    "on-strong": "#fefefe",
}
DARK = {
    "ink": "#e6e4e0",
    "quiet": "#a5a8ad",
    "paper": "#15171a",
    "rule": "#3a3e44",
    "accent": "#56b4e9",
    "second": "#e69f00",
    "third": "#35c9a0",
    "fourth": "#d893be",
    "heat": "#6cbdee",
    "on-faint": "#ffffff",
    "on-middle": "#000000",
    "on-strong": "#000000",
}
SERIES = ("accent", "second", "third", "fourth")
# Text on `heat` over `paper` can be read in black and in white at one opacity alone, which is another in each scheme: text turns at the dark one's
# from on-faint to on-middle, and at the light one's from on-middle to on-strong.
DARK_TURNS, LIGHT_TURNS = 0.60, 0.756
# Negative cells are `second` over `paper`, never stronger than this, so that their text is on-faint.
MOST_NEGATIVE = 0.6


def css_variables(scheme: dict[str, str]) -> str:
    return "".join(f"--{role}:{colour};" for role, colour in scheme.items())


def in_css(markup: str) -> str:
    """The light scheme's colours, as matplotlib writes them, as variables."""
    roles = {colour: role for role, colour in LIGHT.items()}
    return re.sub(r"#[0-9a-f]{6}\b", lambda match: f"var(--{roles[match[0]]})" if match[0] in roles else match[0], markup)


def cell_opacity(share: float) -> float:
    """Of a heat map's cell: share 0 is the least value, which stays visible, share 1 the greatest."""
    return min(max(0.06 + 0.94 * share, 0.0), 1.0)


def text_role(opacity: float) -> str:
    return "on-faint" if opacity <= DARK_TURNS else "on-middle" if opacity <= LIGHT_TURNS else "on-strong"
