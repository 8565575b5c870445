"""A folder of image files as a tree, and a tally of all else that is in it.

Files of other types, hidden and system files, broken links, pipes and links to a folder above are left out and counted in
notes. A folder that can't be read is refused by name.
"""

import collections
import os
import pathlib
import typing

from ...counted import form
from .. import InputError
from .listing import SUFFIXES, endings, shown

SYSTEM = ("__MACOSX", "@eaDir")  # folders that archives of macOS and Synology's index bring along
# What is left out: one of it, and several.
OTHER_TYPE = (f"file left out that doesn't end in {' '.join(SUFFIXES)}", f"files left out that don't end in {' '.join(SUFFIXES)}")
BESIDE = "image left out that lies beside the class folders", "images left out that lie beside the class folders"
_LOOP = "link to a folder above left out", "links to a folder above left out"
_HIDDEN = "hidden or system file or folder left out", "hidden or system files and folders left out"
_DEVICE = "pipe, socket or device left out", "pipes, sockets or devices left out"
_DEAD = "link that leads nowhere left out", "links that lead nowhere left out"


class Folder(typing.NamedTuple):
    path: str
    images: list[str]  # paths, in the byte order of their names
    folders: "list[Folder]"  # Folders, in the same order
    total: int  # images in it and in all folders below

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    @property
    def filled(self) -> list["Folder"]:
        """Its folders that contain images, themselves or further down."""
        return [folder for folder in self.folders if folder.total]

    def all_images(self) -> list[str]:
        return [*self.images, *(image for folder in self.folders for image in folder.all_images())]

    def walk(self) -> typing.Iterator["Folder"]:
        """This folder and all below."""
        yield self
        for folder in self.folders:
            yield from folder.walk()


class Tally:
    """What was left out, by kind."""

    def __init__(self) -> None:
        self._paths: dict[tuple[str, str], list[str]] = collections.defaultdict(list)

    def add(self, kind: tuple[str, str], *paths: str) -> None:
        self._paths[kind] += paths

    def notes(self, root: str) -> typing.Iterator[str]:
        for kind, paths in self._paths.items():
            types = f": {endings(paths)}" if kind == OTHER_TYPE else ""
            if paths:
                yield f"{shown(root)}: {len(paths)} {form(len(paths), *kind)}, such as {shown(paths[0])}{types}"


def scan(root: str | pathlib.Path, tally: Tally) -> Folder:
    """The Folder `root`; what is no image is added to the tally."""
    return _scan(str(root), tally, ())


def _scan(path: str, tally: Tally, above: tuple[str, ...]) -> Folder:
    real = os.path.realpath(path)
    if real in above:
        tally.add(_LOOP, path)
        return Folder(path, [], [], 0)
    images, folders = [], []
    for entry in _entries(path):
        if entry.name.startswith(".") or entry.name in SYSTEM:
            tally.add(_HIDDEN, entry.path)
        elif _is(entry.is_dir):
            folders.append(_scan(entry.path, tally, (*above, real)))
        elif not _is(entry.is_file) and os.path.exists(entry.path):
            tally.add(_DEVICE, entry.path)
        elif entry.name.lower().endswith(SUFFIXES):
            images.append(entry.path)  # a broken link, too: it is skipped and listed
        elif _is(entry.is_file):
            tally.add(OTHER_TYPE, entry.path)
        else:
            tally.add(_DEAD, entry.path)
    return Folder(path, images, folders, len(images) + sum(folder.total for folder in folders))


def _is(asked: typing.Callable[[], bool]) -> bool:
    try:
        return asked()
    except OSError:  # links in a circle
        return False


def _entries(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        raise InputError(f"{shown(path)}: the folder cannot be read: {error.strerror}. Change its permissions, or move it away") from None
