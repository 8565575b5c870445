"""What the tests of `palimpsest-pack images` share: small sources made on the spot, packs read back."""

import io
import pathlib
import sys

import h5py
import numpy as np
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools" / "pack"))
from palimpsest_pack.cli import main  # noqa: E402, F401

PROGRAM = pathlib.Path(__file__).parents[2] / "tools" / "palimpsest-pack"


def noise(seed, height=6, width=8):
    """uint8 [height, width, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype="u1")


def save(path, pixels, **options):
    """Pixels [height, width, 3], [height, width] or a Pillow image as a file whose format its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


def encoded(pixels, kind="PNG"):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def folder(root, counts, first=0, suffix=".png"):
    """A folder of class folders with so many images each, no two of them equal."""
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            first += 1
            save(root / name / f"{number}{suffix}", noise(first))
    return root


def samples(path):
    """[(class, side, bytes, (height, width, 3))] of a pack."""
    with h5py.File(path) as file:
        classes = [name.decode() for name in file["classes"]]
        data, ends = file["bytes"][()].tobytes(), file["offsets"][()]
        return [
            (classes[label], int(side), data[begin:end], tuple(shape.tolist()))
            for label, side, begin, end, shape in zip(
                file["labels"], file["split"], ends, ends[1:], file["shape"][()]
            )
        ]


def counts(path):
    """{class: (training, test)} of a pack."""
    found = {}
    for name, side, _, _ in samples(path):
        row = found.setdefault(name, [0, 0])
        row[side] += 1
    return {name: tuple(row) for name, row in found.items()}


def only_image(path, name):
    """Pixels [height, width, 3] of the one sample of a class in a pack of pixels."""
    found = [sample for sample in samples(path) if sample[0] == name]
    assert len(found) == 1
    return np.frombuffer(found[0][2], "u1").reshape(found[0][3])
