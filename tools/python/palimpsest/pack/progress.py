"""How far a long piece of work is: a bar on a terminal, a plain line now and then elsewhere. On stderr."""

import sys
import time
import typing

BAR = 30  # characters
ON_TERMINAL, ELSEWHERE = 0.2, 15.0  # seconds between two reports


class Progress:
    def __init__(self, what: str, total: float, done: float = 0, stream: typing.TextIO | None = None) -> None:
        self._what, self._total, self._stream = what, total, stream or sys.stderr
        self._first, self._done = done, done
        self._terminal = self._stream.isatty()
        self._began = self._reported = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal and self._done > self._first:
            print(f"\r{self._line()}", file=self._stream, flush=True)

    def step(self) -> None:
        self.move(self._done + 1)

    def move(self, done: float) -> None:
        """Says that so many are done, where a report is due."""
        self._done = done
        now = time.monotonic()
        if now - self._reported >= (ON_TERMINAL if self._terminal else ELSEWHERE):
            self._reported = now
            end = {"end": ""} if self._terminal else {}
            start = "\r" if self._terminal else "palimpsest pack: "
            print(f"{start}{self._line()}", file=self._stream, flush=True, **end)

    def say(self, text: str) -> None:
        """A line of text above the bar."""
        clear = "\r\033[K" if self._terminal else ""
        print(f"{clear}{text}", file=self._stream, flush=True)

    def _line(self) -> str:
        rate = (self._done - self._first) / max(1e-9, time.monotonic() - self._began)
        line = f"{self._done:.0f} of {self._total:.0f} {self._what}"
        if rate:
            line += f", {rate:{'.0f' if rate >= 10 else '.2g'}} {self._what}/s, {_clock((self._total - self._done) / rate)} left"
        if not self._terminal:
            return line
        full = int(BAR * self._done / self._total)
        return f"[{'#' * full}{'.' * (BAR - full)}] {line}\033[K"


def _clock(seconds: float) -> str:
    """Minutes and seconds, and hours where there are any: "1:44", "2:00:07"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
