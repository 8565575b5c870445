"""python -m measure, from bench/: runs the works, A B A B, and writes what came out. Called by bench/run.sh."""

import argparse
import dataclasses
import datetime
import subprocess
import sys
import time

from . import contest, gemm, inputs, machine, process, rows, table
from .works import ON_GPU, WORKS

CALLS = 20  # of palimpsest-inspect
SAME, SAME_IN_BF16 = 1e-3, 0.1  # most that a loss may differ
TRIES = 3  # of a run that others disturb


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run.sh", description="Measures palimpsest against its peers.")
    parser.add_argument("device", nargs="?", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("quick", nargs="?", choices=("quick",), help="one round, fewer steps")
    parser.add_argument("--only", choices=[work.name for work in WORKS], help="one work, and nothing is written")
    parser.add_argument("--rounds", type=int, help="(3; quick: 1)")
    parser.add_argument("--lock", metavar="FILE", help="take turns with other measurements that lock this file")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def ranks_of(options):
    """Two of one thread each; one for each GPU. None where there is no GPU."""
    if options.device == "cpu":
        return 2
    import torch

    return torch.cuda.device_count() or None


def contenders_of(work, options, ranks):
    """What runs here of a work's contenders; on GPUs the same for every work, but that PEFT's trainer doesn't merge."""
    if options.device == "gpu":
        merges = "merge" in work.settings
        fit = [contender for contender in ON_GPU if not (merges and contender.program == "peft_trainer.py")]
        return [dataclasses.replace(contender, ranks=ranks) for contender in fit]
    left_out = [c for c in work.contenders if c.needs_bf16 and not machine.has_bf16() or c.is_long and options.quick]
    return [contender for contender in work.contenders if contender not in left_out]


def run_work(work, options, ranks):
    """By contender, one result for each round."""
    settings = {**work.settings, **(work.quick if options.quick else {})}
    device = "cuda" if options.device == "gpu" else "cpu"
    results = {}
    for number in range(options.rounds):
        for contender in contenders_of(work, options, ranks):
            with process.alone(options.lock):
                result = contest.least_disturbed(work, contender, settings, device, 1 if options.quick else TRIES)
            results.setdefault(contender.name, []).append(result)
            print(
                f"{work.name}, round {number + 1} of {options.rounds}, {contender.name}: "
                f"{1 / contest.seconds_per_sample(result, work.skip):.1f} samples/s, first step after "
                f"{result['first_step']:.1f} s, {result['wall']:.1f} s, {result['peak_bytes'] / 1e6:.0f} MB, "
                f"others used {100 * result['disturbed']:.0f} % of the cores",
                flush=True,
            )
    return results


def measure_gemm(options, ranks):
    """By library and shape, for each round."""
    found = []
    for _ in range(options.rounds):
        with process.alone(options.lock):
            found.append(gemm.measure(ranks))
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
    if options.device == "cpu" and not machine.has_bf16():
        notes.append("bf16 was left out: this processor has no bf16 instructions.")
    shares = [r["disturbed"] for by_contender in results for rounds in by_contender.values() for r in rounds]
    for title, name, _, _, difference, _ in losses:
        if difference > (SAME_IN_BF16 if "bf16" in name else SAME):
            notes.append(f"{title}, {name}: the losses differ by {difference:.1e}. This was not the same work.")
    notes.append(f"Other programs used {100 * max(shares):.0f} % of the cores in the run that they disturbed most.")
    return notes


def main():
    options = arguments()
    ranks = ranks_of(options)
    if ranks is None:
        print("bench: --device cuda needs a GPU, and none was found on this machine", file=sys.stderr)
        return 2
    works = [work for work in WORKS if options.only in (None, work.name)]
    if options.device == "gpu":
        works = [work for work in works if work.name != "merge"]  # it is done on the processor
    inputs.make(works)

    raw = {"gemm": measure_gemm(options, ranks) if options.device == "cpu" else None}
    lines, losses = [], []
    for work in works:
        results = raw[work.name] = run_work(work, options, ranks)
        lines += rows.of_work(work, results, raw["gemm"])
        losses += rows.loss_lines(work, results)
        if work.name == "merge":
            raw["inspect"], megabytes = inspect_record(options)
            lines.append(rows.inspect_row(raw["inspect"], megabytes))

    about = {
        "date": datetime.date.today().isoformat(),
        "device": options.device,
        "ranks": ranks,
        "rounds": options.rounds,
        "machine": machine.describe(),
        "packs": inputs.hashes(works),
    }
    text = table.text(about, lines, losses, notes_of(options, [raw[work.name] for work in works], losses))
    if options.only:
        print(text)
    else:
        table.write(about, lines, text, raw)
    return 0


if __name__ == "__main__":
    sys.exit(main())
