"""Which format a source has, and its samples. A source that has none of the formats is refused as what it is."""

import collections
import functools
import glob
import os

from .. import InputError
from . import cifar, folder, foreign, idx, manifest, shards
from .listing import Listing, notes_on_sides, shown, side_word, uncompressed

FORMATS = ("auto", "folder", "csv", "cifar10", "cifar100", "idx", "tar")
_TAR = (".tar", ".tar.gz", ".tgz")
_CSV = (".csv", ".tsv")


def read_sources(sources, scratch, format_name="auto", leaf_folders=False, hashed=False):
    """(format, Listing) of files, globs and folders that all have one format.

    `scratch` is a folder for unpacked files; `hashed` forgets the sides that the sources give.
    """
    paths = [path for source in sources for path in _expanded(source)]
    found = sorted({_format_of(path) for path in paths}) if format_name == "auto" else [format_name]
    if len(found) != 1:
        raise InputError(
            f"expected sources of one format, found {' and '.join(found)}. Make a pack of each, or write a CSV manifest"
        )
    listing = _read(found[0], paths, functools.partial(uncompressed, scratch=scratch), leaf_folders)
    if not listing.samples:
        raise InputError(
            f"{', '.join(map(shown, sources))}: expected images (format {found[0]}), found 0. "
            "See palimpsest-pack images --help for the layouts that are read"
        )
    if hashed:
        listing = listing._replace(samples=[s._replace(side=None) for s in listing.samples], sides={})
    _check_sides(listing.samples)
    return found[0], listing._replace(notes=listing.notes + notes_on_sides(listing.sides))


def _check_sides(samples):
    known = next((sample for sample in samples if sample.side is not None), None)
    unknown = next((sample for sample in samples if sample.side is None), None)
    if known and unknown:
        raise InputError(
            f"{unknown.place}: expected a side, train or test, as {known.place} has one, found none. Give sides to "
            "all sources or to none, or take --split hashed"
        )


def _expanded(source):
    if os.path.exists(source):
        return [source]
    found = sorted(glob.glob(source))
    if not found:
        raise InputError(f"{shown(source)}: expected a file, a folder or a glob, found nothing there")
    return found


def _format_of(path):
    name = os.path.basename(path).lower()
    if os.path.isdir(path):
        if idx.find(path):
            return "idx"
        names = os.listdir(path)
        if any(name.startswith("data_batch_") for name in names):
            return "cifar10"
        if {"train.bin", "test.bin"} & set(names):
            return "cifar100"
        if any(name.endswith(_TAR) for name in names):
            return "tar"
        _refuse_foreign(path)
        if any(os.path.isdir(os.path.join(path, name)) for name in names):
            return "folder"
    elif os.path.isfile(path):
        _refuse_foreign(path)
        if name.endswith(_TAR):
            return "tar"
        if name.endswith(_CSV):
            return "csv"
        if idx.NAME.fullmatch(name):
            return "idx"
    raise InputError(
        f"{shown(path)}: expected a folder of class folders, a .csv, .tar shards, IDX files or the binary files of "
        "CIFAR, found none of them. Name the format with --format if it has another file name"
    )


def _refuse_foreign(path):
    if known := foreign.describe(path):
        raise InputError(f"{shown(path)}: expected a source in a format that is read, found {known[0]}. {known[1]}")


def _read(format_name, paths, unpack, leaf_folders):
    if leaf_folders and format_name != "folder":
        raise InputError(f"--leaf-folders: expected folders of images, found the format {format_name}")
    if format_name == "tar":
        files = _tar_files(paths)
        words = collections.Counter(filter(None, (side_word(os.path.basename(file)) for file in files)))
        return shards.read(files, unpack)._replace(sides=dict(words))
    if format_name == "idx":
        return idx.read([file for path in paths for file in _idx_files(path)], unpack)
    if format_name.startswith("cifar") and len(paths) > 1:
        raise InputError(f"expected one folder for the format {format_name}, found {len(paths)}")
    wanted = os.path.isfile if format_name == "csv" else os.path.isdir
    for path in paths:
        if not wanted(path):
            kind = "file" if format_name == "csv" else "folder"
            raise InputError(f"{shown(path)}: expected a {kind} for the format {format_name}")
    readers = {
        "folder": functools.partial(folder.read, leaf_folders=leaf_folders),
        "csv": manifest.read,
        "cifar10": functools.partial(cifar.read, version="cifar10"),
        "cifar100": functools.partial(cifar.read, version="cifar100"),
    }
    return _joined([readers[format_name](path) for path in paths])


def _tar_files(paths):
    files = []
    for path in paths:
        if os.path.isdir(path):
            names = sorted(os.listdir(path))
            files += [os.path.join(path, name) for name in names if name.endswith(_TAR)]
        else:
            files.append(path)
    return files


def _idx_files(path):
    return idx.find(path) if os.path.isdir(path) else [path]


def _joined(listings):
    """One listing of several; classes of one name are one class."""
    if len(listings) == 1:
        return listings[0]
    names = None
    if all(listing.names is not None for listing in listings):
        names = sorted({name for listing in listings for name in listing.names})
    return Listing(
        [sample for listing in listings for sample in listing.samples],
        names,
        [note for listing in listings for note in listing.notes],
        dict(sum((collections.Counter(listing.sides) for listing in listings), collections.Counter())),
    )
