"""Task- and domain-incremental runs of the toy stream."""

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


def inspect(run):
    done = subprocess.run([INSPECT, "--json", run], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_task_incremental_trains_the_same_and_heads_with_accuracy_given_the_task(toy, reference_run):
    text = toy.run("--scenario", "task-incremental", "--progress", "plain", out="task-incremental")
    run = toy.path("runs", "task-incremental")
    shown, plain = inspect(run), inspect(reference_run)
    for mine, other in zip(shown["tasks"], plain["tasks"]):
        assert mine["merge"] == other["merge"]
        for when in ("before_merge", "after_merge"):
            assert mine["metrics"][when] == other["metrics"][when]

    def matrix(when):
        rows = [task["metrics"][when] for task in shown["tasks"]]
        return [[c / n for c, n in zip(row["correct_given_task"], row["samples"])] for row in rows]

    after, before, last = matrix("after_merge"), matrix("before_merge"), len(shown["tasks"]) - 1
    assert after != [[c / n for c, n in zip(row["correct"], row["samples"])]
                     for row in (task["metrics"]["after_merge"] for task in plain["tasks"])]
    expected = {  # every task has as many test samples
        "last": np.mean(after[last]),
        "average_anytime": np.mean([np.mean(row) for row in after]),
        "forgetting": np.mean([max(after[l][j] for l in range(j, last)) - after[last][j] for j in range(last)]),
        "backward_transfer": np.mean([after[last][j] - after[j][j] for j in range(last)]),
        "plasticity": np.mean([row[-1] for row in after]),
        "plasticity_before_merge": np.mean([row[-1] for row in before]),
        "last_given_task": plain["summary"]["last_given_task"],
    }
    for name, value in expected.items():
        assert shown["summary"][name] == pytest.approx(value), name
    words = " ".join(text.split())
    assert "accuracy without the task" in words and "choosing among the classes of the sample's task" in words, text
    assert f"accuracy on this task {100 * before[last][last]:.1f} -> {100 * after[last][last]:.1f} %" in words, text


def domains(toy, **changes):
    """Four domains of two labels: which class of the pack is which."""
    tasks = [{"name": f"domain {t + 1}", "classes": [f"class {2 * t}", f"class {2 * t + 1}"], "labels": ["even", "odd"]}
             for t in range(4)]
    path = toy.path("domains.json")
    toy_module.make_protocol(path, tasks=tasks, **changes)
    return ("--protocol", path, "--scenario", "domain-incremental")


@pytest.fixture(scope="module")
def domain_run(toy):
    toy.run(*domains(toy), out="domains")
    return toy.path("runs", "domains")


@pytest.mark.slow
def test_domains_share_one_head_that_is_trained_on(toy, domain_run):
    toy.run(*domains(toy), ranks=2, out="domains-2")
    assert toy.records("domains-2") == toy.records("domains")
    tasks = inspect(domain_run)["tasks"]
    for task in tasks:
        assert task["task"]["classes"] == ["even", "odd"]
        for when in ("before_merge", "after_merge"):
            row = task["metrics"][when]
            assert row["correct"] == row["correct_given_task"]
    # With learning rates too small to move a float, the head stays what the first task began with.
    still = ("--lr", 1e-30, "--head-lr", 1e-30)
    toy.run(*domains(toy), *still, out="still")
    heads = []
    with h5py.File(toy.path("runs", "still", "state-0003.h5")) as state:
        heads = [head["weight"] for head in heads_of(state)]
    for head in heads[1:]:
        np.testing.assert_array_equal(head, heads[0])


@pytest.mark.slow
def test_evaluation_of_every_domain_takes_the_newest_head(toy, domain_run):
    """Trained on a domain whose labels are turned round, the shared head answers turned round for the first one, too."""
    def protocol(name, second):
        toy_module.make_protocol(toy.path(name), tasks=[
            {"name": "a", "classes": ["class 0", "class 1"], "labels": ["even", "odd"]},
            {"name": "b", "classes": second, "labels": ["even", "odd"]}])
        return ("--protocol", toy.path(name), "--scenario", "domain-incremental", "--adapter", "none", "--merge", "none",
                "--perturbation", "none", "--head-lr", 0.1)

    toy.run(*protocol("same.json", ["class 2", "class 3"]), out="same-domains")
    toy.run(*protocol("turned.json", ["class 3", "class 2"]), out="turned-domains")
    rows = [inspect(toy.path("runs", out))["tasks"][1]["metrics"]["after_merge"]["correct"]
            for out in ("same-domains", "turned-domains")]
    assert rows[0][0] != rows[1][0], "the first domain was tested with its own head"


@pytest.mark.slow
def test_a_domain_run_is_resumed_within_a_task_and_forked(toy, domain_run):
    toy.run(*domains(toy), "--tasks", 1, out="domains-stopped")
    for _ in range(3):
        assert toy.code(*domains(toy), "--resume", "auto", "--stop-after", 1e-9, out="domains-stopped") == 85
    assert any(name.startswith("step-") for name in toy.records("domains-stopped"))
    toy.run(*domains(toy), "--resume", "auto", ranks=2, out="domains-stopped")
    assert toy.records("domains-stopped") == toy.records("domains")
    toy.run(*domains(toy), "--fork", os.path.join(domain_run, "state-0002.h5"), "--resume", "auto", out="domains-fork")
    assert toy.records("domains-fork") == toy.records("domains")


@pytest.mark.slow
def test_a_domain_run_is_continued_with_the_labels_it_has(toy, domain_run):
    tasks = [{"name": f"domain {t}", "classes": [f"class {2 * t - 2}", f"class {2 * t - 1}"], "labels": ["even", "odd"]}
             for t in (1, 2, 3, 4)]
    toy_module.make_protocol(toy.path("d-old.json"), tasks=tasks[:2])
    toy_module.make_protocol(toy.path("d-new.json"), tasks=tasks[2:])
    toy_module.make_protocol(toy.path("d-other.json"), tasks=[tasks[2] | {"labels": ["odd", "even"]}])
    scenario = ("--scenario", "domain-incremental")
    toy.run(*scenario, "--protocol", toy.path("d-old.json"), out="d-old")
    continued = (*scenario, "--continue", toy.path("runs", "d-old"))
    text = toy.run(*continued, "--protocol", toy.path("d-other.json"), out="d-other", code=3)
    assert "expected in task 3 (domain 3) the labels of task 1 in their order, 'even', 'odd', found 'odd', 'even'" in text, text
    text = toy.run(*continued, "--protocol", toy.path("d-new.json"), ranks=2, out="d-new")
    assert "(1, 2) are not in" in text, text  # shared labels don't say which samples of the pack they were
    with h5py.File(toy.path("runs", "d-new", "state-0003.h5")) as mine, h5py.File(f"{domain_run}/state-0003.h5") as whole:
        for name in whole["weights"]:
            np.testing.assert_array_equal(mine["weights"][name][:], whole["weights"][name][:])
        np.testing.assert_array_equal(heads_of(mine)[3]["weight"], heads_of(whole)[3]["weight"])


@pytest.mark.parametrize("scenario, tasks, message", quick(1, [
    ("class-incremental", None, "'even' of task 1 (domain 1) is in task 2 (domain 2) again"),
    ("task-incremental", None, "'even' of task 1 (domain 1) is in task 2 (domain 2) again"),
    ("domain-incremental", "protocol.json", "expected in task 2 (task 2) the labels of task 1 (task 1)"),
]))
def test_labels_that_do_not_fit_the_scenario_are_refused(toy, scenario, tasks, message):
    protocol = domains(toy)[:2] if tasks is None else ("--protocol", toy.path(tasks))
    text = toy.run(*protocol, "--scenario", scenario, out="bad-labels", code=3)
    assert message in text and f"scenario = {scenario}" in text, text
    assert not os.path.exists(toy.path("runs", "bad-labels"))


def test_plan_and_dry_run_take_domains(toy):
    text = toy.run(*domains(toy), "--dry-run", out="none")
    assert "domain 4" in text and "even, odd" in text, text
