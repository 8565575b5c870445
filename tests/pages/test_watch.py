"""The page is written again when the run commits a task, and the program ends with the run."""

import contextlib
import json
import os
import signal
import time

import pytest
from palimpsest.pages.watch import has_ended, watch

END = '{"event":"run_finished","time":2,"seconds":1}\n'


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_it_follows_the_run(golden, start_report):
    whole = json.loads((golden / "manifest.json").read_text())

    def commit(tasks):
        (golden / "new.json").write_text(json.dumps(whole | {"tasks_done": tasks}))
        os.replace(golden / "new.json", golden / "manifest.json")

    def shows(text):
        return (golden / "report.html").exists() and text in (golden / "report.html").read_text()

    (golden / "metrics.jsonl").write_text("")
    os.remove(golden / "manifest.json")
    process = start_report(golden, "--watch")
    wait_for(lambda: shows("0 tasks done"))
    for tasks, said in ((1, "1 task done"), (2, "2 tasks done")):
        commit(tasks)
        wait_for(lambda said=said: shows(said))
        assert shows('http-equiv="refresh"') and process.poll() is None
    (golden / "metrics.jsonl").write_text(END)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and errors == "" and shows("2 tasks done") and not shows('http-equiv="refresh"')


def test_the_end_is_the_newest_event(golden):
    assert not has_ended(golden)
    with open(golden / "metrics.jsonl", "a") as file:
        file.write(END)
    assert has_ended(golden)
    with open(golden / "metrics.jsonl", "a") as file:
        file.write('{"event":"run_started","time":3}\n{"event":"st')
    assert not has_ended(golden)
    os.remove(golden / "metrics.jsonl")
    assert not has_ended(golden)


def test_an_interrupt_that_is_dropped_ends_the_watching_all_the_same(golden):
    def drop_an_interrupt(is_last):
        with contextlib.suppress(KeyboardInterrupt):  # as Python does within a destructor
            signal.raise_signal(signal.SIGINT)

    (golden / "metrics.jsonl").unlink()
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        watch(str(golden), drop_an_interrupt)
    assert signal.getsignal(signal.SIGINT) is before


def test_watching_says_what_it_waits_for(golden, start_report):
    process = start_report(golden, "--watch")
    assert process.stdout.readline() == f"watching {golden}: the page is written again after each task, until the run ends. Ctrl-C stops watching\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
