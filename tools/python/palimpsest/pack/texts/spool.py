"""OUT.partial/ of a pack of texts: the token ids in the order of the source, until they are written in the order of the pack."""

import contextlib
import os
import pathlib
import typing

import numpy as np
import numpy.typing as npt

from ...counted import counted
from .. import InputError
from ..arrays import Ints
from ..pack_file import PackIndex
from ..pack_hash import crc32c
from ..partial_folder import PartialFolder
from .tokenizer import Encoded

RECORD = np.dtype([("tokens", "<i4"), ("whole", "<i4"), ("crc32c", "<u4")])
CHUNK = 1 << 16  # texts whose places are Python numbers at a time
Records: typing.TypeAlias = npt.NDArray[np.void]


class Spool(PartialFolder):
    """The files `records` (RECORD of each text) and `tokens` (int32 ids, one text after another).

    `key` changes with all that decides the ids. Without a key nothing is taken from an earlier call, and nothing stays.
    """

    def __init__(self, out: str | pathlib.Path, key: str | None, batch: int) -> None:
        super().__init__(out)
        self._key, self._batch = key, batch
        self._files = contextlib.ExitStack()

    def __enter__(self) -> "Spool":
        super().__enter__()
        self.begin(self._key, ("records", "tokens"))
        self._records = self._files.enter_context(open(self.folder / "records", "a+b"))
        self._tokens = self._files.enter_context(open(self.folder / "tokens", "a+b"))
        self._truncate()
        return self

    def close_files(self) -> None:
        self._files.close()

    def what_stays(self) -> str | None:
        """Of a text there are whole batches alone."""
        texts = (self.folder / "records").stat().st_size // RECORD.itemsize
        return f"the tokens of {counted(texts, 'text')} stay" if self._key is not None and texts else None

    def _truncate(self) -> None:
        """Leaves whole batches whose tokens are all there."""
        self._records.seek(0)
        records = np.frombuffer(self._records.read(), RECORD, os.path.getsize(self._records.name) // RECORD.itemsize)
        ends = 4 * np.concatenate([[0], np.cumsum(records["tokens"], dtype="<i8")])
        whole = int(np.searchsorted(ends, os.path.getsize(self._tokens.name), side="right")) - 1
        self.known = min(whole, len(records)) // self._batch * self._batch
        self._records.truncate(self.known * RECORD.itemsize)
        self._tokens.truncate(int(ends[self.known]))

    def add(self, encoded: Encoded) -> None:
        records = np.zeros(len(encoded.lengths), RECORD)
        records["tokens"], records["whole"] = encoded.lengths, encoded.whole
        ends = np.cumsum(encoded.lengths)
        data = encoded.ids.astype("<i4").tobytes()
        records["crc32c"] = [crc32c(data[4 * (end - length) : 4 * end]) for end, length in zip(ends, encoded.lengths, strict=True)]
        self._tokens.write(data)
        self._tokens.flush()  # first, so that there is no record of tokens that are not there
        self._records.write(records.tobytes())
        self._records.flush()

    def records(self) -> Records:
        """[texts] of RECORD."""
        self._records.seek(0)
        return np.frombuffer(self._records.read(), RECORD)

    def samples(self, begins: Ints, index: PackIndex) -> typing.Iterator[bytes]:
        """The bytes of the texts of `index`, after checking them; `begins` says where each is in the file of tokens."""
        descriptor = self._tokens.fileno()
        for first in range(0, len(begins), CHUNK):
            part = slice(first, first + CHUNK)
            sizes = np.diff(index.offsets[first : first + CHUNK + 1])
            for begin, size, crc in zip(begins[part].tolist(), sizes.tolist(), index.crc32c[part].tolist(), strict=True):
                data = os.pread(descriptor, size, begin)
                if crc32c(data) != crc:
                    raise InputError(f"{self.folder}: expected the tokens that were written before, found others. Repeat the command")
                yield data
