"""Folders of image files: train/CLASS/* and test/CLASS/*, or CLASS/* with a split by hash."""

import os
import pathlib

from .. import InputError
from ..pack_file import TEST, TRAIN
from .listing import SUFFIXES, Listing, Sample, shown


def read(root, leaf_folders):
    """The samples of one folder. With `leaf_folders`, every folder that holds images is a class, named by its path."""
    samples, names, other = [], set(), []
    sides, notes = _sides(pathlib.Path(root))
    for folder, side in sides:
        for name, files in _classes(folder, leaf_folders, other).items():
            names.add(name)
            samples += [Sample(shown(file), file, name, side) for file in files]
    if other:
        notes.append(
            f"{shown(root)}: {len(other)} files left out that don't end in {' '.join(SUFFIXES)}, such as "
            f"{shown(other[0])}"
        )
    return Listing(samples, sorted(names), notes)


def _sides(root):
    """[(folder of classes, side)], and notes on folders left out."""
    train = root / "train"
    if not train.is_dir() or any(_is_image(entry) for entry in _entries(train)):
        return [(root, None)], []
    tests = [root / name for name in ("test", "val", "validation") if (root / name).is_dir()]
    if not tests:
        raise InputError(
            f"{shown(root)}: expected test/, val/ or validation/ beside train/, found none. To split the training "
            f"images by hash, give {shown(train)}"
        )
    used = [train, tests[0]]
    left = [entry.name for entry in _entries(root) if entry.is_dir() and pathlib.Path(entry) not in used]
    notes = [f"{shown(root)}: {shown(name)}/ left out; the sides are train/ and {tests[0].name}/" for name in left]
    return [(train, TRAIN), (tests[0], TEST)], notes


def _classes(folder, leaf_folders, other):
    """{class name: files}; files that are not images are added to `other`."""
    if leaf_folders:
        found = {}
        for inner, files in _walk(str(folder), other):
            if files:
                found[os.path.relpath(inner, folder).replace(os.sep, "/")] = files
        return found
    return {
        entry.name: [file for _, files in _walk(entry.path, other) for file in files]
        for entry in _entries(folder)
        if entry.is_dir()
    }


def _walk(folder, other, above=()):
    """(folder, its image files) of a folder and all folders in it, in the order of their names."""
    real = os.path.realpath(folder)
    if real in above:
        return  # a link to a folder above
    entries = _entries(folder)
    files = [entry.path for entry in entries if not entry.is_dir()]
    other += [path for path in files if not path.lower().endswith(SUFFIXES)]
    yield folder, [path for path in files if path.lower().endswith(SUFFIXES)]
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry.path, other, (*above, real))


def _is_image(entry):
    return entry.name.lower().endswith(SUFFIXES) and not entry.is_dir()


def _entries(folder):
    """What is in a folder, without hidden files, in the byte order of the names."""
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if not entry.name.startswith(".")]
    return sorted(found, key=lambda entry: os.fsencode(entry.name))
