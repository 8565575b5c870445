"""The programs that bench/ compares with do the same work: the same losses step by step, the same merge."""

import json
import os
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def peer_events(toy, name, *flags):
    out = toy.path("runs", name)
    settings = {"pack": "pack.h5", "protocol": "protocol.json", "backbone": "backbone"}
    arguments = [f"--{key}={toy.path(value)}" for key, value in settings.items()]
    arguments += [f"--out={out}", "--epochs=3", "--batch=30", "--lr=1e-2", "--lora-rank=4", "--tasks=2", *flags]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [sys.executable, *launcher, os.path.join(ROOT, "bench", "peers", f"{name}.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with open(os.path.join(out, "metrics.jsonl")) as file:
        return [json.loads(line) for line in file]


def losses(events):
    return [event["loss"] for event in events if event["event"] == "step"]


@pytest.mark.slow
def test_ddp_trains_merges_and_counts_alike(toy):
    toy.run("--epochs", 3, "--tasks", 2, out="ours", ranks=2)
    ours, theirs = toy.metrics("ours"), peer_events(toy, "ddp")
    assert losses(theirs) == pytest.approx(losses(ours), rel=1e-4)
    alphas = [event["alpha"] for event in ours if event["event"] == "merged"]
    assert [event["alpha"] for event in theirs if event["event"] == "task_finished"] == pytest.approx(alphas, rel=1e-3)
    counts = [[event["correct"] for event in events if event["event"] == "evaluated"] for events in (ours, theirs)]
    assert counts[0] == counts[1]


def test_peft_trains_alike(toy):
    toy.run("--epochs", 3, "--tasks", 2, "--merge", "none", out="sequential")
    assert losses(peer_events(toy, "peft_trainer")) == pytest.approx(losses(toy.metrics("sequential")), rel=1e-4)


def test_peft_predicts_completions_alike(sequences_toy):
    sequences_toy.run("--epochs", 3, "--batch", 30, "--lr", 1e-2, "--tasks", 2, "--merge", "none", out="sequential")
    ours = sequences_toy.metrics("sequential")
    exact = [event["exact_match"] for event in ours if event["event"] == "evaluated" and event["after_merge"]]
    for flags in ((), ("--packed", "--fused")):
        theirs = peer_events(sequences_toy, "peft_language", *flags)
        assert losses(theirs) == pytest.approx(losses(ours), rel=1e-4)
        assert [event["exact_match"] for event in theirs if event["event"] == "evaluated"] == exact
