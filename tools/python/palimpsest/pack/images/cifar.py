"""CIFAR-10 and CIFAR-100 in their binary versions: records of labels and 3 x 32 x 32 pixels.

Files that are not whole, and the Python and Matlab versions, are refused by name; other files are counted in a note.
"""

import pathlib

import numpy as np

from .. import InputError
from ..pack_file import TEST, TRAIN
from . import foreign
from .listing import Listing, Sample, read_lines, shown

IMAGE = (3, 32, 32)
PIXELS = 3 * 32 * 32
# Bytes before the pixels, the last of which is the label; file of the class names; files by side.
LAYOUT = {
    "cifar10": (
        1,
        "batches.meta.txt",
        {
            TRAIN: [f"data_batch_{number}.bin" for number in range(1, 6)],
            TEST: ["test_batch.bin"],
        },
    ),
    "cifar100": (2, "fine_label_names.txt", {TRAIN: ["train.bin"], TEST: ["test.bin"]}),
}


def read(root: str, version: str) -> Listing:
    """The samples of a folder with the binary version; CIFAR-100 with its 100 fine labels."""
    head, names_file, sides = LAYOUT[version]
    folder = pathlib.Path(root)
    _expect_files(folder, version)
    names = read_lines(folder / names_file)
    samples: list[Sample] = []
    for side, file_names in sides.items():
        for name in file_names:
            samples += _records(folder / name, head, side)
    return Listing(samples, names, [])


def files(version: str) -> list[str]:
    """The names of the files that are read."""
    _, names_file, sides = LAYOUT[version]
    return [names_file, *sides[TRAIN], *sides[TEST]]


def _expect_files(root: pathlib.Path, version: str) -> None:
    expected = files(version)
    missing = [name for name in expected if not (root / name).is_file()]
    if missing:
        known = foreign.describe(root)
        found = f"found {known[0]}. {known[1]}" if known else f"found no {', '.join(missing)}. Get the archive again"
        raise InputError(f"{shown(root)}: expected the binary version of {version} ({', '.join(expected)}), {found}")


def _records(path: pathlib.Path, head: int, side: int) -> list[Sample]:
    record = head + PIXELS
    data = np.fromfile(path, dtype="u1")
    if data.size == 0 or data.size % record:
        raise InputError(f"{shown(path)}: expected records of {record} bytes, found {data.size} bytes. Get the file again")
    labels = data.reshape(-1, record)[:, head - 1].tolist()
    return [
        Sample(
            place=f"{shown(path)}, record {number}",
            file=str(path),
            label=label,
            side=side,
            offset=number * record + head,
            size=PIXELS,
            raw=IMAGE,
        )
        for number, label in enumerate(labels)
    ]
