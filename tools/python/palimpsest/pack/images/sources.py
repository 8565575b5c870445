"""Which format a source has, and its samples.

A source of no known format (as what it is), of several at once, or given twice is refused by name.
"""

import collections
import functools
import glob
import os
import pathlib
import re
import typing

from ...counted import counted, form
from .. import InputError
from ..pack_file import TEST
from . import cifar, folder, foreign, idx, manifest, shards
from .listing import SIDES, SUFFIXES, Listing, Sample, Unpack, endings, notes_on_tests, shown, side_word, side_words, uncompressed

FORMATS = ("auto", "folder", "csv", "cifar10", "cifar100", "idx", "tar")
_TAR = (".tar", ".tar.gz", ".tgz")
_ARCHIVES = (".zip", ".7z", ".rar", ".tar.zst", ".tar.xz", ".tar.bz2", ".tzst", ".txz", ".tbz2")  # that are not read
_CSV = (".csv", ".tsv")


def read_sources(
    sources: list[str], scratch: str | pathlib.Path, format_name: str = "auto", class_folders: str = "first", hashed: bool = False
) -> tuple[str, Listing]:
    """(format, Listing) of files, globs and folders that all have one format.

    `scratch` is a folder for unpacked files; `hashed` forgets the sides that the sources give.
    """
    paths = [path for source in sources for path in _expanded(source)]
    _refuse_copies(paths)
    found = sorted({_format_of(path) for path in paths}) if format_name == "auto" else [format_name]
    if len(found) != 1:
        raise InputError(f"expected sources of one format, found {' and '.join(found)}. Make one pack per format, or list all images in a CSV file")
    if found == ["folder"] and not hashed:
        _refuse_sides_apart(paths, "Give the folder that contains them, as train/ and test/ (or val/, validation/)")
    listing = _read(found[0], paths, functools.partial(uncompressed, scratch=scratch), class_folders, hashed)
    if not listing.samples:
        raise InputError(
            f"{', '.join(map(shown, sources))}: expected images in the format {found[0]}, found none. "
            f"{''.join(f'{note}. ' for note in listing.notes)}See palimpsest pack images --help for the supported layouts and "
            "image types"
        )
    if hashed:
        listing = listing._replace(samples=[s._replace(side=None) for s in listing.samples], sides={})
    _check_sides(listing.samples)
    if listing.samples[0].side is None and not hashed:
        _refuse_unread_sides(found[0], paths, listing.samples)
    beside = [note for path in paths if os.path.isdir(path) for note in _beside(found[0], path)]
    tests = [f"{counted(count, 'image')} of {word}" for word, count in listing.sides.items() if SIDES[word] == TEST]
    return found[0], listing._replace(notes=[*beside, *listing.notes, *notes_on_tests(tests)])


def _refuse_copies(paths: list[str]) -> None:
    seen: dict[str, str] = {}
    for path in paths:
        other = seen.setdefault(os.path.realpath(path), path)
        if other is not path:
            raise InputError(f"{shown(path)}: expected every source once, found this one again as {shown(other)}. Name it once")


def _refuse_sides_apart(paths: list[str], remedy: str) -> None:
    """Raises InputError for the sides of a data set as separate sources: their images would be split again."""
    sides = {path: side_words(os.path.basename(os.path.abspath(path))) for path in paths}
    if len(set().union(*sides.values())) > 1:
        alike = [path for path in paths if sides[path]]
        raise InputError(
            f"{', '.join(map(shown, alike))}: expected both sides in one source, found sources that look like sides. {remedy}; "
            "or use --split hashed to split all images again"
        )


def _refuse_unread_sides(format_name: str, paths: list[str], samples: list[Sample]) -> None:
    """Raises InputError where names look like sides that the format doesn't read: test images would be put into training."""
    if format_name == "csv":
        _refuse_sides_apart(paths, "Join the tables into one with a column split")
        _refuse_sides_in_paths(samples, [sample.file for sample in samples], "Add a column split")
    if format_name == "tar":
        members = [sample.place.rpartition(", ")[2] for sample in samples]
        _refuse_sides_in_paths(samples, members, "Write an archive for each side, with train or test in its name")


def _refuse_sides_in_paths(samples: list[Sample], paths: list[str], remedy: str) -> None:
    """Raises InputError where the paths of samples without sides name some."""
    folders = [os.path.dirname(os.path.normpath(f"/{path}")) for path in paths]
    common = len(os.path.commonpath(folders))
    first: dict[str | None, Sample] = {}  # {side: its first sample}
    for sample, folder_path in zip(samples, folders, strict=True):
        words = map(side_word, folder_path[common:].split(os.sep))
        first.setdefault(next(filter(None, words), None), sample)
    first.pop(None, None)
    if len(first) > 1:
        one, other, *_ = first.values()
        raise InputError(
            f"{one.place}: expected sides, found only paths that look like sides, here and in {other.place}. {remedy}, or use "
            "--split hashed to split all images again"
        )


def _check_sides(samples: list[Sample]) -> None:
    known = next((sample for sample in samples if sample.side is not None), None)
    unknown = next((sample for sample in samples if sample.side is None), None)
    if known and unknown:
        raise InputError(
            f"{unknown.place}: expected a side (train or test), because {known.place} has one, found none. Give sides to "
            "all sources or to none, or use --split hashed"
        )


