"""Starts programs, several side by side, and ends them when the study is asked to stop."""

import concurrent.futures
import os
import pathlib
import signal
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOPPED = 85  # exit code: stopped on request, the same command continues
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "PYTHONDONTWRITEBYTECODE": "1"}


class Failed(Exception):
    """What was expected, what was found, where, and what to do."""


class Stopped(Exception):
    """A signal has come, or the minutes are over."""


class Children:
    """All programs that run now. After a signal every one of them gets SIGTERM once, and none is started."""

    def __init__(self, minutes=None):
        self._running = set()
        self._lock = threading.RLock()  # of a signal's handler, too, which runs in the main thread
        self._ends = None if minutes is None else time.monotonic() + 60 * minutes
        self.signal = None

    def listen(self):
        for number in SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup keeps its meaning
                signal.signal(number, self._stop)

    def _stop(self, number, _):
        with self._lock:
            if self.signal is not None:
                return
            self.signal = signal.Signals(number)
            for process in self._running:
                process.terminate()

    def may_begin(self):
        return self.signal is None and (self._ends is None or time.monotonic() < self._ends)

    def run(self, command, log, output=None, spent=None):
        """Runs a program to its end, in the repository's folder; it ends with the study, however that ends. What it prints goes into files.
        spent: a file to which its processor's seconds are added, as a line."""
        command = [str(word) for word in command]
        with open(log, "a") as errors, open(output or log, "w" if output else "a") as out:
            with self._lock:
                if self.signal is not None:
                    raise Stopped
                process = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "TERM", "--", *command], cwd=ROOT, env=os.environ | ONE_THREAD, stdin=subprocess.DEVNULL,
                    stdout=out, stderr=errors, process_group=0,
                )  # fmt: skip
                self._running.add(process)
            _, status, usage = os.wait4(process.pid, 0)
            code = process.returncode = os.waitstatus_to_exitcode(status)
            with self._lock:
                self._running.discard(process)
        if spent:
            with open(spent, "a") as file:
                file.write(f"{usage.ru_utime + usage.ru_stime:.1f}\n")
        if self.signal is not None:
            raise Stopped
        if code != 0:
            raise Failed(f"expected exit code 0, found {code}: {' '.join(command)}; {log} says more")

    def do_all(self, works, jobs):
        """Calls every (name, function), `jobs` of them side by side. Returns how many are done, the failures by name, and how many are left."""
        done, failures, left = 0, {}, 0

        def do(name, function):
            if not self.may_begin():
                raise Stopped
            print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
            function()

        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            futures = {pool.submit(do, *work): work[0] for work in works}
            for future in concurrent.futures.as_completed(futures):
                try:
                    future.result()
                    done += 1
                except Stopped:
                    left += 1
                except Failed as failure:
                    failures[futures[future]] = failure
                    print(f"{futures[future]} failed: {failure}", flush=True)
        return done, failures, left
