"""One HDF5 file of a run: its identity, and its objects by path. Each object is checked when it is read."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import google_crc32c
import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

Array = NDArray[Any]
Value = TypeVar("Value")

READABLE_MAJOR_VERSIONS = (1, 2, 3)
# What objects of another type or shape than a record's lead to.
OF_ANOTHER_SHAPE = (AttributeError, LookupError, OverflowError, TypeError, ValueError)


def check_version(place: str, version: object) -> tuple[int, int]:
    """Major and minor of a format version. Raises InputError unless this package reads it."""
    numbers = str(version).split(".")
    if all(number.isdecimal() for number in numbers) and len(numbers) == 3 and int(numbers[0]) in READABLE_MAJOR_VERSIONS:
        return int(numbers[0]), int(numbers[1])
    raise InputError(f"{place}: expected version 1.x.y, 2.x.y or 3.x.y of the format, found '{version}'. A newer format needs a newer palimpsest package")


class Record:
    """A file of a run. Each read opens it, unless `keep` has left it open.

    content_sha256: the hash in manifest.json. The file must have the same hash whenever it is opened.
    """

    def __init__(self, path: str, type_name: str, content_sha256: str) -> None:
        self.path = path
        self._type = type_name
        self._content_sha256 = content_sha256
        self._kept: Objects | None = None
        self._is_known = False  # type and version are as expected

    def keep(self) -> None:
        """Leaves the file open, so that it can be read even after the run has deleted it. Raises InputError."""
        self._kept = Objects(self.path, self._open())

    def close(self) -> None:
        """Ends what keep() began."""
        if self._kept is not None:
            self._kept.file.close()
            self._kept = None

    @contextlib.contextmanager
    def opened(self) -> Iterator["Objects"]:
        """The file's objects, while the context lasts. Raises InputError if the file is missing or damaged, or has another type, version or content."""
        file = None if self._kept else self._open()
        try:
            yield self._kept or Objects(self.path, file)
        except OF_ANOTHER_SHAPE as error:
            raise InputError(
                f"{self.path}: expected the objects of a {self._type}, found one of another type or shape ({error}). The file is damaged"
            ) from None
        finally:
            if file is not None:
                file.close()

    def _open(self) -> h5py.File:
        if not os.path.isfile(self.path):
            found = "a folder" if os.path.isdir(self.path) else "nothing there"
            raise InputError(
                f"{self.path}: expected a file of the run, found {found}. Restore it from a copy, or open the run again if training has continued since"
            )
        try:
            file = h5py.File(self.path, "r", locking=False)
        except OSError as error:
            raise InputError(
                f"{self.path}: expected a complete HDF5 file, but it cannot be opened ({error}). It is damaged, truncated, or another kind of file"
            ) from None
        try:
            self._check(Objects(self.path, file))
        except BaseException:
            file.close()
            raise
        return file

    def _check(self, objects: "Objects") -> None:
        """Raises InputError unless the file is what the manifest says, of a type and version that can be read."""
        content = objects.attribute("/", "content_sha256")
        if content != self._content_sha256:
            raise InputError(
                f"{self.path}: /@content_sha256: expected {self._content_sha256} (manifest.json), found {content}. "
                "The file was replaced: open the run again if training has continued since, or restore the file from a copy"
            )
        if self._is_known:
            return
        found = objects.attribute("/", "palimpsest_type")
        if found != self._type:
            raise InputError(f"{self.path}: /@palimpsest_type: expected '{self._type}', found '{found}'")
        _ = objects.version
        self._is_known = True


