"""python -m measure, from bench/: runs the works on the processor, A B A B, and writes the results. Called by bench/run.sh."""

import argparse
import datetime
import subprocess
import sys
import time

from . import contest, gemm, inputs, machine, process, rows, table
from .works import WORKS

CALLS = 20  # of palimpsest inspect
SAME, SAME_IN_BF16 = 1e-3, 0.1  # most that a loss may differ
TRIES = 3  # of a run that others disturb
RANKS = 2  # of one thread each


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run.sh", description="Measures palimpsest against its peers.")
    parser.add_argument("device", nargs="?", choices=("cpu",), default="cpu")
    parser.add_argument("quick", nargs="?", choices=("quick",), help="one round, fewer steps")
    parser.add_argument("--only", choices=[work.name for work in WORKS], help="one work, and nothing is written")
    parser.add_argument("--rounds", type=int, help="(3; quick: 1)")
    parser.add_argument("--lock", metavar="FILE", help="take turns with other measurements that lock this file")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def contenders_of(work, options):
    """Which of a work's contenders run on this machine."""
    left_out = [c for c in work.contenders if c.needs_bf16 and not machine.has_bf16() or c.is_long and options.quick]
    return [contender for contender in work.contenders if contender not in left_out]


def run_work(work, options):
    """By contender, one result for each round."""
    settings = {**work.settings, **(work.quick if options.quick else {})}
    results = {}
    for number in range(options.rounds):
        for contender in contenders_of(work, options):
            with process.alone(options.lock):
                result = contest.least_disturbed(work, contender, settings, "cpu", 1 if options.quick else TRIES)
            results.setdefault(contender.name, []).append(result)
            print(
                f"{work.name}, round {number + 1} of {options.rounds}, {contender.name}: "
                f"{1 / contest.seconds_per_sample(result, work.skip):.1f} samples/s, first step after "
                f"{result['first_step']:.1f} s, {result['wall']:.1f} s, {result['peak_bytes'] / 1e6:.0f} MB, "
                f"others used {100 * result['disturbed']:.0f} % of the cores",
                flush=True,
            )
    return results


def measure_gemm(options):
    """By library and shape, for each round."""
    found = []
    for _ in range(options.rounds):
        with process.alone(options.lock):
            found.append(gemm.measure(RANKS))
    return found


def inspect_record(options):
    """(seconds of each call, megabytes of the record), on a record of the merging work."""
    record = inputs.ROOT / "runs" / "bench" / "merge" / "lanes" / "tasks" / "task-0001.h5"
    command = [contest.BUILD / "tools" / "palimpsest-inspect", record]
    seconds = []
    with process.alone(options.lock):
        for _ in range(CALLS):
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - began)
    return seconds, record.stat().st_size / 1e6


def notes_of(options, results, losses):
    notes = []
    if not machine.has_bf16():
        notes.append("bf16 was left out: this processor has no bf16 instructions.")
    shares = [r["disturbed"] for by_contender in results for rounds in by_contender.values() for r in rounds]
    for title, name, _, _, difference, _ in losses:
        if difference > (SAME_IN_BF16 if "bf16" in name else SAME):
            notes.append(f"{title}, {name}: its losses differ from palimpsest's by up to {difference:.1e}, so this was not the same work.")
    notes.append(f"Other programs used up to {100 * max(shares):.0f} % of the cores during a run.")
    return notes


def main():
    process.end_on_signals()
    options = arguments()
    works = [work for work in WORKS if options.only in (None, work.name)]
    inputs.make(works)

    raw = {"gemm": measure_gemm(options)}
    lines, losses = [], []
    for work in works:
        results = raw[work.name] = run_work(work, options)
        lines += rows.of_work(work, results, raw["gemm"])
        losses += rows.loss_lines(work, results)
        if work.name == "merge":
            raw["inspect"], megabytes = inspect_record(options)
            lines.append(rows.inspect_row(raw["inspect"], megabytes))

    about = {
        "date": datetime.date.today().isoformat(),
        "device": "cpu",
        "ranks": RANKS,
        "rounds": options.rounds,
        "machine": machine.describe(),
        "packs": inputs.hashes(works),
    }
    pages = table.texts(about, lines, losses, notes_of(options, [raw[work.name] for work in works], losses))
    if options.only:
        print(*pages, sep="\n")
    else:
        table.write(about, lines, pages, raw)
    return 0


if __name__ == "__main__":
    sys.exit(main())
