"""--profile: a trace whose phases nest and fill the time, a table of them, and the rank that delays the others by name."""

import collections
import json
import os
import re
import signal
import subprocess
import time
from decimal import Decimal

import pytest
from program import MPIRUN

STEPS, TASKS = 12, 4
# Opening the backbone takes rank 1 two seconds more.
SLOW_START = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int open(const char* path, int flags, ...) {
  static int slept = 0;
  va_list more;
  va_start(more, flags);
  const int mode = va_arg(more, int);
  va_end(more);
  const char* rank = getenv("OMPI_COMM_WORLD_RANK");
  if (!slept && strstr(path, "model.safetensors") && rank && strcmp(rank, "1") == 0) slept = sleep(2) == 0;
  return ((int (*)(const char*, int, ...))dlsym(RTLD_NEXT, "open"))(path, flags, mode);
}
"""


@pytest.fixture(scope="module")
def profiled(toy):
    """What a run over two ranks prints, and its trace."""
    return toy.run("--profile", ranks=2, out="profiled"), read(toy, "profiled")


def read(toy, out):
    with open(toy.path("runs", out, "profile.json")) as file:
        return json.load(file, parse_float=Decimal)["traceEvents"]


def phases_of(trace, rank):
    return [event for event in trace if event["ph"] == "X" and event["pid"] == rank]


def test_results_are_those_of_a_run_without(toy, reference_run, profiled):
    assert toy.records("profiled") == toy.records("reference")
    assert toy.metrics("profiled") == toy.metrics("reference")
    assert not os.path.exists(os.path.join(reference_run, "profile.json"))


@pytest.mark.parametrize("rank", [0, 1])
def test_phases_nest_and_fill_the_time(profiled, rank):
    phases = phases_of(profiled[1], rank)
    outermost, around = Decimal(0), []
    for event in sorted(phases, key=lambda event: (event["ts"], -event["dur"])):
        assert event["ts"] >= 0 and event["dur"] >= 0 and event["tid"] == 0
        end = event["ts"] + event["dur"]
        while around and around[-1] <= event["ts"]:
            around.pop()
        if around:
            assert end <= around[-1], event
        else:
            outermost += event["dur"]
        around.append(end)
    wall = max(event["ts"] + event["dur"] for event in phases)
    assert Decimal("0.95") * wall < outermost <= wall


@pytest.mark.parametrize("rank", [0, 1])
def test_every_phase_is_there_with_its_task_and_step(profiled, rank):
    phases = phases_of(profiled[1], rank)
    count = collections.Counter((event["name"], event["cat"]) for event in phases)
    assert all(count[f"task {task}", "phase"] == 1 for task in (1, 2, 3, 4)) and count["start", "phase"] == 1
    assert count["training step", "phase"] == STEPS * TASKS
    assert count["merging", "phase"] == count["saving", "phase"] == TASKS
    assert count["evaluation", "phase"] == 2 * TASKS - 1  # the first merge changes nothing
    assert count["agreement after a step", "collective"] >= STEPS * TASKS
    assert count["exchange", "collective"] >= 2 * STEPS * TASKS
    steps = [(event["args"]["task"], event["args"]["step"]) for event in phases if event["name"] == "training step"]
    assert steps == [(task, step) for task in range(1, TASKS + 1) for step in range(1, STEPS + 1)]
    (name,) = [event["args"]["name"] for event in profiled[1] if event["name"] == "process_name" and event["pid"] == rank]
    assert re.fullmatch(rf"rank {rank} \(.+\)", name)


def test_the_table_has_every_second_once(profiled):
    text, trace = profiled
    (total,) = re.findall(r"without that of phases within: ([\d.]+) s on each of 2 ranks", text)
    rows = re.findall(r"^(\S.*?) {2,}(collective)? +(\d*) +([\d.]+) +([\d.]+) +([\d.]+) \((\d)\) +([\d.]+) \((\d)\)$", text, re.MULTILINE)
    assert {"training step", "outside phases", "evaluation", "merging", "saving"} <= {row[0] for row in rows}
    assert sum(float(row[3]) for row in rows) == pytest.approx(float(total), abs=0.001 * len(rows))
    assert sum(float(row[4]) for row in rows) == pytest.approx(100, abs=0.05 * len(rows) + 0.1)
    assert all(float(row[5]) <= float(row[3]) + 0.001 and float(row[3]) <= float(row[7]) + 0.001 for row in rows)
    walls = [max(event["ts"] + event["dur"] for event in phases_of(trace, rank)) for rank in (0, 1)]
    assert float(total) == pytest.approx(float(sum(walls) / 2) / 1e6, rel=0.05)


@pytest.mark.slow
def test_the_slowest_rank_is_named(toy, tmp_path):
    (tmp_path / "slow.c").write_text(SLOW_START)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "slow.so", tmp_path / "slow.c", "-ldl"], check=True)
    command = [MPIRUN, "-x", f"LD_PRELOAD={tmp_path / 'slow.so'}", "-n", "2", *toy.command("--profile", "--tasks", 1, out="slow")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (rank, where, by) = re.search(r"Slowest: rank (\d) \(host \S+\), .* Most above the mean: '(.+)', by ([\d.]+) s", done.stdout).groups()
    assert rank == "1" and where == "opening pack and backbone" and 0.5 < float(by) < 2, done.stdout


@pytest.mark.slow
def test_a_killed_run_leaves_what_was_written(toy):
    path = toy.path("runs", "killed-profile", "profile.json")
    job = subprocess.Popen(toy.command("--profile", "--epochs", 100, out="killed-profile"), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (os.path.exists(path) and '"task 1"' in open(path).read()):
        assert time.monotonic() < deadline and job.poll() is None
        time.sleep(0.01)
    job.send_signal(signal.SIGKILL)
    job.wait()
    names = {event["name"] for event in read(toy, "killed-profile")}
    assert {"start", "task 1", "training step"} <= names and f"task {TASKS}" not in names
