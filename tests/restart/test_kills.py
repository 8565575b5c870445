"""However often a run is killed, and wherever: resumed, it ends in the records of an undisturbed run.

PALIMPSEST_KILLS says how many kills (30, of which the first ten are a separate test); PALIMPSEST_KILL_SEED, at which moments; PALIMPSEST_KILL_LOG names a file for a line each.
"""

import collections
import os
import random
import signal
import subprocess
import time

import pytest
from program import MPIRUN

KILLS = int(os.environ.get("PALIMPSEST_KILLS", 30))
FIRST = min(10, KILLS)
SEED = int(os.environ.get("PALIMPSEST_KILL_SEED", 1))
# 60 steps a task; a checkpoint every 7 and after the last.
OPTIONS = ["--epochs", 30, "--checkpoint-every", 7, "--resume", "auto"]
POINTS = ["create", "half", "close", "fsync", "rename"]


@pytest.fixture(scope="module", params=["toy", pytest.param("sequences_toy", marks=pytest.mark.slow)])
def stream(request):
    """Texts with classes, and prompts with completions."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def undisturbed(stream):
    since = time.monotonic()
    stream.run(*OPTIONS, out="never-killed")
    return stream.records("never-killed"), time.monotonic() - since


def processes_of(folder):
    """{pid: program} of a job: its ranks, and mpirun with its wrapper."""
    found = subprocess.run(["pgrep", "-f", f" --out {folder} "], capture_output=True, text=True)
    programs = {}
    for pid in found.stdout.split():
        try:
            programs[int(pid)] = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
        except OSError:  # it has ended meanwhile
            pass
    return programs


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Killer:
    """Starts the run, kills it once, and returns whether the kill came before the end."""

    def __init__(self, toy, kill_at, seconds, seed):
        self.toy, self.kill_at, self.seconds = toy, kill_at, seconds
        self.random = random.Random(seed)

    def start(self, out, ranks, environment=None):
        launcher = [MPIRUN, "-n", str(ranks)] if ranks > 1 else []
        command = [*launcher, *self.toy.command(*OPTIONS, out=out)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                start_new_session=True)

    def in_a_write(self, out):
        """The writing rank, at a point of writing a file."""
        point, number = self.random.choice(POINTS), self.random.randint(1, 80)
        process = self.start(out, 1, self.kill_at(point, number))
        text, _ = process.communicate(timeout=60)
        assert process.returncode in (0, -signal.SIGKILL), text
        return process.returncode != 0, f"{point} of file {number}"

    def whole_job(self, out):
        """Every process of the job at once, as when a node loses power."""
        process = self.start(out, 2)
        after = self.random.uniform(0, 1.5 * self.seconds)
        time.sleep(after)
        kill(processes_of(self.toy.path("runs", out)))
        process.communicate(timeout=60)
        return process.returncode != 0, f"both ranks after {after:.2f} s"

    def one_rank(self, out):
        """One of two ranks; the other must end, too."""
        process = self.start(out, 2)
        after = self.random.uniform(0.3, 1.5 * self.seconds)
        time.sleep(after)
        programs = processes_of(self.toy.path("runs", out))
        ranks = [pid for pid, program in programs.items() if program == "palimpsest"]
        kill(self.random.sample(ranks, min(1, len(ranks))))
        text, _ = process.communicate(timeout=60)
        assert process.returncode in (0, 5), text
        return process.returncode == 5, f"one rank after {after:.2f} s"

    def at_a_moment(self, out):
        """A job of one process, at any time."""
        process = self.start(out, 1)
        after = self.random.uniform(0, self.seconds)
        time.sleep(after)
        process.kill()
        process.communicate(timeout=60)
        return process.returncode != 0, f"one process after {after:.2f} s"


@pytest.mark.parametrize("part, kills", [("first", FIRST), pytest.param("others", KILLS - FIRST, marks=pytest.mark.slow)], ids=["first", "others"])
def test_a_killed_run_ends_as_if_nothing_had_happened(stream, undisturbed, kill_at, part, kills):
    if kills <= 0:
        pytest.skip("PALIMPSEST_KILLS requests no more than the first test has")
    records, seconds = undisturbed
    killer = Killer(stream, kill_at, seconds, f"{SEED} {part}")
    ways = [killer.in_a_write, killer.at_a_moment, killer.in_a_write, killer.whole_job, killer.in_a_write, killer.one_rank]
    landed = collections.Counter()
    log = open(os.environ.get("PALIMPSEST_KILL_LOG", os.devnull), "a", buffering=1)
    run = 0
    while landed.total() < kills:
        run += 1
        out = f"killed-{part}-{run}"
        history = []
        for _ in range(3):  # a run may be killed more than once
            way = ways[(landed.total() + len(history)) % len(ways)]
            hit, what = way(out)
            history.append(what)
            landed[way.__name__] += hit
            log.write(f"{way.__name__}\t{'killed' if hit else 'too late'}\t{what}\n")
        stream.run(*OPTIONS, ranks=1 + run % 2, out=out)
        assert stream.records(out) == records, history
        steps = open(stream.path("runs", out, "metrics.jsonl")).read().count('"event":"step"')
        assert steps == 4 * 60, (steps, history)
        left = [name for _, _, names in os.walk(stream.path("runs", out)) for name in names if name.endswith(".tmp")]
        assert not left, (left, history)
    print(dict(landed))
