"""OUT.partial/: what is stored so far, so that an interrupted call continues where it stopped."""

import fcntl
import pathlib
import shutil
import typing

from . import InputError
from .notes import note
from .stop import Stopped

Folder = typing.TypeVar("Folder", bound="PartialFolder")


class PartialFolder:
    """A folder beside the pack, for one call at a time.

    It is deleted when the block has called done(), has stored nothing, or refuses its input, unless `outlives_refusals`.
    """

    outlives_refusals = False  # whether a call with other options can use what one has stored that ended with InputError

    def __init__(self, out: str | pathlib.Path) -> None:
        out = pathlib.Path(out)
        self.folder = out.with_name(out.name + ".partial")
        self._done = False

    def __enter__(self: Folder) -> Folder:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = open(self.folder / "lock", "w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise InputError(f"{self.folder}: another call is writing this pack. Wait for it to finish, or choose another --out") from None
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self.close_files()
        stays = self.what_stays()
        is_refusal = isinstance(error, InputError)
        if self._done or stays is None or (is_refusal and not self.outlives_refusals):
            shutil.rmtree(self.folder)
        elif isinstance(error, Stopped):
            error.saved = f"{stays} in {self.folder}; the same command continues there"
        else:
            note(f"{stays} in {self.folder}; {'another call for the same files' if is_refusal else 'the same command'} continues there")
        self._lock.close()

    def begin(self, key: str | None, names: typing.Sequence[str]) -> None:
        """Deletes these files unless an earlier call wrote them by the same key; None is no key, and takes nothing from an earlier call."""
        key_file = self.folder / "key"
        if key is None or not key_file.exists() or key_file.read_text() != key:
            for name in names:
                (self.folder / name).unlink(missing_ok=True)
            key_file.write_text(key or "")

    def done(self) -> None:
        self._done = True

    def close_files(self) -> None:
        """Closes what the block has opened in the folder."""

    def what_stays(self) -> str | None:
        """What the folder has for the next call, as "3 images stay", or None if that is nothing."""
        raise NotImplementedError
