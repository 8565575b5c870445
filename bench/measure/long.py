"""python -m measure.long, from bench/: what grows along a stream. Called by bench/long.sh."""

import argparse
import collections
import contextlib
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
import toy

from . import machine, process
from .inputs import BENCH, ROOT
from .table import number

FOLDER = BENCH / "long"
EARLY, SPAN = 10, 10  # tasks around the early one, and the last ones
DONE, FEW_DONE = 10, 2  # tasks of a run that is resumed
HUGE_WEIGHTS = 24 * 2 * 1024 * 1024
# What the closed form by one alpha reads and writes for each adapted weight, in bytes: the Fisher's mass along the task vector twice (2 x 8), that of the
# memory (12), S0 and S1 brought up to date (40), the new weights' zeros (4), numerator, denominator and new weights (32), predicted rise (12).
MERGE_BYTES = 116
COST_TASKS, HUGE_TASKS = 3, 3
REPEATS = 3  # of a stream whose cost is measured
# By name: what a stream is trained with, all of the same epochs, batches and adapter.
COSTS = {
    "plain LoRA": ("--merge", "none", "--perturbation", "none"),
    "P&M": (),
    "P&M, samples=10": ("--curvature", "empirical:samples=10"),
    "P&M, samples=10, before a merge the newest task alone": ("--curvature", "empirical:samples=10", "--evaluate-before-merge", "false"),
}
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def make_inputs(name, tasks, layers, hidden, train=8, test=8, **changes):
    """A backbone with random weights, a pack of two classes a task with so many samples each, a protocol, and their configuration."""
    folder = FOLDER / f"{name}-{tasks}"
    if (folder / "toy.cfg").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    toy.make_backbone(folder / "backbone", hidden=hidden, layers=layers)
    toy.make_pack(folder / "pack.h5", train=train, test=test, classes=2 * tasks)
    toy.make_protocol(folder / "protocol.json", classes=2 * tasks, train_per_class=train, test_per_class=test)
    settings = {**toy.settings(folder), "epochs": 1, "batch": 16, "evaluation-batch": 64, "lr": "1e-3"} | changes
    toy.write_config(folder / "toy.cfg", settings)
    return folder


def small(tasks):
    return make_inputs("small", tasks, layers=2, hidden=256, epochs=5)


def large():
    return make_inputs("large", DONE, layers=12, hidden=768)


def middle():
    """As large as MiniLM with short texts."""
    return make_inputs("middle", COST_TASKS, layers=6, hidden=384, train=300, test=60, epochs=5)


def huge():
    """As many adapted weights as ViT-L has: 24 layers, key and value."""
    return make_inputs("huge", HUGE_TASKS, layers=24, hidden=1024, train=100, epochs=2)


