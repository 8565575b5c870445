"""The pack: all samples of a stream in one HDF5 file, checked sample by sample. checkpoints_schema/pack.md.

What the trainer refuses in a pack is also refused by this module, by the name of the object; other objects are not read.
"""

import collections
import dataclasses
import json
import os
import pathlib
import typing

import h5py
import numpy as np
import numpy.typing as npt

from ..files import atomic
from . import FORMAT_VERSION, WRITER, InputError
from .arrays import Ints
from .completions import DATASETS as COMPLETIONS
from .completions import check_completions
from .jpeg_rule import check_sample
from .names import check_names
from .notes import note
from .pack_hash import CODES, ContentHash, crc32c

Result = typing.TypeVar("Result")
ALIGNMENT = 4096  # so that /bytes starts at a page and can be mapped
BLOCK = 1 << 24  # bytes read or written at once
MOST_WAITING = 1 << 16  # samples written at once
LONGEST_SIDE = 1 << 16  # of an image
MOST_SOURCES = 3  # named in a note
TRAIN, TEST = 0, 1
KINDS = ("tokens", "sequences", "pixels", "encoded")
_DATASETS = {
    "offsets": "i8",
    "shape": "i8",
    "crc32c": "u4",
    "labels": "i4",
    "split": "u1",
}


@dataclasses.dataclass(frozen=True)
class PackIndex:
    """All that a pack of n samples says of them, without their bytes."""

    kind: str
    classes: list[str]
    offsets: Ints  # [n + 1]: sample i is the bytes from offsets[i] to offsets[i + 1]
    shape: Ints  # [n, 1]: tokens; or [n, 3]: height, width, 3
    crc32c: Ints  # [n]
    labels: Ints  # [n]: index into classes
    split: Ints  # [n]: TRAIN or TEST
    source: str  # JSON: how it was made; not hashed
    vocabulary: int | None = None  # of kinds tokens and sequences only
    completions: Ints | None = None  # [m, 2]: begin and end of each, in the tokens of its sample; of kind sequences only, as the next
    completion_offsets: Ints | None = None  # [n + 1]: those of sample i are the rows from completion_offsets[i] to completion_offsets[i + 1]

    def has_texts(self) -> bool:
        """Whether samples are token ids."""
        return self.kind in ("tokens", "sequences")

    def longest(self) -> int:
        """Most tokens of a sample."""
        return int(self.shape.max())

    def counts(self) -> Ints:
        """Samples by class and split: [classes, 2]."""
        counts = np.zeros((len(self.classes), 2), dtype=np.int64)
        np.add.at(counts, (self.labels, self.split), 1)
        return counts

    def content_sha256(self, blocks: typing.Iterable[bytes]) -> str:
        """The content hash; `blocks` gives all bytes, in order."""
        digest = ContentHash()
        digest.add("/@kind", self.kind)
        if self.vocabulary is not None:
            digest.add("/@vocabulary", np.array(self.vocabulary, "<i8"))
        digest.begin("/bytes", "u1", [self.offsets[-1]])
        for block in blocks:
            digest.update(block)
        for name in ("classes", *COMPLETIONS, "labels", "offsets", "shape", "split"):
            if getattr(self, name) is not None:
                digest.add(f"/{name}", getattr(self, name))
        return digest.hexdigest()


@dataclasses.dataclass(frozen=True)
class Pack:
    """Samples of kind "tokens": `tokens[i]` are int32 ids, `labels[i]` an index into `classes`, `split[i]` TRAIN or TEST."""

    vocabulary: int
    classes: list[str]
    tokens: typing.Sequence[typing.Sequence[int] | Ints]
    labels: Ints
    split: Ints
    source: str  # JSON: how it was made; not hashed

    def blocks(self) -> list[bytes]:
        """The bytes of every sample."""
        return [np.asarray(ids, dtype="<i4").tobytes() for ids in self.tokens]

    def index(self) -> PackIndex:
        lengths = [len(ids) for ids in self.tokens]
        return PackIndex(
            kind="tokens",
            classes=self.classes,
            offsets=offsets_of(4 * length for length in lengths),
            shape=np.array(lengths, dtype="<i8").reshape(-1, 1),
            crc32c=np.array([crc32c(data) for data in self.blocks()], dtype="<u4"),
            labels=self.labels.astype("<i4"),
            split=self.split.astype("u1"),
            source=self.source,
            vocabulary=self.vocabulary,
        )


