"""The two checks of a pack: CRC-32C of every sample, SHA-256 of the whole content. checkpoints_schema/README.md."""

import hashlib
import typing

import google_crc32c
import numpy as np
import numpy.typing as npt

CODES = {"<f4": "f4", "<f8": "f8", "<i4": "i4", "<i8": "i8", "|u1": "u1", "<u4": "u4", "<u8": "u8"}


def crc32c(data: bytes | memoryview) -> int:
    """CRC-32C (Castagnoli) of bytes."""
    return int(google_crc32c.value(bytes(data)))


def sha256(text: str) -> str:
    """SHA-256 of a text in UTF-8, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


class ContentHash:
    """SHA-256 of objects given in byte order of their paths: path, type, dimensions and bytes."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, path: str, value: str | list[str] | npt.NDArray[typing.Any]) -> None:
        """A text, a list of texts, a number or an array."""
        if isinstance(value, str):
            self.begin(path, "str", [])
            self.update(value.encode() + b"\0")
        elif isinstance(value, list):
            self.begin(path, "str", [len(value)])
            self.update(b"".join(text.encode() + b"\0" for text in value))
        else:
            array = np.asarray(value)
            self.begin(path, CODES[array.dtype.str], array.shape)
            self.update(array.tobytes())

    def begin(self, path: str, code: str, dims: typing.Iterable[object]) -> None:
        """An object whose bytes follow in calls of update()."""
        head = (path, code, ",".join(map(str, dims)), "")
        self.update(b"\0".join(part.encode() for part in head))

    def update(self, data: bytes) -> None:
        self._digest.update(data)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()
