"""Contrast by WCAG AA: 4.5 for text, 3 for lines and areas, in both schemes."""

import pytest
from palimpsest.pages.palette import DARK, LIGHT, MOST_NEGATIVE, SERIES, text_role

SCHEMES = pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])


def blend(over, under, opacity):
    """The colour that is seen."""
    channels = (round(opacity * int(over[i : i + 2], 16) + (1 - opacity) * int(under[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def contrast(one, other):
    """The ratio of WCAG 2, from 1 to 21."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(colour):
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_ratio_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@SCHEMES
def test_text(scheme):
    assert min(contrast(scheme[role], scheme["paper"]) for role in ("ink", "quiet", "accent")) >= 4.5


@SCHEMES
def test_lines_and_areas(scheme):
    assert min(contrast(scheme[role], scheme["paper"]) for role in (*SERIES, "heat", "quiet")) >= 3


@SCHEMES
def test_numbers_in_cells(scheme):
    for step in range(1001):
        opacity = step / 1000
        assert contrast(blend(scheme["heat"], scheme["paper"], opacity), scheme[text_role(opacity)]) >= 4.5
        if opacity <= MOST_NEGATIVE:
            assert contrast(blend(scheme["second"], scheme["paper"], opacity), scheme["on-faint"]) >= 4.5


def test_light_colours_are_all_different():
    assert len(set(LIGHT.values())) == len(LIGHT) and LIGHT.keys() == DARK.keys()
    assert "#000000" not in LIGHT.values()