def offsets_of(sizes: typing.Iterable[int] | Ints) -> Ints:
    """Where samples of these sizes begin and end, one after another: [n + 1]."""
    sizes = sizes if isinstance(sizes, np.ndarray) else np.fromiter(sizes, dtype="<i8")
    offsets = np.zeros(len(sizes) + 1, dtype="<i8")
    np.cumsum(sizes, out=offsets[1:])
    return offsets


def write_pack(path: str | pathlib.Path, pack: Pack) -> str:
    """Writes a pack of texts in one atomic step and returns its content_sha256. Equal packs give equal bytes."""
    for number, ids in enumerate(pack.tokens):
        if len(ids) == 0:
            raise InputError(f"text {number}: expected token ids, found none. Leave empty texts out")
        _check_ids(pack.vocabulary, np.asarray(ids))
    return write_samples(path, pack.index(), pack.blocks())


def write_samples(path: str | pathlib.Path, index: PackIndex, samples: typing.Iterable[bytes]) -> str:
    """Writes a pack of any kind in one atomic step and returns its content_sha256; `samples` gives the bytes of each."""
    check_names(index.classes)
    _check_index(index, (index.offsets[-1],))
    before = _described(path)
    with (
        atomic(path) as temporary,
        h5py.File(
            temporary,
            "w",
            libver=("v108", "v110"),
            alignment_threshold=ALIGNMENT,
            alignment_interval=ALIGNMENT,
        ) as file,
    ):
        stored = file.create_dataset("bytes", shape=(index.offsets[-1],), dtype="u1", track_times=False)
        digest = index.content_sha256(_written(stored, samples))
        for name in (*_DATASETS, *(COMPLETIONS if index.kind == "sequences" else ())):
            file.create_dataset(name, data=getattr(index, name), track_times=False)
        classes = _fixed(index.classes)
        file.create_dataset("classes", data=classes, dtype=classes.dtype, track_times=False)
        _write_attributes(file, index, digest)
    if before is not None and before[0] != digest:
        note(f"{path}: replaced another pack (content {before[0][:8]}..., of {before[1]})")
    return digest


def _described(path: str | pathlib.Path) -> tuple[str, str] | None:
    """(content_sha256, what it was made of) of the pack that is there; None without one."""
    try:
        with h5py.File(path, "r") as file:
            source = json.loads(_text(file, "source"))
            names = source.get("files") or source.get("sources") or [source.get("what", "an unknown source")]
            return _text(file, "content_sha256"), ", ".join(map(str, names[:MOST_SOURCES])) + (", ..." if len(names) > MOST_SOURCES else "")
    except (OSError, KeyError, ValueError, AttributeError, TypeError):
        return None


def _written(dataset: h5py.Dataset, samples: typing.Iterable[bytes]) -> typing.Iterator[bytes]:
    """Gives the samples on in blocks, each as soon as it is written."""
    begin, size = 0, 0
    waiting: list[bytes] = []

    def write() -> bytes:
        block = b"".join(waiting)
        dataset[begin : begin + size] = np.frombuffer(block, dtype="u1")
        return block

    for data in samples:
        waiting.append(data)
        size += len(data)
        if size >= BLOCK or len(waiting) >= MOST_WAITING:
            yield write()
            begin, waiting, size = begin + size, [], 0
    if waiting:
        yield write()


def _write_attributes(file: h5py.File, index: PackIndex, digest: str) -> None:
    texts = {
        "palimpsest_type": "pack",
        "palimpsest_version": FORMAT_VERSION,
        "writer": WRITER,
        "content_sha256": digest,
        "kind": index.kind,
        "source": index.source,
    }
    for name, text in texts.items():
        value = _fixed(text)
        file.attrs.create(name, value, shape=(), dtype=value.dtype)
    if index.has_texts():
        file.attrs.create("vocabulary", index.vocabulary, dtype="<i8")
        file.attrs.create("longest", index.longest(), dtype="<i8")


