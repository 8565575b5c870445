"""SIGINT, SIGTERM and SIGHUP end the program: they raise Stopped, and what was begun is taken back on the way out."""

import contextlib
import os
import signal
import sys
import time
import typing

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 2.0  # seconds; launchers send a signal twice; a later one ends the program at once
SAVED = 85  # exit code: the same command continues where this one stopped


class Stopped(BaseException):
    """Not an Exception, so that no code takes it for a broken input."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.saved = ""  # what stays for the same command to continue with

    def exit_code(self) -> int:
        return SAVED if self.saved else 128 + self.number

    def __str__(self) -> str:
        stays = self.saved or "no partial files are left; the same command starts from the beginning"
        return f"stopped by {signal.Signals(self.number).name}; {stays}"


def raise_on_signals() -> None:
    """From now on the first of SIGNALS raises Stopped in the main thread. `nohup` keeps its meaning."""
    first = None

    def handle(number: int, _: object) -> None:
        nonlocal first
        if first is None:
            first = time.monotonic()
            raise Stopped(number)
        if time.monotonic() - first > PATIENCE:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handle)


def end(stopped: Stopped) -> typing.NoReturn:
    """Says what stays and ends the program. The same signal may come once more meanwhile."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    print(f"palimpsest pack: {stopped}", file=sys.stderr)
    sys.exit(stopped.exit_code())


@contextlib.contextmanager
def delayed_signals() -> typing.Iterator[None]:
    """Signals wait until the block ends; a process that starts in it never gets them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
