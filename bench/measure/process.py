"""Runs one command to its end: wall time, peak memory, and what others did to it."""

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

POLL = 0.05  # seconds between two looks at the memory


class Failed(Exception):
    pass


def end_on_signals():
    """From now on SIGINT, SIGTERM and SIGHUP end the program with 128 and their number, and what it runs with it."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(number, _):
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)  # the same signal may come once more
        print(f"bench: stopped by {signal.Signals(number).name}; no results are written", file=sys.stderr)
        sys.exit(128 + number)

    for number in numbers:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup keeps its meaning
            signal.signal(number, end)


@contextlib.contextmanager
def ended_with_us(processes):
    """Ends the processes, which then end their own, when the block doesn't end well."""
    try:
        yield
    except BaseException:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        raise


@contextlib.contextmanager
def alone(lock):
    """Takes turns with other measurements on the machine, through a file that they lock, too."""
    if lock is None:
        yield
        return
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _children(pid):
    try:
        for tasks in pathlib.Path(f"/proc/{pid}/task").iterdir():
            for child in (tasks / "children").read_text().split():
                yield int(child)
                yield from _children(int(child))
    except OSError:
        return  # ended meanwhile


def _note_peaks(pid, name, peaks):
    """name: the beginning of the process name: palimpsest becomes palimpsest-train."""
    for child in _children(pid):
        try:
            status = pathlib.Path(f"/proc/{child}/status").read_text()
        except OSError:
            continue
        fields = dict(line.split(":", 1) for line in status.splitlines())
        if fields["Name"].strip().startswith(name) and "VmHWM" in fields:
            peaks[child] = int(fields["VmHWM"].split()[0]) * 1024


def _busy_seconds():
    """Of all cores since the machine started: user, nice, system, interrupts, and what a hypervisor took."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    idle_and_waiting = (3, 4)
    ticks = sum(int(value) for place, value in enumerate(fields[:8]) if place not in idle_and_waiting)
    return ticks / os.sysconf("SC_CLK_TCK")


def _own_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@dataclasses.dataclass(frozen=True)
class Done:
    began: float  # time of the start
    wall: float  # seconds
    processor: float  # seconds, of the command and all that it has started and waited for
    peaks: list  # bytes at the peak of each process whose name begins as requested
    disturbed: float  # share of the cores that others used meanwhile


def run(command, environment, folder, name=None, most_seconds=None, place=None):
    """Runs a command in the folder `place`; its output goes to folder/log. One that takes longer is ended."""
    peaks = {}
    busy, own = _busy_seconds(), _own_seconds()
    with open(folder / "log", "w") as log:
        began = time.time()
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=place)
        with ended_with_us([process]):
            while process.poll() is None:
                if name:
                    _note_peaks(process.pid, name, peaks)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(POLL)
                if most_seconds and time.time() - began > most_seconds:
                    raise Failed(f"longer than {most_seconds} s: {' '.join(map(str, command))}; see {folder / 'log'}")
        wall = time.time() - began
    if process.returncode != 0:
        raise Failed(f"exit code {process.returncode}: {' '.join(map(str, command))}; see {folder / 'log'}")
    processor = _own_seconds() - own
    others = _busy_seconds() - busy - processor
    return Done(began, wall, processor, list(peaks.values()), max(0.0, others) / (wall * os.cpu_count()))
