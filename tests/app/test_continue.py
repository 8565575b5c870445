"""A run that continues another on new tasks, when the old data may be gone."""

import json
import os
import subprocess

import h5py
import numpy as np
import pytest
import toy as toy_module
from memory import heads_of
from program import INSPECT
from tiers import quick

TOOLS = os.path.dirname(INSPECT)


def tool(name, *arguments, code=0):
    done = subprocess.run([os.path.join(TOOLS, f"palimpsest-{name}"), *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def tasks(*numbers):
    return [{"name": f"task {t}", "classes": [f"class {2 * t - 2}", f"class {2 * t - 1}"]} for t in numbers]


@pytest.fixture(scope="module")
def stream(toy):
    """Two tasks are learned; protocols of the first two and the last two, and a pack without the first."""
    toy_module.make_protocol(toy.path("old.json"), tasks=tasks(1, 2))
    toy_module.make_protocol(toy.path("new.json"), tasks=tasks(3, 4))
    toy_module.make_pack(toy.path("new.h5"), only=range(4, toy_module.CLASSES))
    toy.run("--protocol", toy.path("old.json"), out="old")
    return toy


def continue_run(toy, out, *more, **how):
    return toy.run("--protocol", toy.path("new.json"), "--continue", toy.path("runs", "old"), *more, out=out, **how)


def weights(toy, out):
    with h5py.File(toy.path("runs", out, "state-0003.h5")) as state:
        heads = [head["weight"].ravel() for head in heads_of(state)]
        return np.concatenate([state["weights"][name][:].ravel() for name in state["weights"]] + heads)


@pytest.mark.parametrize("ranks", quick(1, [2, 1]))
def test_two_runs_of_two_tasks_are_one_of_four(stream, reference_run, ranks):
    continue_run(stream, f"continued-{ranks}", ranks=ranks)
    records, expected = stream.records(f"continued-{ranks}"), stream.records("reference")
    assert records == expected
    assert stream.records("old")["tasks/task-0001.h5"] == expected["tasks/task-0001.h5"]
    tool("verify", stream.path("runs", f"continued-{ranks}"))
    tool("diff", stream.path("runs", f"continued-{ranks}"), reference_run)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_without_the_old_data_the_weights_are_the_same_and_old_tasks_untested(stream, reference_run, ranks):
    out = f"alone-{ranks}"
    text = continue_run(stream, out, "--pack", stream.path("new.h5"), ranks=ranks)
    assert "the test samples of the tasks learned before (1, 2) are not in" in text, text
    np.testing.assert_array_equal(weights(stream, out), weights(stream, "reference"))
    if ranks == 2:
        assert stream.records(out) == stream.records("alone-1")
    run = stream.path("runs", out)
    tool("verify", run)
    shown = json.loads(tool("inspect", "--json", run))
    last, full = shown["tasks"][3]["metrics"]["after_merge"], json.loads(tool("inspect", "--json", reference_run))
    row = full["tasks"][3]["metrics"]["after_merge"]
    assert shown["tasks_before"] == 2
    assert last["samples"] == [0, 0, 20, 20] and last["correct"][:2] == [None, None]
    assert last["correct"][2:] == row["correct"][2:]
    assert shown["tasks"][1]["content_sha256"] == full["tasks"][1]["content_sha256"]
    summary = shown["summary"]
    assert summary["last"] == sum(row["correct"][2:]) / 40
    first_of_third = full["tasks"][2]["metrics"]["after_merge"]["correct"][2]
    assert summary["forgetting"] == pytest.approx((first_of_third - row["correct"][2]) / 20)
    table = tool("inspect", run)
    assert "continues a run of 2 tasks" in table and "-: not tested" in table
    logged = [line for line in stream.metrics(out) if line["event"] == "evaluated"]
    assert logged[-1]["correct"][:3] == [None, None, last["correct"][2]]


@pytest.mark.slow
def test_a_continued_run_is_resumed_by_the_same_command_even_when_the_other_is_gone(stream):
    new = ("--pack", stream.path("new.h5"), "--checkpoint-every", 3)
    continue_run(stream, "whole", *new)
    command = ("--protocol", stream.path("new.json"), *new, "--resume", "auto")
    os.rename(stream.path("runs", "old"), stream.path("runs", "elsewhere"))
    there = ("--continue", stream.path("runs", "elsewhere"))
    for _ in range(3):
        assert stream.code(*command, *there, "--stop-after", 1e-9, out="continue-stopped") == 85
    assert any(name.startswith("step-0002") for name in stream.records("continue-stopped"))
    os.rename(stream.path("runs", "elsewhere"), stream.path("runs", "old"))
    text = stream.run(*command, *there, ranks=2, out="continue-stopped")
    assert "resuming task 3 after step" in text
    assert stream.records("continue-stopped") == stream.records("whole")
    # A run that was continued can be continued, or forked with the protocol that it has.
    stream.run("--protocol", stream.path("new.json"), "--fork", stream.path("runs", "whole", "state-0002.h5"),
               "--pack", stream.path("new.h5"), out="forked")
    assert stream.records("forked") == stream.records("whole")


def test_old_classes_must_not_come_again(stream):
    text = stream.run("--continue", stream.path("runs", "old"), out="again", code=3)
    assert "'class 0' of task 1 is in task 3 (task 1) again" in text, text
    assert not os.path.exists(stream.path("runs", "again", "run.json"))


@pytest.mark.parametrize("more, message, code", quick(1, [
    (["--fork", "x"], "a run begins from one other run", 2),
    (["--adapter", "lora:rank=4,alpha=4,targets=query"], "it adapted other modules", 2),
    (["--curvature", "empirical:scale=trace"], "found curvature/empirical:scale=secant", 2),
    (["--joint", "--merge", "none", "--perturbation", "none"], "joint = true", 2),
]))
def test_what_does_not_fit_is_refused_before_anything_is_written(stream, more, message, code):
    assert message in continue_run(stream, "no", *more, code=code)
    assert not os.path.exists(stream.path("runs", "no", "run.json"))


def test_a_run_that_was_begun_without_is_not_continued_in_its_own_folder(stream):
    text = continue_run(stream, "old", "--resume", "auto", code=2)
    assert "was begun without --continue" in text, text
