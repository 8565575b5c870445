"""Works side by side: what is stopped, what fails, what is left."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from study.children import ROOT, Children, Failed, Stopped


def test_a_failure_does_not_stop_the_others():
    def fail():
        raise Failed("it failed")

    ran = []
    done, failures, left = Children().do_all([("one", fail), ("two", lambda: ran.append(2))], 1)
    assert (done, list(failures), left, ran) == (1, ["one"], 0, [2])


def test_nothing_begins_after_the_minutes():
    done, failures, left = Children(minutes=0).do_all([("one", lambda: pytest.fail("it began"))], 1)
    assert (done, failures, left) == (0, {}, 1)


def test_a_signal_ends_what_runs_and_starts_nothing(tmp_path):
    children = Children()
    children.listen()
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    began = time.monotonic()
    try:
        works = [(name, lambda: children.run(["sleep", "60"], tmp_path / "log")) for name in ("one", "two", "three")]
        assert children.do_all(works, 2) == (0, {}, 3)
        assert time.monotonic() - began < 50 and children.signal == signal.SIGTERM
        with pytest.raises(Stopped):
            children.run(["true"], tmp_path / "log")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_what_runs_ends_with_a_killed_study(tmp_path):
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'bench')!r}); from study.children import Children; Children().run(['sleep', '61.5'], {str(tmp_path / 'log')!r})"
    study = subprocess.Popen([sys.executable, "-c", code])

    def sleeps():
        return subprocess.run(["pgrep", "-f", "^sleep 61.5"], capture_output=True, text=True).stdout.split()

    while not sleeps():
        time.sleep(0.05)
    study.kill()
    study.wait()
    ends = time.monotonic() + 50
    while sleeps() and time.monotonic() < ends:
        time.sleep(0.05)
    assert time.monotonic() < ends


def test_a_program_that_fails_is_named(tmp_path):
    with pytest.raises(Failed, match="expected exit code 0, found 1: false"):
        Children().run(["false"], tmp_path / "log")
