"""The line that says how far a long piece of work is."""

import io

import pytest
from palimpsest.pack import progress


@pytest.fixture
def line(monkeypatch):
    """line(what, total, done, seconds): what is said after so many seconds."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])

    def said(what, total, done, seconds, first=0):
        clock[0] = 0.0
        stream = io.StringIO()
        with progress.Progress(what, total, first, stream) as bar:
            clock[0] = seconds
            bar.move(done)
        return stream.getvalue()

    return said


@pytest.mark.parametrize(
    "done, seconds, expected",
    [
        (14, 20, "14 of 68 MB, 0.7 MB/s, 1:17 left"),
        (14, 4000, "14 of 68 MB, 0.0035 MB/s, 4:17:09 left"),
        (40, 16, "40 of 68 MB, 2.5 MB/s, 0:11 left"),
        (68, 17, "68 of 68 MB, 4 MB/s, 0:00 left"),
        (0, 16, "0 of 68 MB"),
    ],
)
def test_a_rate_has_a_unit_and_the_time_is_minutes_and_seconds(line, done, seconds, expected):
    assert line("MB", 68, done, seconds) == f"palimpsest pack: {expected}\n"


def test_images_are_counted_from_where_an_earlier_call_ended(line):
    assert line("images", 1000, 700, 20, first=300) == "palimpsest pack: 700 of 1000 images, 20 images/s, 0:15 left\n"


def test_nothing_is_said_too_soon(line):
    assert line("images", 1000, 700, 14) == ""
