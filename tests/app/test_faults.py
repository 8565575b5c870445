"""A rank that throws, is killed or disagrees ends the job within ten seconds, with a message that says who and where."""

import os
import re
import signal
import subprocess
import time

import toy as toy_module
import pytest
from program import MPIRUN


def ended(process, since):
    output, _ = process.communicate(timeout=30)
    return time.monotonic() - since, output


@pytest.fixture
def start():
    """Starts jobs; those that a failed test leaves behind are ended."""
    jobs = []

    def started(command):
        jobs.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return jobs[-1]

    yield started
    for job in jobs:
        if job.poll() is None:
            job.terminate()
            job.communicate(timeout=30)


def parent_of(pid):
    """None where the process has ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return None


def ranks_of(toy, out):
    """Process ids of a job's two ranks. A child that a rank has for a moment bears its command line."""
    found = subprocess.run(["pgrep", "-f", f"^{re.escape(toy.command()[0])} .*{re.escape(toy.path('runs', out))}( |$)"], capture_output=True, text=True)
    pids = [int(pid) for pid in found.stdout.split()]
    ranks = [pid for pid in pids if parent_of(pid) not in [None, *pids]]
    assert len(ranks) == 2, ranks
    return ranks


def test_a_killed_rank_ends_the_job(toy, start):
    process = start([MPIRUN, "-n", "2", *toy.command("--epochs", 100000, out="killed")])
    log = toy.path("runs", "killed", "metrics.jsonl")
    deadline = time.monotonic() + 30
    while not (os.path.exists(log) and os.path.getsize(log) > 0):
        assert time.monotonic() < deadline, "the run did not start"
        time.sleep(0.1)
    time.sleep(1)
    pids = ranks_of(toy, "killed")
    os.kill(pids[-1], signal.SIGKILL)
    seconds, text = ended(process, time.monotonic())
    assert seconds < 10
    assert process.returncode == 5, text
    assert re.search(r"rank \d.*phase.*training.*task.*step", text), text
    assert not any(os.path.exists(f"/proc/{pid}/cmdline") and open(f"/proc/{pid}/cmdline").read() for pid in pids)


@pytest.mark.slow
def test_a_rank_that_hangs_ends_the_job(toy, start):
    process = start([MPIRUN, "-n", "2", *toy.command("--epochs", 100000, "--hang-seconds", 3, out="hangs")])
    log = toy.path("runs", "hangs", "metrics.jsonl")
    deadline = time.monotonic() + 30
    while not (os.path.exists(log) and os.path.getsize(log) > 0):
        assert time.monotonic() < deadline, "the run did not start"
        time.sleep(0.1)
    time.sleep(1)
    pids = ranks_of(toy, "hangs")
    os.kill(pids[-1], signal.SIGSTOP)
    seconds, text = ended(process, time.monotonic())
    assert 3 <= seconds < 3 + 10
    assert process.returncode == 5, text
    assert re.search(r"took longer than 3 s \(task 1, step \d+, last collective '.+'\): a peer is lost or hangs", text), text
    assert re.search(r"no sign of life for \d+ s from rank \d \(host .+, phase '.+', task 1, step \d+", text), text
    assert not any(os.path.exists(f"/proc/{pid}/cmdline") and open(f"/proc/{pid}/cmdline").read() for pid in pids)


def test_a_rank_that_throws_ends_the_job_with_its_own_code(toy, start):
    since = time.monotonic()
    good, bad = toy.command(out="throws"), toy.command("--pack", toy.path("missing.h5"), out="throws")
    process = start([MPIRUN, "-n", "1", *good, ":", "-n", "1", *bad])
    seconds, text = ended(process, since)
    assert seconds < 15  # the start included
    assert process.returncode == 3, text
    assert re.search(r"rank 1 .*missing\.h5", text), text


def test_ranks_with_different_settings_are_named(toy, start):
    process = start([MPIRUN, "-n", "1", *toy.command(out="differ"), ":", "-n", "1", *toy.command("--seed", 9, out="differ")])
    _, text = ended(process, time.monotonic())
    assert process.returncode == 1, text
    assert '"seed":1' in text and '"seed":9' in text and "rank 1" in text, text


@pytest.mark.slow
def test_ranks_with_different_protocols_are_named(toy, start):
    other = toy.path("swapped.json")
    toy_module.make_protocol(other, tasks=[{"name": "task 1", "classes": ["class 1", "class 0"]}])
    for changes in (["--protocol", other, "--tasks", 1], ["--tasks", 2]):
        process = start([MPIRUN, "-n", "1", *toy.command("--tasks", 1, out="protocols"), ":", "-n", "1",
                         *toy.command(*changes, out="protocols")])
        _, text = ended(process, time.monotonic())
        assert process.returncode == 1, text
        assert "tasks, by protocol and --tasks" in text, text


def test_two_runs_never_share_a_folder(toy, start):
    process = start(toy.command("--epochs", 100000, out="shared"))
    deadline = time.monotonic() + 30
    while not os.path.exists(toy.path("runs", "shared", "metrics.jsonl")):
        assert time.monotonic() < deadline, "the run did not start"
        time.sleep(0.1)
    text = toy.run("--epochs", 100000, "--resume", "auto", out="shared", code=2)
    process.kill()
    process.communicate()
    assert "in use by another run" in text


def test_divergence_is_named_and_has_its_own_code(toy):
    text = toy.run("--lr", 1e30, "--perturbation", "none", ranks=2, out="diverged", code=4)
    assert re.search(r"task 1, step \d+: loss", text) and "--lr" in text, text


@pytest.mark.slow
@pytest.mark.parametrize("asked_by", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_no_launcher_started_stops_likewise(toy, asked_by, start):
    out = f"alone-{asked_by.name}"
    process = start(toy.command("--epochs", 500, out=out))
    log = toy.path("runs", out, "metrics.jsonl")
    deadline = time.monotonic() + 30
    while not (os.path.exists(log) and '"task_started"' in open(log).read()):
        assert time.monotonic() < deadline, "the run did not start"
        time.sleep(0.05)
    process.send_signal(asked_by)
    _, text = ended(process, time.monotonic())
    assert process.returncode == 85, text
    assert [name for name in toy.records(out) if name.startswith("step-0000-")]


@pytest.mark.slow
def test_term_stops_at_the_next_step_and_a_resume_continues(toy, reference_run, start):
    # Enough epochs that the first task is still running when TERM comes; no checkpoint but that of the stop.
    process = start([MPIRUN, "-n", "2", *toy.command("--epochs", 200, "--checkpoint-minutes", 0, out="stopped")])
    log = toy.path("runs", "stopped", "metrics.jsonl")
    deadline = time.monotonic() + 30
    while not (os.path.exists(log) and '"task_started"' in open(log).read()):
        assert time.monotonic() < deadline, "the run did not start"
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, text = ended(process, time.monotonic())
    assert process.returncode == 85, text
    assert "stopped on request with" in text
    assert re.search(r"training step > saving a step', task 1, step \d+", text), text
    assert [name for name in toy.records("stopped") if name.startswith("step-0000-")]
    toy.run("--epochs", 200, "--resume", "auto", ranks=3, out="stopped")
    toy.run("--epochs", 200, out="not-stopped")
    assert toy.records("stopped") == toy.records("not-stopped")