def _fixed(texts: str | list[str]) -> npt.NDArray[typing.Any]:
    """One string or several as fixed-length, null-padded UTF-8."""
    encoded = np.char.encode(np.asarray(texts, dtype=str), "utf-8")
    return encoded.astype(h5py.string_dtype("utf-8", max(1, encoded.dtype.itemsize)))


def read_pack(path: str | pathlib.Path) -> tuple[PackIndex, str]:
    """Returns (PackIndex, content_sha256) after checking everything. Raises InputError naming the file and the object."""
    return _opened(path, _checked)


def read_sample(path: str | pathlib.Path, index: PackIndex, sample: int) -> bytes:
    """The bytes of a sample of a pack that read_pack() has checked."""
    begin, end = index.offsets[sample : sample + 2]
    return _opened(path, lambda file: bytes(file["bytes"][begin:end]))


def _opened(path: str | pathlib.Path, action: typing.Callable[[h5py.File], Result]) -> Result:
    if os.path.isdir(path):
        raise InputError(f"{path}: expected a pack (palimpsest pack makes one), found a folder")
    if os.access(path, os.R_OK) and not h5py.is_hdf5(path):
        raise InputError(f"{path}: expected a pack (palimpsest pack makes one), found another kind of file")
    try:
        with h5py.File(path, "r") as file:
            return action(file)
    except InputError as error:
        raise InputError(f"{path}: {error}. Make the pack again.") from None
    except FileNotFoundError:
        raise InputError(f"{path}: expected a pack (HDF5), found nothing there. Correct the path, or make the pack with palimpsest pack") from None
    except (OSError, KeyError, ValueError, RuntimeError, UnicodeError) as error:
        raise InputError(f"{path}: expected a pack (HDF5), but the file cannot be read: {error}") from None


def _text(file: h5py.File, name: str) -> str:
    value = file.attrs[name]
    return value.decode() if isinstance(value, bytes) else str(value)


def _check_text_type(what: str, kind: h5py.h5t.TypeID) -> None:
    fits = isinstance(kind, h5py.h5t.TypeStringID) and not kind.is_variable_str()
    if not fits or (kind.get_strpad(), kind.get_cset()) != (h5py.h5t.STR_NULLPAD, h5py.h5t.CSET_UTF8):
        raise InputError(f"{what}: expected fixed-length, null-padded UTF-8, found another type")


def _check_storage(name: str, dataset: h5py.Dataset) -> None:
    plist = dataset.id.get_create_plist()
    plain = plist.get_layout() == h5py.h5d.CONTIGUOUS and plist.get_nfilters() == 0 and plist.get_external_count() == 0
    _expect(f"/{name}, storage", "contiguous, without filters", "contiguous, without filters" if plain else "another")


def _checked(file: h5py.File) -> tuple[PackIndex, str]:
    _expect("/@palimpsest_type", "pack", _text(file, "palimpsest_type"))
    _expect(
        "/@palimpsest_version, major",
        FORMAT_VERSION.split(".")[0],
        _text(file, "palimpsest_version").split(".")[0],
    )
    for name in ("palimpsest_type", "palimpsest_version", "content_sha256", "kind"):
        _check_text_type(f"/@{name}", h5py.h5a.open(file.id, name.encode()).get_type())
    kind = _text(file, "kind")
    if kind not in KINDS:
        raise InputError(f"/@kind: expected one of {', '.join(KINDS)}, found {kind}")
    if kind != "sequences" and any(name in file for name in COMPLETIONS):
        raise InputError(f"/completions, /completion_offsets: expected none in a pack of kind {kind}, found some")
    _check_text_type("/classes", file["classes"].id.get_type())
    _check_storage("classes", file["classes"])
    index = PackIndex(
        kind=kind,
        classes=[name.decode() for name in file["classes"][()]],
        source=_text(file, "source"),
        vocabulary=int(file.attrs["vocabulary"]) if kind in ("tokens", "sequences") else None,
        **{name: _numbers(file, name, code)[()] for name, code in _DATASETS.items()},
        **{name: _numbers(file, name, "i8")[()] for name in COMPLETIONS if kind == "sequences"},
    )
    stored = _numbers(file, "bytes", "u1")
    _check_index(index, stored.shape)
    digest = index.content_sha256(_checked_blocks(stored, index))
    _expect("/@content_sha256", _text(file, "content_sha256"), digest)
    if index.has_texts():
        _expect("/@longest", int(file.attrs["longest"]), index.longest())
    return index, digest


