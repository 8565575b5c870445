"""One contender's run of a work, and what is kept of it."""

import json
import os
import shutil
import statistics
import sys

from . import process
from .inputs import BENCH, ROOT

BUILD = ROOT / "build" / "release"
QUIET = 0.05  # share of the cores that others may use
# torchrun --standalone, on machines too where no name is known, not even localhost.
LAUNCHER = ("-m", "torch.distributed.run", "--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1")
SECONDS = ("train", "fisher", "merge", "evaluate")


def command_of(work, contender, settings, device, out):
    flags = {"pack": work.pack, "protocol": work.protocol, "out": out, "device": device, **settings}
    is_text = "image-size" not in settings
    if is_text:
        flags["backbone"] = work.pack.parent / work.backbone
    else:
        dialect = "timm" if contender.program == "ddp.py" or not work.has_hf else "hf"
        flags["backbone"] = BENCH / f"{work.backbone}-{dialect}"
    if contender.is_ours:
        command = [ROOT / "launch" / "mpirun.sh", "-n", contender.ranks, BUILD / "src" / "palimpsest", "train"]
        flags.setdefault("merge", "none")
        flags["progress"] = "none"
        flags["error-budget"] = "false"  # a pass that no peer makes
        if work.predicts_tokens:
            flags["config"] = ROOT / "configs" / "methods" / "next-token.cfg"
        if not is_text:
            size = flags.pop("image-size")
            flags = {"image-transform": f"resize-crop:size={size},crop=1", "augmentation": "none", **flags}
    else:
        command = [sys.executable, *LAUNCHER, "--nproc-per-node", contender.ranks, ROOT / "bench" / "peers" / contender.program]
        if contender.program == "ddp.py":
            flags.setdefault("merge", "none")
    for name, value in flags.items():
        if f"--{name}" not in contender.flags:
            command += [f"--{name}", value]
    return [str(part) for part in (*command, *contender.flags)]


def environment_of(contender):
    """As it is, with one thread to a rank, and no line of another's settings for the allocator."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1", **contender.environment}


def least_disturbed(work, contender, settings, device, most):
    """Runs again, at most so often, where others used the cores meanwhile; keeps the run that had most of them."""
    tries = []
    while len(tries) < most and not any(result["disturbed"] < QUIET for result in tries):
        tries.append(run(work, contender, settings, device))
    return min(tries, key=lambda result: result["disturbed"])


def folders(work, contender):
    """Of a contender's run, and of what it prints."""
    out = ROOT / "runs" / "bench" / work.name / contender.name.replace(" ", "-")
    return out, out.parent / f"{out.name}-log"


def run(work, contender, settings, device):
    out, log_folder = folders(work, contender)
    shutil.rmtree(out, ignore_errors=True)
    log_folder.mkdir(parents=True, exist_ok=True)
    command = command_of(work, contender, settings, device, out)
    done = process.run(command, environment_of(contender), log_folder, "palimpsest", work.most_seconds)
    events = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    steps = [event for event in events if event["event"] == "step"]
    peaks = done.peaks
    if not contender.is_ours:
        peaks = next(event["peak_bytes"] for event in events if event["event"] == "run_finished")
    evaluated = [event for event in events if event["event"] == "evaluated" and event["after_merge"]][-1]
    correct = evaluated["exact_match" if work.predicts_tokens else "correct"]
    return {
        "disturbed": done.disturbed,
        "wall": done.wall,
        "first_step": steps[0]["time"] - done.began,
        "peak_bytes": sum(peaks),
        "losses": [step["loss"] for step in steps],
        "samples": [step["samples"] for step in steps],
        "step_seconds": [step["seconds"] for step in steps],
        "step_times": [step["time"] for step in steps],
        "task_times": [event["time"] for event in events if event["event"] in ("task_started", "run_finished")],
        "accuracy": sum(correct) / sum(evaluated["samples"]),
        "tasks": seconds_by_task(out, events, contender.is_ours),
    }


def seconds_by_task(out, events, is_ours):
    if not is_ours:
        return [
            {"samples": event["train_samples"], **{name: event["seconds"].get(name, 0.0) for name in SECONDS}}
            for event in events
            if event["event"] == "task_finished"
        ]
    import h5py

    tasks = []
    for path in sorted((out / "tasks").glob("task-*.h5")):
        with h5py.File(path) as file:
            seconds = file["metrics/seconds"].attrs
            samples = int(file["task"].attrs["train_samples"])
            tasks.append({"samples": samples, **{name: float(seconds[name]) for name in SECONDS}})
    return tasks


def seconds_per_sample(result, skip):
    """The median over the steps but the first few."""
    pairs = zip(result["step_seconds"][skip:], result["samples"][skip:])
    return statistics.median(seconds / samples for seconds, samples in pairs)
