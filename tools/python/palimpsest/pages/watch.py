"""A page that is renewed while its run is being trained."""

import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator

from .. import runs

SECONDS_BETWEEN = 1.0


def watch(folder: str, write: Callable[[bool], None]) -> None:
    """Calls `write` now and after each task that the run commits, until the run ends; with True the last time. In the main thread.

    Raises InputError where it is no run, and KeyboardInterrupt on SIGINT.
    """
    written = -1
    with _interrupts() as interrupted:
        while True:
            is_last = has_ended(folder)  # looked up first: what the run commits before its end is then in the last page
            done = len(runs.Run(folder).tasks)
            if done != written or is_last:
                write(is_last)
                written = done
            if is_last:
                return
            if interrupted.wait(SECONDS_BETWEEN):
                raise KeyboardInterrupt


@contextlib.contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """SIGINT raises KeyboardInterrupt, and is remembered: Python drops an exception that is raised within a destructor or a callback of a weak reference."""
    interrupted = threading.Event()

    def interrupt(*_: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def has_ended(folder: str) -> bool:
    """Whether the newest event of metrics.jsonl is the run's end."""
    path = os.path.join(folder, "metrics.jsonl")
    if not os.path.exists(path):
        return False
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 4096))
        lines = file.read().splitlines()
    try:
        return bool(lines) and json.loads(lines[-1])["event"] == "run_finished"
    except (ValueError, KeyError, TypeError):
        return False
