"""Types of command-line arguments. What doesn't fit is refused as wrong usage, by argparse."""

import argparse
import os


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, found {text!r}") from None


def count(text: str) -> int:
    value = _whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def natural(text: str) -> int:
    value = _whole(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to below 1, found {text!r}") from None
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share from 0 to below 1")
    return value


def sizes(text: str) -> list[int]:
    """Numbers of classes, separated by commas."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"expected N or N,N,..., found {text!r}")
    return [count(part) for part in parts]


def path(text: str) -> str:
    """A path; ~ at its beginning is the home folder, which a shell leaves alone after = and in quotes."""
    if not text:
        raise argparse.ArgumentTypeError("expected a path, found an empty text")
    return os.path.expanduser(text)


def output_file(text: str) -> str:
    """The path of a file to write, which may be there already."""
    found = path(text)
    if os.path.isdir(found):
        raise argparse.ArgumentTypeError(f"expected a file, found the folder {found.rstrip('/')}/")
    return found


def title(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is no name on one line")
    return text
