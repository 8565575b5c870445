"""What the tests of `palimpsest pack images` share: small sources made on the spot, packs read back."""

import gzip
import io
import pathlib
import struct
import tarfile

import h5py
import numpy as np
from palimpsest.pack.cli import main  # noqa: F401
from PIL import Image


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


def cifar(root, version, labels=(0, 1)):
    """The binary version with an image of each label in every file: red 10, green 20, blue 30, but the first pixel."""
    head = b"" if version == 10 else b"\7"
    pixels = [bytes([9]) + bytes([10]) * 1023 + bytes([20]) * 1024 + bytes([30]) * 1024]
    data = b"".join(head + bytes([label]) + pixels[0] for label in labels)
    names = "\n".join(f"name {number}" for number in range(2)) + "\n\n"
    root.mkdir()
    if version == 10:
        files = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
        (root / "batches.meta.txt").write_text(names)
    else:
        files = ["train.bin", "test.bin"]
        (root / "fine_label_names.txt").write_text(names)
    for name in files:
        (root / name).write_bytes(data)
    return root


def idx(root, side, images, labels, zipped=False):
    root.mkdir(exist_ok=True)
    images, labels = np.asarray(images, "u1"), np.asarray(labels, "u1")
    for name, data in ((f"{side}-images-idx3-ubyte", images), (f"{side}-labels-idx1-ubyte", labels)):
        whole = struct.pack(f">I{data.ndim}I", 0x800 + data.ndim, *data.shape) + data.tobytes()
        (root / (name + ".gz" * zipped)).write_bytes(gzip.compress(whole) if zipped else whole)
    return root


def shard(path, members):
    with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path
