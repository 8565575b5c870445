"""IDX files, as of the MNIST family: train-images-idx3-ubyte, train-labels-idx1-ubyte and the same for t10k or test.

Files that are not whole or don't belong together are refused by name; other files beside them are counted in a note.
"""

import os
import pathlib
import re

import numpy as np

from .. import InputError
from ..pack_file import TEST, TRAIN
from .listing import Listing, Sample, Unpack, shown

NAME = re.compile(r"(?:.*-)?(train|t10k|test)-images[-.]idx3-ubyte(\.gz)?")
UINT8 = 8  # IDX's number for the element type


def find(root: str) -> list[str]:
    """The files of images in a folder."""
    return sorted(str(path) for path in pathlib.Path(root).iterdir() if NAME.fullmatch(path.name) and path.is_file())


def read(images: list[str], unpack: Unpack) -> Listing:
    """The samples of files of images, each with its labels beside it; `unpack(path)` gives an uncompressed file."""
    samples: list[Sample] = []
    files: dict[int, str] = {}
    for path in images:
        match = NAME.fullmatch(os.path.basename(path))
        if not match:
            raise InputError(f"{shown(path)}: expected a name such as train-images-idx3-ubyte or t10k-images-idx3-ubyte, with or without .gz")
        side = TRAIN if match[1] == "train" else TEST
        if side in files:
            raise InputError(
                f"{shown(path)}: expected one file of images per side, found {shown(files[side])}, too. Name the files of one data set instead of their folder"
            )
        files[side] = path
        samples += _pairs(path, side, unpack)
    return Listing(samples, None, [])


def _pairs(path: str, side: int, unpack: Unpack) -> list[Sample]:
    labels_path = labels_of(path)
    images, (count, height, width), begin = _header(path, unpack, 3)
    file, (labels_count,), labels_begin = _header(labels_path, unpack, 1)
    if count != labels_count:
        raise InputError(
            f"{shown(path)}: expected as many images as labels, found {count} images and {labels_count} labels in "
            f"{shown(labels_path)}. They don't belong together: get both files again"
        )
    if height < 1 or width < 1:
        raise InputError(f"{shown(path)}: expected a height and a width of at least 1, found {height} x {width}")
    labels = np.fromfile(file, dtype="u1", offset=labels_begin).tolist()
    return [
        Sample(
            place=f"{shown(path)}, image {number}",
            file=images,
            label=label,
            side=side,
            offset=begin + number * height * width,
            size=height * width,
            raw=(1, height, width),
        )
        for number, label in enumerate(labels)
    ]


def labels_of(path: str) -> str:
    """The file of labels beside a file of images; compressed or not, whichever there is."""
    folder, name = os.path.split(path)
    plain = name.removesuffix(".gz").replace("-images", "-labels").replace("idx3", "idx1")
    found = [os.path.join(folder, plain + end) for end in ("", ".gz")]
    for labels in found:
        if os.path.isfile(labels):
            return labels
    raise InputError(f"{shown(path)}: expected its labels in {shown(found[0])} or {shown(found[0])}.gz, found neither")


def _header(path: str, unpack: Unpack, dimensions: int) -> tuple[str, tuple[int, ...], int]:
    """(uncompressed file, its dimensions, where the numbers begin)."""
    file = unpack(path)
    begin = 4 + 4 * dimensions
    with open(file, "rb") as opened:
        head = opened.read(begin)
    if len(head) != begin or head[:4] != bytes([0, 0, UINT8, dimensions]):
        raise InputError(
            f"{shown(path)}: expected IDX of unsigned bytes in {dimensions} dimensions (00 00 08 0{dimensions} at first), found {head[:4].hex(' ')}"
        )
    dims = np.frombuffer(head[4:], dtype=">u4").astype("i8").tolist()
    expected, found = begin + int(np.prod(dims)), os.path.getsize(file)
    if expected != found:
        raise InputError(f"{shown(path)}: expected the {expected} bytes that the header gives, found {found}. Get the file again")
    return file, dims, begin
