"""The pack: all samples of a stream in one HDF5 file, checked sample by sample. checkpoints_schema/pack.md."""

import dataclasses
import hashlib

import h5py
import numpy as np

from . import FORMAT_VERSION, WRITER, InputError
from .files import atomic

ALIGNMENT = 4096  # so that /bytes starts at a page and can be mapped
TRAIN, TEST = 0, 1
_CODES = {"<f4": "f4", "<f8": "f8", "<i4": "i4", "<i8": "i8", "|u1": "u1", "<u4": "u4", "<u8": "u8"}
_DATASETS = {
    "bytes": "u1",
    "offsets": "i8",
    "shape": "i8",
    "crc32c": "u4",
    "labels": "i4",
    "split": "u1",
}


@dataclasses.dataclass(frozen=True)
class Pack:
    """Samples of kind "tokens": `tokens[i]` are int32 ids, `labels[i]` an index into `classes`, `split[i]` TRAIN or TEST."""

    vocabulary: int
    classes: list
    tokens: list
    labels: np.ndarray
    split: np.ndarray
    source: str  # JSON: how it was made; not hashed

    def longest(self):
        return max(len(ids) for ids in self.tokens)

    def counts(self):
        """Samples by class and split: [classes, 2]."""
        counts = np.zeros((len(self.classes), 2), dtype=np.int64)
        np.add.at(counts, (self.labels, self.split), 1)
        return counts


def _crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC32C = _crc32c_table()