def _expanded(source: str) -> list[str]:
    if os.path.exists(source):
        return [source]
    found = sorted(glob.glob(source))
    if not found:
        address = ". Addresses and commands (https:, pipe:) are not supported: download the files first"
        braces = ". Braces are not expanded: take them out of the quotes, or write * or [0-9]"
        remedy = address if re.match("[a-z0-9+]{2,}:", source) else braces if "{" in source else ""
        raise InputError(f"{shown(source)}: expected a file, a folder or a glob, found nothing there{remedy}")
    return found


def _format_of(path: str) -> str:
    name = os.path.basename(path).lower()
    formats = []
    if os.path.isfile(path):
        _refuse_foreign(path)
        if name.endswith(_TAR):
            formats = ["tar"]
        elif name.endswith(_CSV):
            formats = ["csv"]
        elif idx.NAME.fullmatch(name):
            formats = ["idx"]
        elif name.endswith(_ARCHIVES):
            raise InputError(f"{shown(path)}: expected .tar, .tar.gz or .tgz, found another kind of archive. Unpack it, and give its contents")
    elif os.path.isdir(path):
        formats = _formats_in(path)
        if formats in ([], ["folder"]):
            _refuse_foreign(path)
        elif formats == ["tar"]:  # one looked at is taken for all
            _refuse_foreign(_tar_files(path)[0])
    if len(formats) > 1:
        raise InputError(f"{shown(path)}: expected one format, found {' and '.join(formats)}. Choose one with --format")
    if formats:
        return formats[0]
    found = f" but {endings(os.listdir(path))}" if os.path.isdir(path) and os.listdir(path) else ""
    raise InputError(
        f"{shown(path)}: expected a folder of class folders, a .csv, .tar shards, IDX files or the binary files of "
        f"CIFAR, found none of them{found}. If the files have other names, give the format with --format"
    )


def _refuse_foreign(path: str) -> None:
    if known := foreign.describe(path):
        raise InputError(f"{shown(path)}: expected a source in a supported format, found {known[0]}. {known[1]}")


def _formats_in(path: str) -> list[str]:
    names = os.listdir(path)
    found = {
        "idx": idx.find(path),
        "cifar10": any(name.startswith("data_batch_") for name in names),
        "cifar100": {"train.bin", "test.bin"} & set(names),
        "tar": any(name.lower().endswith(_TAR) for name in names),
    }
    formats = [name for name, there in found.items() if there]
    folders = [name for name in names if os.path.isdir(os.path.join(path, name))]
    if formats:
        return [*formats, "folder"] if _have_images(path, folders) else formats
    return ["folder"] if folders or any(map(_is_image, names)) else []


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _have_images(path: str, folders: list[str]) -> bool:
    return any(_is_image(name) for folder in folders for _, _, names in os.walk(os.path.join(path, folder)) for name in names)


def _read(format_name: str, paths: list[str], unpack: Unpack, class_folders: str, hashed: bool) -> Listing:
    if class_folders != "first" and format_name != "folder":
        raise InputError(f"--{class_folders}-folders: expected folders of images, found the format {format_name}")
    if format_name == "tar":
        return shards.read([file for path in paths for file in _tar_files(path)], unpack, hashed)
    if format_name == "idx":
        return idx.read([file for path in paths for file in _idx_files(path)], unpack)
    if format_name.startswith("cifar") and len(paths) > 1:
        raise InputError(f"expected one folder for the format {format_name}, found {len(paths)}")
    wanted = os.path.isfile if format_name == "csv" else os.path.isdir
    for path in paths:
        if not wanted(path):
            kind = "file" if format_name == "csv" else "folder"
            raise InputError(f"{shown(path)}: expected a {kind} for the format {format_name}")
    readers: dict[str, typing.Callable[[str], Listing]] = {
        "folder": functools.partial(folder.read, class_folders=class_folders),
        "csv": manifest.read,
        "cifar10": functools.partial(cifar.read, version="cifar10"),
        "cifar100": functools.partial(cifar.read, version="cifar100"),
    }
    return _joined([readers[format_name](path) for path in paths])


def _tar_files(path: str) -> list[str]:
    """The archives of a folder, or the file itself."""
    if not os.path.isdir(path):
        return [path]
    return [os.path.join(path, name) for name in sorted(os.listdir(path)) if name.lower().endswith(_TAR)]


def _idx_files(path: str) -> list[str]:
    return idx.find(path) if os.path.isdir(path) else [path]


def _beside(format_name: str, path: str) -> list[str]:
    """[a note] on what a folder contains besides the files of its format."""
    if format_name == "tar":
        read = _tar_files(path)
    elif format_name == "idx":
        read = [file for images in idx.find(path) for file in (images, idx.labels_of(images))]
    elif format_name in cifar.LAYOUT:
        read = cifar.files(format_name)
    else:
        return []
    others = sorted(set(os.listdir(path)) - set(map(os.path.basename, read)))
    such = f"{len(others)} {form(len(others), 'file or folder', 'files and folders')} left out beside the files of {format_name}, such as"
    return [f"{shown(path)}: {such} {', '.join(map(shown, others[:3]))}"] if others else []


def _joined(listings: list[Listing]) -> Listing:
    """One listing of several; classes of one name are one class."""
    if len(listings) == 1:
        return listings[0]
    known = [listing.names for listing in listings if listing.names is not None]
    names = sorted({name for each in known for name in each}) if len(known) == len(listings) else None
    return Listing(
        [sample for listing in listings for sample in listing.samples],
        names,
        [note for listing in listings for note in listing.notes],
        dict(sum((collections.Counter(listing.sides) for listing in listings), collections.Counter())),
    )
