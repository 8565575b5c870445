"""Types of command-line arguments. argparse rejects values that don't fit as wrong usage."""

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
        raise argparse.ArgumentTypeError(f"expected a positive number, found {text}")
    return value


def natural(text: str) -> int:
    value = _whole(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected 0 or more, found {text}")
    return value


def share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0 and less than 1, found {text!r}") from None
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0 and less than 1, found {text}")
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
        raise argparse.ArgumentTypeError("expected a path, found an empty string")
    return os.path.expanduser(text)


def output_file(text: str) -> str:
    """The path of a file to write, which may be there already."""
    found = path(text)
    if os.path.isdir(found):
        raise argparse.ArgumentTypeError(f"expected a file, found the folder {found.rstrip('/')}/")
    if os.path.exists(found) and not _is_written_by_pack(found):
        raise argparse.ArgumentTypeError(f"{found} is a file of another kind, and is not overwritten. Give another file")
    return found


def _is_written_by_pack(file: str) -> bool:
    """Whether a file is empty, HDF5, or a protocol."""
    with open(file, "rb") as opened:
        beginning = opened.read(200)
    return not beginning or beginning.startswith(b"\x89HDF") or b'"palimpsest_type": "protocol"' in beginning


def title(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError(f"expected a name on one line, found {text!r}")
    return text
