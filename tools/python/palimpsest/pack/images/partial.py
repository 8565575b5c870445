"""OUT.partial/: the images stored so far, so that an interrupted call continues where it stopped."""

import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import typing

import PIL

from .. import InputError
from ..notes import note
from ..pack_hash import crc32c
from ..stop import Stopped


class Entry(typing.NamedTuple):
    """A stored image: `size` bytes from `offset` in the file of bytes."""

    digest: str
    height: int
    width: int
    offset: int
    size: int
    crc32c: int
    remarks: list  # what a note counts of it


class Partial:
    """A journal with one line a sample, in order, and a file with the bytes of all of them.

    The folder goes when the block has called done(), or stored nothing; else it stays for the next call.
    """

    def __init__(self, out):
        out = pathlib.Path(out)
        self.folder = out.with_name(out.name + ".partial")
        self._size, self._done = 0, False
        self._results = None  # how many there are, once open() has counted them
        self._journal = self._bytes = None

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = open(self.folder / "lock", "w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise InputError(
                f"{self.folder}: expected no other call that writes this pack, found one. Wait for it, or take another "
                "--out"
            ) from None
        return self

    def __exit__(self, _, error, __):
        for file in (self._journal, self._bytes):
            if file:
                file.close()
        if self._done or self._results == 0 or not (self.folder / "key").exists():
            shutil.rmtree(self.folder)
        else:
            images = "the images of an earlier call" if self._results is None else f"{self._results} images"
            stays = f"{images} stay in {self.folder}; the same command continues there"
            if isinstance(error, Stopped):
                error.saved = stays
            else:
                note(stays)
        self._lock.close()

    def done(self):
        self._done = True

    def open(self, samples, storage):
        """The results of an earlier call for the same files: of each sample an Entry, or why it was refused."""
        key, key_file = _key(samples, storage), self.folder / "key"
        if not key_file.exists() or key_file.read_text() != key:
            for name in ("journal", "bytes"):
                (self.folder / name).unlink(missing_ok=True)
            key_file.write_text(key)
        self._journal = open(self.folder / "journal", "a+b")
        self._bytes = open(self.folder / "bytes", "a+b")
        results, end = self._whole_lines()
        self._journal.truncate(end)
        self._bytes.truncate(self._size)
        self._results = len(results)
        return results

    def _whole_lines(self):
        """The results whose bytes are there, and where the last of them ends in the journal."""
        stored = self._bytes.seek(0, 2)
        results, end = [], 0
        self._journal.seek(0)
        for line in self._journal:
            try:
                value = json.loads(line) if line.endswith(b"\n") else None
                entry = value if isinstance(value, str) else Entry(*value)
            except (ValueError, TypeError):
                break
            if isinstance(entry, Entry):
                if entry.offset != self._size or entry.offset + entry.size > stored:
                    break
                self._size += entry.size
            results.append(entry)
            end += len(line)
        return results, end

    def add(self, result):
        """Keeps a result of store() and returns what open() would give for it."""
        if not isinstance(result, str):
            digest, height, width, data, remarks = result
            self._bytes.write(data)
            result = Entry(digest, height, width, self._size, len(data), crc32c(data), remarks)
            self._size += len(data)
        self._journal.write(json.dumps(result).encode() + b"\n")
        self._results += 1
        return result

    def flush(self):
        self._bytes.flush()  # first, so that the journal never names bytes that are not there
        self._journal.flush()

    def read(self, entry):
        """The bytes of a stored image, after checking them."""
        self._bytes.seek(entry.offset)
        data = self._bytes.read(entry.size)
        if crc32c(data) != entry.crc32c:
            raise InputError(
                f"{self.folder}: expected the bytes written before, found others. Delete it and call again"
            )
        return data


def _key(samples, storage):
    """Changes with whatever decides the stored bytes: files, their sizes and times, storage, decoder."""
    digest = hashlib.sha256(repr((storage, PIL.__version__)).encode())
    status = {}
    for sample in samples:
        if sample.file not in status:
            status[sample.file] = _status(sample.file)
        what = (os.fsencode(sample.file), status[sample.file], sample.offset, sample.size, sample.raw)
        digest.update(repr(what).encode())
    return digest.hexdigest()


def _status(file):
    try:
        status = os.stat(file)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        return str(error)
    return status.st_size, status.st_mtime_ns