def crc32c(data):
    """CRC-32C (Castagnoli) of bytes."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC32C[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def content_sha256(objects):
    """SHA-256 of {path: array, number or strings}: path, type, dimensions and bytes, in byte order of the paths."""
    digest = hashlib.sha256()
    for path in sorted(objects, key=str.encode):
        value = objects[path]
        if isinstance(value, (str, list)):
            code, dims = "str", [] if isinstance(value, str) else [len(value)]
            payload = b"".join(
                text.encode() + b"\0" for text in ([value] if isinstance(value, str) else value)
            )
        else:
            array = np.asarray(value)
            code, dims, payload = _CODES[array.dtype.str], array.shape, array.tobytes()
        digest.update(
            b"\0".join([path.encode(), code.encode(), ",".join(map(str, dims)).encode(), payload])
        )
    return digest.hexdigest()


def _datasets(pack):
    encoded = [np.asarray(ids, dtype="<i4").tobytes() for ids in pack.tokens]
    return {
        "bytes": np.frombuffer(b"".join(encoded), dtype="u1"),
        "offsets": np.concatenate([[0], np.cumsum([len(data) for data in encoded])]).astype("<i8"),
        "shape": np.array([[len(ids)] for ids in pack.tokens], dtype="<i8"),
        "crc32c": np.array([crc32c(data) for data in encoded], dtype="<u4"),
        "labels": pack.labels.astype("<i4"),
        "split": pack.split.astype("u1"),
    }


def _hash_of(vocabulary, classes, datasets):
    hashed = {
        f"/{name}": datasets[name] for name in ("bytes", "labels", "offsets", "shape", "split")
    }
    return content_sha256(
        {
            "/@kind": "tokens",
            "/@vocabulary": np.array(vocabulary, "<i8"),
            "/classes": classes,
            **hashed,
        }
    )


def _fixed(texts):
    """One string or several as fixed-length, null-padded UTF-8."""
    encoded = np.char.encode(np.asarray(texts, dtype=str), "utf-8")
    return encoded.astype(h5py.string_dtype("utf-8", max(1, encoded.dtype.itemsize)))


def write_pack(path, pack):
    """Writes the pack in one atomic step and returns its content_sha256. Equal packs give equal bytes."""
    datasets = _datasets(pack)
    digest = _hash_of(pack.vocabulary, pack.classes, datasets)
    attributes = {
        "palimpsest_type": "pack",
        "palimpsest_version": FORMAT_VERSION,
        "writer": WRITER,
        "content_sha256": digest,
        "kind": "tokens",
        "source": pack.source,
    }
    with atomic(path) as temporary:
        with h5py.File(
            temporary,
            "w",
            libver=("v108", "v110"),
            alignment_threshold=ALIGNMENT,
            alignment_interval=ALIGNMENT,
        ) as file:
            for name, text in attributes.items():
                value = _fixed(text)
                file.attrs.create(name, value, shape=(), dtype=value.dtype)
            file.attrs.create("vocabulary", pack.vocabulary, dtype="<i8")
            file.attrs.create("longest", pack.longest(), dtype="<i8")
            for name, values in datasets.items():
                file.create_dataset(name, data=values, track_times=False)
            classes = _fixed(pack.classes)
            file.create_dataset("classes", data=classes, dtype=classes.dtype, track_times=False)
    return digest


def read_pack(path):
    """Returns (Pack, content_sha256) after checking everything. Raises InputError naming the file and the object."""
    try:
        with h5py.File(path, "r") as file:
            return _checked(file)
    except InputError as error:
        raise InputError(f"{path}: {error}. Make the pack again.") from None
    except (OSError, KeyError, ValueError, RuntimeError, UnicodeError) as error:
        raise InputError(
            f"{path}: expected a pack (HDF5), found a file that cannot be read: {error}"
        ) from None


def _text(file, name):
    value = file.attrs[name]
    return value.decode() if isinstance(value, bytes) else str(value)


def _checked(file):
    _expect("/@palimpsest_type", "pack", _text(file, "palimpsest_type"))
    _expect(
        "/@palimpsest_version, major",
        FORMAT_VERSION.split(".")[0],
        _text(file, "palimpsest_version").split(".")[0],
    )
    _expect("/@kind", "tokens", _text(file, "kind"))
    data = {}
    for name, code in _DATASETS.items():
        _expect(f"/{name}, type", code, _CODES.get(file[name].dtype.str, str(file[name].dtype)))
        data[name] = file[name][()]
    classes = [name.decode() for name in file["classes"][()]]
    vocabulary = int(file.attrs["vocabulary"])
    samples = len(data["labels"])
    shapes = {"bytes": (data["bytes"].size,), "offsets": (samples + 1,), "shape": (samples, 1)}
    for name in _DATASETS:
        _expect(f"/{name}, dimensions", shapes.get(name, (samples,)), data[name].shape)
    lengths = np.diff(data["offsets"])
    if not (
        samples
        and data["offsets"][0] == 0
        and data["offsets"][-1] == data["bytes"].size
        and (lengths > 0).all()
        and (lengths == 4 * data["shape"][:, 0]).all()
    ):
        raise InputError(
            "/offsets: expected increasing offsets from 0 to the size of /bytes that fit /shape"
        )
    if not (
        0 <= data["labels"].min()
        and data["labels"].max() < len(classes)
        and data["split"].max() <= TEST
    ):
        raise InputError("/labels, /split: expected indices into /classes and 0 or 1, found others")
    raw = data["bytes"].tobytes()
    tokens = []
    for sample, (begin, end) in enumerate(zip(data["offsets"][:-1], data["offsets"][1:])):
        _expect(
            f"/bytes, CRC-32C of sample {sample}",
            int(data["crc32c"][sample]),
            crc32c(raw[begin:end]),
        )
        tokens.append(np.frombuffer(raw[begin:end], dtype="<i4"))
    digest = _hash_of(vocabulary, classes, data)
    _expect("/@content_sha256", _text(file, "content_sha256"), digest)
    pack = Pack(vocabulary, classes, tokens, data["labels"], data["split"], _text(file, "source"))
    _expect("/@longest", int(file.attrs["longest"]), pack.longest())
    return pack, digest


def _expect(what, expected, found):
    if expected != found:
        raise InputError(f"{what}: expected {expected}, found {found}")