def _numbers(file: h5py.File, name: str, code: str) -> h5py.Dataset:
    dataset = file[name]
    _check_storage(name, dataset)
    _expect(f"/{name}, type", code, CODES.get(dataset.dtype.str, str(dataset.dtype)))
    return dataset


def _check_index(index: PackIndex, bytes_shape: tuple[int, ...]) -> None:
    samples = len(index.labels)
    dims = {"offsets": (samples + 1,), "shape": (samples, 1 if index.has_texts() else 3)}
    for name in _DATASETS:
        _expect(f"/{name}, dimensions", dims.get(name, (samples,)), getattr(index, name).shape)
    _expect("/bytes, dimensions", (index.offsets[-1],), bytes_shape)
    lengths, sizes = np.diff(index.offsets), index.shape.prod(axis=1)
    fits = lengths == 4 * sizes if index.has_texts() else lengths == sizes if index.kind == "pixels" else lengths > 0
    if not (samples and index.offsets[0] == 0 and (lengths > 0).all() and (index.shape > 0).all() and (index.shape[:, 2:] == 3).all() and fits.all()):
        raise InputError("/offsets: expected increasing offsets from 0 to the size of /bytes that fit /shape")
    if not index.has_texts() and index.shape.max() > LONGEST_SIDE:
        raise InputError(f"/shape: expected height and width from 1 to {LONGEST_SIDE}, found {index.shape.max()}")
    cut = [name for name in index.classes if "\0" in name]
    if cut:
        raise InputError(f"/classes: expected names without NUL bytes, found {cut[0]!r}")
    twice = collections.Counter(index.classes).most_common(1)[0]
    if twice[1] > 1:
        raise InputError(f"/classes: expected every class once, found {twice[0]!r} twice")
    if not (index.labels.min() >= 0 and index.labels.max() < len(index.classes) and index.split.max() <= TEST):
        raise InputError("/labels, /split: expected indices into /classes and 0 or 1, found others")
    if index.kind == "sequences":
        assert index.completions is not None and index.completion_offsets is not None
        check_completions(index.completion_offsets, index.completions, index.shape[:, 0])


def _checked_blocks(stored: h5py.Dataset, index: PackIndex) -> typing.Iterator[bytes]:
    """All bytes in blocks of whole samples, after the CRC-32C of each."""
    first = 0
    while first < len(index.labels):
        begin = index.offsets[first]
        last = max(first + 1, np.searchsorted(index.offsets, begin + BLOCK, side="right") - 1)
        block = stored[begin : index.offsets[last]].tobytes()
        for sample in range(first, last):
            data = block[index.offsets[sample] - begin : index.offsets[sample + 1] - begin]
            _expect(f"/bytes, CRC-32C of sample {sample}", int(index.crc32c[sample]), crc32c(data))
            if index.kind == "encoded":
                _check_jpeg(sample, data, *index.shape[sample, :2])
        if index.vocabulary is not None:
            _check_ids(index.vocabulary, np.frombuffer(block, "<i4"))
        yield block
        first = last


def _check_ids(vocabulary: int, ids: Ints) -> None:
    if not (ids.min() >= 0 and ids.max() < vocabulary):
        wrong = ids[(ids < 0) | (ids >= vocabulary)][0]
        raise InputError(f"/bytes: expected token ids below {vocabulary}, found {wrong}")


def _check_jpeg(sample: int, data: bytes, height: int, width: int) -> None:
    found = check_sample(data, height, width)
    if found:
        raise InputError(f"/bytes, sample {sample}: expected an upright JPEG file of {width} x {height} pixels that the trainer decodes, found {found}")


def _expect(what: str, expected: object, found: object) -> None:
    if expected != found:
        raise InputError(f"{what}: expected {expected}, found {found}")