class Objects:
    """The contents of an open file. Every reader raises InputError with the file and the object if that is missing or damaged."""

    def __init__(self, path: str, file: h5py.File) -> None:
        self.path = path
        self.file = file

    @property
    def version(self) -> tuple[int, int]:
        return check_version(f"{self.path}: /@palimpsest_version", self.attribute("/", "palimpsest_version"))

    def has(self, name: str) -> bool:
        with self._naming(name):
            return name in self.file

    def has_attribute(self, name: str, attribute: str) -> bool:
        with self._naming(name):
            return name in self.file and attribute in self.file[name].attrs

    def names(self, group: str) -> list[str]:
        """Of what is in a group, in byte order; none where there is no such group."""
        with self._naming(group):
            return sorted(self.file[group], key=str.encode) if group in self.file else []

    def attribute(self, name: str, attribute: str) -> Any:
        """A Python number or text."""
        with self._naming(f"{name}@{attribute}"):
            return _plain(self.file[name].attrs[attribute])

    def attributes(self, name: str) -> dict[str, Any]:
        with self._naming(name):
            return {attribute: _plain(value) for attribute, value in self.file[name].attrs.items()}

    def array(self, name: str) -> Array:
        """Numbers. The CRC-32C beside them is checked. By h5py's low-level interface, which takes half the time: a run has thousands of small arrays."""
        with self._naming(name):
            dataset = h5py.h5d.open(self.file.id, name.encode())
            values = np.empty(dataset.shape, dataset.dtype)
            if values.dtype.kind not in "iuf":
                raise TypeError(f"{values.dtype} instead of numbers")
            dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
            self._check_sum(name, values, dataset)
        return values

    def texts(self, name: str) -> tuple[str, ...]:
        with self._naming(name):
            dataset = self.file[name]
            values = dataset[...]  # not [()], which strips the padding of a single text: the checksum is over it, too
            self._check_sum(name, values, dataset.id)
            return tuple(_text(value) for value in np.atleast_1d(values).tolist())

    def text(self, name: str) -> str:
        return self.texts(name)[0]

    def json(self, name: str) -> Any:
        text = self.text(name)
        try:
            return json.loads(text)
        except ValueError as error:
            raise InputError(f"{self.path}: {name}: expected JSON, but parsing failed ({error}). The file is damaged") from None

    def shape(self, name: str) -> tuple[int, ...]:
        with self._naming(name):
            return tuple(self.file[name].shape)

    def is_group(self, name: str) -> bool:
        with self._naming(name):
            return isinstance(self.file[name], h5py.Group)

    def _check_sum(self, name: str, values: Any, dataset: h5py.h5d.DatasetID) -> None:
        if not h5py.h5a.exists(dataset, b"crc32c"):
            raise InputError(f"{self.path}: {name}@crc32c: the attribute is missing. The file is damaged, or another program wrote it")
        attribute = h5py.h5a.open(dataset, b"crc32c")
        attribute.read(recorded := np.empty((), attribute.dtype))
        found = google_crc32c.value(np.ascontiguousarray(values).tobytes())
        if found != int(recorded):
            raise InputError(f"{self.path}: {name}: expected CRC-32C {int(recorded)}, found {found}. The file is damaged: restore it from a copy")

    @contextlib.contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        try:
            yield
        except (*OF_ANOTHER_SHAPE, OSError, RuntimeError) as error:
            raise InputError(
                f"{self.path}: {name}: the object is missing or cannot be read ({error}). The file is damaged, or it is not a record of a run"
            ) from None


def _plain(value: Any) -> Any:
    return _text(value) if isinstance(value, bytes) else value.item()


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace").rstrip("\0")


class Lazy(Mapping[str, Value], Generic[Value]):
    """A mapping that reads a value from the file each time it is used, and keeps nothing in memory."""

    def __init__(self, names: Callable[[], list[str]], read: Callable[[str], Value], what: str) -> None:
        self._find_names = names
        self._read = read
        self._what = what
        self._names: list[str] | None = None

    @property
    def names(self) -> list[str]:
        if self._names is None:
            self._names = self._find_names()
        return self._names

    def __getitem__(self, name: str) -> Value:
        if name not in self.names:
            raise KeyError(f"no {self._what} '{name}'; there are {', '.join(self.names) or 'none'}")
        return self._read(name)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        shown = ", ".join(self.names[:4]) + (", ..." if len(self) > 4 else "")
        return f"<{len(self)} x {self._what}: {shown}>" if self.names else f"<no {self._what}>"
