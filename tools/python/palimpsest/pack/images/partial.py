"""OUT.partial/: the images stored so far, so that an interrupted call continues where it stopped."""

import contextlib
import hashlib
import json
import os
import pathlib
import typing

import PIL

from ...counted import counted, form
from .. import InputError
from ..pack_hash import crc32c
from ..partial_folder import PartialFolder
from .decode import Storage, Stored
from .listing import Sample


class Entry(typing.NamedTuple):
    """A stored image: `size` bytes from `offset` in the file of bytes."""

    digest: str
    height: int
    width: int
    offset: int
    size: int
    crc32c: int
    remarks: list[str]  # what a note counts of it


class Partial(PartialFolder):
    """A journal with one line a sample, in order, and a file with the bytes of all of them."""

    outlives_refusals = True  # as by --strict, a class that is too small, or labels of a table

    def __init__(self, out: str | pathlib.Path) -> None:
        super().__init__(out)
        self._size = 0
        self._results: int | None = None  # how many there are, once open() has counted them
        self._files = contextlib.ExitStack()

    def close_files(self) -> None:
        self._files.close()

    def what_stays(self) -> str | None:
        if not (self.folder / "key").exists() or (self._results is not None and not self._size):
            return None
        return "the images of an earlier call stay" if self._results is None else f"{counted(self._results, 'image')} {form(self._results, 'stays', 'stay')}"

    def open(self, samples: list[Sample], storage: Storage) -> list[Entry | str]:
        """The results of an earlier call for the same files: of each sample an Entry, or why it was refused."""
        self.begin(_key(samples, storage), ("journal", "bytes"))
        self._journal = self._files.enter_context(open(self.folder / "journal", "a+b"))  # noqa: SIM115
        self._bytes = self._files.enter_context(open(self.folder / "bytes", "a+b"))  # noqa: SIM115
        results, end = self._whole_lines()
        self._journal.truncate(end)
        self._bytes.truncate(self._size)
        self._results = len(results)
        return results

    def _whole_lines(self) -> tuple[list[Entry | str], int]:
        """The results whose bytes are there, and where the last of them ends in the journal."""
        stored = self._bytes.seek(0, 2)
        results: list[Entry | str] = []
        end = 0
        self._journal.seek(0)
        for line in self._journal:
            try:
                value: typing.Any = json.loads(line) if line.endswith(b"\n") else None
                entry: Entry | str = value if isinstance(value, str) else Entry(*value)
            except (ValueError, TypeError):
                break
            if isinstance(entry, Entry):
                if entry.offset != self._size or entry.offset + entry.size > stored:
                    break
                self._size += entry.size
            results.append(entry)
            end += len(line)
        return results, end

    def add(self, result: Stored | str) -> Entry | str:
        """Keeps a result of store() and returns what open() would give for it."""
        entry = result if isinstance(result, str) else self._entry(result)
        self._journal.write(json.dumps(entry).encode() + b"\n")
        self._results = (self._results or 0) + 1
        return entry

    def _entry(self, stored: Stored) -> Entry:
        digest, height, width, data, remarks = stored
        self._bytes.write(data)
        entry = Entry(digest, height, width, self._size, len(data), crc32c(data), remarks)
        self._size += len(data)
        return entry

    def flush(self) -> None:
        self._bytes.flush()  # first, so that the journal never names bytes that are not there
        self._journal.flush()

    def read(self, entry: Entry) -> bytes:
        """The bytes of a stored image, after checking them."""
        self._bytes.seek(entry.offset)
        data = self._bytes.read(entry.size)
        if crc32c(data) != entry.crc32c:
            raise InputError(f"{self.folder}: expected the bytes that were written before, found others. Delete the folder and repeat the command")
        return data


def _key(samples: list[Sample], storage: Storage) -> str:
    """Changes with whatever decides the stored bytes: files, their sizes and times, storage, decoder."""
    digest = hashlib.sha256(repr((storage, PIL.__version__)).encode())
    status = {}
    for sample in samples:
        if sample.file not in status:
            status[sample.file] = _status(sample.file)
        what = (os.fsencode(sample.file), status[sample.file], sample.offset, sample.size, sample.raw)
        digest.update(repr(what).encode())
    return digest.hexdigest()


def _status(file: str) -> tuple[int, int] | str:
    try:
        status = os.stat(file)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        return str(error)
    return status.st_size, status.st_mtime_ns
