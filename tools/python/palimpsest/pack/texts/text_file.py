"""A file of text: gzip or not, its encoding found out, bytes that don't fit kept as lone surrogates for the readers to refuse by line."""

import codecs
import gzip
import io
import pathlib
import typing
import zlib

from .. import InputError
from ..notes import note

SAMPLE = 1 << 20  # bytes at the beginning by which encoding and format are found out
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with a byte order mark"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
Note: typing.TypeAlias = typing.Callable[[str], None]
GZIP = b"\x1f\x8b"


class TextFile(typing.NamedTuple):
    lines: typing.TextIO  # line ends as they are
    sample: str  # its beginning, up to the end of a line
    is_whole: bool  # the sample is the file
    position: typing.Callable[[], int]  # bytes of the file on disk that are read


def start_of(path: str | pathlib.Path, size: int = SAMPLE) -> bytes:
    """The first bytes of a file, unpacked."""
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == GZIP
            file.seek(0)
            return gzip.GzipFile(fileobj=file).read(size) if packed else file.read(size)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: expected a complete gzip file, but it is damaged: {error}. Get the file again") from None
    except OSError as error:
        raise InputError(f"{path}: the file cannot be read: {error.strerror}") from None


def open_text(path: str | pathlib.Path, encoding: str | None = None, newline: str = "", say: Note | None = note) -> TextFile:
    """The file as text, in `encoding`, or in the one that its beginning suggests; another than UTF-8 is named in a note by `say`."""
    start = start_of(path)
    is_whole = len(start) < SAMPLE
    start = start if is_whole else start[: start.rfind(b"\n") + 1] or start
    name = encoding or _encoding(path, start, say or (lambda _: None))
    file = open(path, "rb")  # noqa: SIM115
    binary = typing.cast(typing.BinaryIO, gzip.GzipFile(fileobj=file) if file.read(2) == GZIP else file)
    file.seek(0)
    try:
        sample = codecs.getincrementaldecoder(name)("surrogateescape").decode(start)
        lines = io.TextIOWrapper(binary, encoding=name, errors="surrogateescape", newline=newline)
    except LookupError:
        raise InputError(f"--encoding: expected a name that Python knows, such as utf-8, cp1252 or utf-16, found {name!r}") from None
    except UnicodeError as error:
        raise InputError(f"{path}: expected text in {name}, but decoding failed: {error}. Name another encoding with --encoding") from None
    return TextFile(lines, sample, is_whole, lambda: file.tell())


def lines_of(path: str | pathlib.Path, file: TextFile) -> typing.Iterator[str]:
    """The lines, with InputError for a file that can't be decoded or unpacked to its end."""
    try:
        yield from file.lines
    except UnicodeError as error:
        raise InputError(f"{path}: expected text in {file.lines.encoding}, but decoding failed: {error}. Name another encoding with --encoding") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: expected a complete gzip file, but it is damaged: {error}. Get the file again") from None


def _encoding(path: str | pathlib.Path, start: bytes, say: Note) -> str:
    for mark, name, title in _MARKS:
        if start.startswith(mark):
            say(f"{path}: read as {title}, because of its first bytes")
            return name
    nuls = [start[side::2].count(0) * 2 for side in (0, 1)]
    for side, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if nuls[side] > len(start) // 2 and nuls[1 - side] < len(start) // 20:
            say(f"{path}: read as {name.upper()}, because every second byte is 0; --encoding names another")
            return name
    lines = [line for line in start.split(b"\n") if not line.isascii()]
    if lines and not any(map(_is_utf8, lines)):
        name = "cp1252" if _decodes(start, "cp1252") else "latin-1"
        say(f"{path}: read as {name}, because no line with non-ASCII characters is UTF-8; --encoding names another")
        return name
    return "utf-8"


def _is_utf8(data: bytes) -> bool:
    return _decodes(data, "utf-8")


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def wrong_bytes(text: str) -> str | None:
    """The bytes in a text that its file's encoding doesn't have, as a message shows them, or None."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return repr(text[error.start : error.end].encode("utf-8", "surrogateescape"))
    return None