def call(*command):
    """Seconds that a command takes. Raises process.Failed with its last words."""
    began = time.perf_counter()
    done = subprocess.run([*map(str, command)], env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode != 0:
        raise process.Failed(f"exit code {done.returncode}: {' '.join(map(str, command))}\n{(done.stdout + done.stderr)[-2000:]}")
    return time.perf_counter() - began


def train(build, inputs, out, *arguments):
    return [build / "src" / "palimpsest", "train", "--config", inputs / "toy.cfg", "--out", out, *arguments]


def at_two_ranks(command):
    return [ROOT / "launch" / "mpirun.sh", "-n", 2, *command]


def events_of(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def memory_of(command):
    """Runs it: [(time, resident bytes)]."""
    samples, ended = [], threading.Event()
    program = subprocess.Popen([*map(str, command)], env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def look():
        while not ended.wait(0.02):
            with contextlib.suppress(OSError, KeyError):
                fields = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{program.pid}/status").read_text().splitlines())
                samples.append((time.time(), int(fields["VmRSS"].split()[0]) * 1024))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        with process.ended_with_us([program]):
            if program.wait() != 0:
                raise process.Failed(f"exit code {program.returncode}: {' '.join(map(str, command))}")
    finally:
        ended.set()
        watcher.join()
    return samples


def measure_tasks(build, options, work):
    """Of the tasks around task 10 and of the last ones, medians: wall time without evaluation, saving, evaluation; and the peak of memory."""
    out = work / "run"
    samples = memory_of(train(build, small(options.tasks), out))
    events = events_of(out)
    starts = [event["time"] for event in events if event["event"] in ("task_started", "run_finished")]
    evaluation, saving = collections.defaultdict(float), {}
    for event in events:
        if event["event"] == "evaluated" and event["is_own"]:
            evaluation[event["task"]] += event["seconds"]
        elif event["event"] == "task_saved":
            saving[event["task"]] = event["seconds"]
    figures = {}
    for when, tasks in (("early", range(EARLY - SPAN // 2, EARLY + SPAN // 2)), ("late", range(options.tasks - SPAN, options.tasks))):
        figures[f"{when} task without evaluation, s"] = statistics.median(starts[t + 1] - starts[t] - evaluation[t] for t in tasks)
        figures[f"{when} task, saving, s"] = statistics.median(saving[t] for t in tasks)
        figures[f"{when} task, evaluation, s"] = statistics.median(evaluation[t] for t in tasks)
        figures[f"{when} task, peak memory, MB"] = max(size for at, size in samples if starts[tasks[0]] <= at <= starts[tasks[-1] + 1]) / 1e6
    for name in ("task without evaluation, s", "task, peak memory, MB"):
        figures[f"late over early: {name}"] = figures[f"late {name}"] / figures[f"early {name}"]
    return figures


def measure_resume(build, options, work):
    """From the difference between runs of ten tasks and of two. The run that is resumed has nothing left to do."""
    seconds = {}
    for tasks in (FEW_DONE, DONE):
        command = train(build, large(), work / f"run-{tasks}", "--tasks", tasks, "--resume", "auto")
        call(*command)
        seconds[tasks] = statistics.median(call(*command, "--dry-run") for _ in range(3))
    each = (seconds[DONE] - seconds[FEW_DONE]) / (DONE - FEW_DONE)
    return {f"resume after {DONE} tasks, s": seconds[DONE], "resume, for each task done, s": each}


def waited(profile, rank, name):
    """Seconds in which a rank waited for others in this, by task."""
    seconds = [0.0] * HUGE_TASKS
    for event in json.loads(profile.read_text())["traceEvents"]:
        if event.get("ph") == "X" and event["pid"] == rank and event["name"] == f"waiting for others: {name}":
            seconds[event["args"]["task"] - 1] += event["dur"] / 1e6
    return seconds


def memory_bandwidth():
    """Bytes a second that one core reads and writes in sums of arrays far larger than its caches; the median of five."""
    a, b, total = (np.ones(HUGE_WEIGHTS) for _ in range(3))
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        np.add(a, b, out=total)
        seconds.append(time.perf_counter() - began)
    return 3 * a.nbytes / statistics.median(seconds)


def measure_waits(build, options, work):
    """What rank 1 of two waits for in a task, and after the last one, which no training follows."""
    out = work / "run"
    call(*at_two_ranks(train(build, huge(), out, "--profile")))
    *saves, last = waited(out / "profile.json", 1, "save on rank 0")
    merges = waited(out / "profile.json", 1, "merge on rank 0")
    saved = [event["seconds"] for event in events_of(out) if event["event"] == "task_saved"]
    bandwidth = memory_bandwidth()
    return {
        "50 million adapted weights, two ranks: rank 1 waits for a task's saves, s": statistics.median(saves),
        "the same, after the last task, s": last,
        "the same, for a merge, s": statistics.median(merges),
        "the same: what a merge moves, over what sums of arrays move in the time": MERGE_BYTES * HUGE_WEIGHTS / statistics.median(merges) / bandwidth,
        "the same: a save takes, s": statistics.median(saved),
    }


def measure_lanes(build, options, work):
    peaks = {}
    for lanes in (4, 64):
        samples = memory_of(train(build, large(), work / f"lanes-{lanes}", "--tasks", 1, "--lanes", lanes, "--batch", 64))
        peaks[lanes] = max(size for _, size in samples) / 1e6
    return {"one rank, 64 lanes, peak memory, MB": peaks[64], "64 lanes over 4 lanes: peak memory": peaks[64] / peaks[4]}


def measure_cost(build, options, work):
    """Seconds of a stream at two ranks from its first task to its end: medians, and how much more than plain LoRA's, of runs in turn."""
    seconds = collections.defaultdict(list)
    for _ in range(REPEATS):
        for name, settings in COSTS.items():
            out = work / "run"
            call(*at_two_ranks(train(build, middle(), out, *settings)))
            times = [event["time"] for event in events_of(out) if event["event"] in ("task_started", "run_finished")]
            seconds[name].append(times[-1] - times[0])
            shutil.rmtree(out)
    figures = {f"{name}, five epochs at two ranks, s": statistics.median(values) for name, values in seconds.items()}
    for name, values in seconds.items():
        if name != "plain LoRA":
            more = statistics.median(value / lora for value, lora in zip(values, seconds["plain LoRA"], strict=True))
            figures[f"{name}, over plain LoRA"] = more
    return figures


LINES = {"tasks": measure_tasks, "resume": measure_resume, "lanes": measure_lanes, "waits": measure_waits, "cost": measure_cost}


def arguments():
    parser = argparse.ArgumentParser(prog="bench/long.sh", description="What grows along a stream.")
    parser.add_argument("lines", nargs="*", metavar="LINE", help=f"of {', '.join(LINES)} (all)")
    parser.add_argument("--tasks", type=int, default=200, help="of the line tasks (200)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release", metavar="FOLDER", help="(build/release)")
    parser.add_argument("--against", type=pathlib.Path, metavar="FOLDER", help="another build, measured in turn")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="also write the figures there")
    options = parser.parse_args()
    if options.tasks < 2 * (EARLY + SPAN):
        parser.error(f"expected at least {2 * (EARLY + SPAN)} tasks, found {options.tasks}")
    if unknown := set(options.lines) - set(LINES):
        parser.error(f"expected lines of {', '.join(LINES)}, found {', '.join(sorted(unknown))}")
    options.builds = [folder.resolve() for folder in (options.build, options.against) if folder]
    for folder in options.builds:
        if not (folder / "src" / "palimpsest").is_file():
            parser.error(f"expected a build with src/palimpsest, found none in {folder}")
    return options


def main():
    process.end_on_signals()
    options = arguments()
    figures, well = collections.defaultdict(list), True
    for line in options.lines or LINES:
        for build in options.builds:
            with tempfile.TemporaryDirectory(prefix="palimpsest-long.") as work:
                try:
                    found = LINES[line](build, options, pathlib.Path(work))
                except process.Failed as error:
                    well = False
                    print(f"{line}, {build}: {error}", file=sys.stderr)
                    continue
            for name, value in found.items():
                figures[name].append(value)
                print(f"{build}: {name}: {number(value)}", flush=True)
    about = {"date": datetime.date.today().isoformat(), "tasks": options.tasks, "builds": [*map(str, options.builds)], **machine.describe()}
    print(f"\nMeasured on {about['date']} at commit {about['commit']}: {about['processor']}, {about['cores']} cores; {options.tasks} tasks.\n")
    print(f"| | {' | '.join(('this build', 'the other')[: len(options.builds)])} |\n|---|{'---|' * len(options.builds)}")
    for name, values in figures.items():
        print(f"| {name} | {' | '.join(map(number, values))} |")
    if options.json:
        options.json.write_text(json.dumps(about | {"figures": figures}, indent=1) + "\n")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
