"""Streams whose first tasks alone train an adapter (lora:tasks=N): every program on their records, from training to export."""

import json
import os
import subprocess

import h5py
import numpy as np
import pytest
import safetensors.torch
import toy as toy_module
from adapters import by_module, tool, weights_of
from program import PROGRAM, REPORT
from tiers import quick

FIRST = ["--adapter", "lora:rank=4,alpha=4,tasks=1"]
NOTHING = "nothing to merge: no factor of the adapter learned in this task"


@pytest.fixture(scope="module")
def run(toy):
    toy.run(*FIRST, out="first")
    return toy.path("runs", "first")


def verb(name, *arguments):
    done = subprocess.run([PROGRAM, name, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def task(run, index):
    return h5py.File(f"{run}/tasks/task-{index:04}.h5")


def state_weights(run, index):
    with h5py.File(f"{run}/state-{index:04}.h5") as state:
        return by_module(state["weights"])


def test_later_tasks_train_a_head_alone_and_leave_the_weights(toy, run):
    text = toy.run(*FIRST, "--progress", "plain", out="first-shown")
    assert text.count(NOTHING) == 3, text
    for index in range(4):
        with task(run, index) as file:
            merge = file["merge"]
            assert merge["coefficients"][:].tolist() == [1]
            learned = index == 0
            assert (len(file["lora"]) > 0 if "lora" in file else False) == learned and ("fisher" in file) == learned
            assert (merge.attrs["weights_before"] != merge.attrs["weights_after"]) == learned
            rows = [file[f"metrics/{when}_merge"] for when in ("before", "after")]
            assert rows[0]["correct"][:].tolist() == rows[1]["correct"][:].tolist()
    whole, alone = state_weights(run, 3), toy.path("runs", "first-one")
    toy.run("--tasks", 1, out="first-one")
    for name, values in state_weights(alone, 0).items():
        np.testing.assert_array_equal(whole[name], values)


@pytest.mark.parametrize("ranks", quick(1, [2, 3, 4]))
def test_it_has_the_same_content_at_every_world_size(toy, run, ranks):
    toy.run(*FIRST, ranks=ranks, out=f"first-{ranks}")
    assert toy.records(f"first-{ranks}") == toy.records("first")
    assert "the same" in tool("diff", run, toy.path("runs", f"first-{ranks}"))


def test_it_continues_where_it_was_stopped(toy, run):
    stops = 0
    while (code := toy.code(*FIRST, "--resume", "auto", "--stop-after", 1e-9, out="first-stopped")) == 85:
        stops += 1
    assert code == 0 and stops > 12  # every step of the first task, and after tasks
    assert toy.records("first-stopped") == toy.records("first")
    tool("verify", run)


def test_it_is_continued_on_new_tasks_and_forked(toy, run):
    names = [{"name": f"task {t + 1}", "classes": [f"class {2 * t}", f"class {2 * t + 1}"]} for t in range(4)]
    toy_module.make_protocol(toy.path("first-old.json"), tasks=names[:2])
    toy_module.make_protocol(toy.path("first-new.json"), tasks=names[2:])
    toy.run(*FIRST, "--protocol", toy.path("first-old.json"), out="first-old")
    toy.run(*FIRST, "--protocol", toy.path("first-new.json"), "--continue", toy.path("runs", "first-old"), out="first-new", ranks=2)
    assert toy.records("first-new") == toy.records("first")
    toy.run("--fork", toy.path("runs", "first-old"), out="first-forked")
    with task(toy.path("runs", "first-forked"), 2) as file:
        alpha = file["merge/coefficients"][0]
        assert 0 < alpha < 1 and "fisher" in file
    result = json.loads(tool("merge", toy.path("runs", "first-forked"), "--json"))
    assert result["verified_merges"] == 4 and result["tasks"][1]["remark"].startswith(NOTHING)


def test_its_records_are_merged_again_and_audited(toy, run):
    merged = toy.path("first.h5")
    result = json.loads(tool("merge", run, "--out", merged, "--json"))
    assert result["verified_merges"] == 4 and result["post_hoc"] == ""
    assert [entry["remark"].startswith(NOTHING) for entry in result["tasks"]] == [False, True, True, True]
    for rule in ("average", "became", "closed-form:by=module", "first"):
        tool("merge", run, "--rule", rule, "--out", toy.path("first-again.h5"))
        for name, values in state_weights(run, 3).items():
            np.testing.assert_array_equal(weights_of(merged)[name], values)
            np.testing.assert_array_equal(weights_of(toy.path("first-again.h5"))[name], values)
    halved = json.loads(tool("merge", run, "--rule", "fixed:alpha=0.5", "--json"))
    assert len({entry["weights_after"] for entry in halved["tasks"]}) == 1
    audit = json.loads(tool("merge", run, "--audit", "--json"))
    assert [row.count(None) for row in audit["predicted_rise_training_samples"]] == [0, 1, 2, 3]
    assert "the task trained no factor" in tool("merge", run, "--audit")
    cosines = json.loads(tool("inspect", run, "--cosines", "--json"))
    assert [norm > 0 for norm in cosines["norms"]] == [True, False, False, False]


def test_it_is_inspected_reported_and_evaluated(toy, run):
    assert "last accuracy" in tool("inspect", run)
    for index in (0, 1):
        assert "closed-form" in tool("inspect", f"{run}/tasks/task-{index:04}.h5")
    tool("inspect", f"{run}/state-0003.h5")
    subprocess.run([*REPORT, run], check=True)
    assert NOTHING in open(f"{run}/report.html", encoding="utf-8").read()
    last = [line for line in toy.metrics("first") if line["event"] == "evaluated"][-1]
    found = json.loads(verb("eval", "--weights", run, "--json"))["all"]["accuracy"]
    assert found == pytest.approx(sum(last["correct"]) / sum(last["samples"]))
    verb("eval", "--sweep", run, "--split", "test")


def test_its_weights_are_exported(toy, run):
    for index, options in enumerate(([], ["--task", 2], ["--task", 1], ["--optimum"])):
        out = toy.path(f"first-exported-{index}")
        tool("export", run, "--backbone", toy.path("backbone"), *options, "--out", out)
        tool("export", run, "--backbone", toy.path("backbone"), *options, "--format", "peft", "--out", f"{out}-adapter")
    models = [safetensors.torch.load_file(os.path.join(toy.path(f"first-exported-{i}"), "model.safetensors")) for i in range(4)]
    for other in models[1:]:
        assert all((models[0][name] == other[name]).all() for name in models[0])
    pretrained = safetensors.torch.load_file(toy.path("backbone", "model.safetensors"))
    assert any((models[0][name] != pretrained[name]).any() for name in models[0] if name in pretrained)


def test_a_plan_counts_the_tasks_that_train_an_adapter(toy):
    def steps(adapter):
        command = ["--config", toy.path("toy.cfg"), "--adapter", adapter, "--dry-run", "--out", toy.path("runs", "first-plan")]
        line = next(line for line in verb("train", *command).splitlines() if line.startswith("steps"))
        return int(line.split()[1])

    assert steps("lora:rank=4") == 48 and steps("lora:rank=4,tasks=3") == 36 and steps("lora:rank=4,tasks=1") == 12
    plan = ["--config", toy.path("toy.cfg"), "--adapter", "lora:rank=4,tasks=1", "--world-size", 1]
    assert "memory" in verb("plan", *plan)


METHODS = {
    "ranpac": ["--perturbation", "none", "--merge", "none", "--classifier", "ridge"],
    "average": ["--perturbation", "none", "--merge", "average"],
    "ewc": ["--perturbation", "none", "--merge", "none", "--penalty", "ewc"],
    "heads": ["--classifier", "local:refit=2,align=gaussian"],
    "direction": ["--merge", "closed-form:by=direction"],
}


@pytest.mark.parametrize("method", quick(2, list(METHODS)))
def test_every_method_takes_it(toy, method):
    """Two of four tasks train factors."""
    name = f"first-of-{method}"
    toy.run("--adapter", "lora:rank=4,alpha=4,tasks=2", *METHODS[method], out=name, ranks=2)
    tool("verify", toy.path("runs", name))
    result = json.loads(tool("merge", toy.path("runs", name), "--json"))
    assert result["verified_merges"] == 4
