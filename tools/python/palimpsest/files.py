"""Files that appear whole or not at all."""

import contextlib
import os
import pathlib
import typing


@contextlib.contextmanager
def atomic(path: str | pathlib.Path) -> typing.Iterator[pathlib.Path]:
    """Gives a temporary path beside `path`; when the block ends well, syncs it and renames it to `path`."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
