"""Files that take their place in one step: who reads them sees the old or the new one, never a part."""

import os
from collections.abc import Sequence

from ..files import atomic
from .draw import Figure
from .svg import png_file, svg_file


class NoPlace(Exception):
    """An option names a place where nothing can be written: wrong usage."""


def write_file(path: str, content: str | bytes) -> None:
    """Makes missing folders above it. Raises OSError that names `path`; what was there stays then."""
    try:
        with atomic(path) as temporary:
            temporary.write_bytes(content if isinstance(content, bytes) else content.encode())
    except OSError as error:
        raise OSError(f"{path}: the file cannot be written: {error.strerror}") from None


def check_places(file: str, folder: str) -> None:
    """Raises NoPlace where `file` can't be a file or `folder` no folder; "" is none. Writes nothing."""
    if file and (os.path.isdir(file) or file.endswith(os.sep)):
        raise NoPlace(f"--out: expected the name of a file, found the folder {file}. Give a name in it, such as {os.path.join(file, 'report.html')}")
    if file and os.path.isfile(file) and not _is_page(file):
        raise NoPlace(f"--out: {file} is a file of another kind, and is not overwritten. Give another file")
    if folder and os.path.exists(folder) and not os.path.isdir(folder):
        raise NoPlace(f"--figures: expected a folder, found the file {folder}. Give a folder; a missing one is created")
    for option, path in (("--out", os.path.dirname(os.path.abspath(file)) if file else ""), ("--figures", folder)):
        if (there := _nearest(path)) and not os.path.isdir(there):
            raise NoPlace(f"{option}: expected only folders above the path, found the file {there}. Give another path")


def _is_page(file: str) -> bool:
    """Whether a file is empty or HTML."""
    with open(file, "rb") as opened:
        beginning = opened.read(200).strip().lower()
    return not beginning or beginning.startswith(b"<!doctype html")


def _nearest(path: str) -> str:
    """What is there of a path: itself, or the nearest above it."""
    while path and not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


def write_figures(folder: str, figures: Sequence[Figure]) -> None:
    """Each as NAME.svg and NAME.png, in the colours of the light scheme; nothing where no folder is given."""
    if not folder:
        return
    os.makedirs(folder, exist_ok=True)
    for figure in figures:
        write_file(os.path.join(folder, f"{figure.name}.svg"), svg_file(figure.drawing))
        write_file(os.path.join(folder, f"{figure.name}.png"), png_file(figure.drawing))
