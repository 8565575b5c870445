"""Runs of every kind: several classifiers, scenarios, merge rules, no adapter, and those that are continued while they are open."""

import json
import os
import subprocess

import numpy as np
import palimpsest
import pandas as pd
import pytest
import toy as toy_module
from tiers import quick

DOMAINS = [{"name": f"domain {t}", "classes": [f"class {2 * t}", f"class {2 * t + 1}"], "labels": ["even", "odd"]} for t in range(4)]
KINDS = {
    "several classifiers, given the task": ["--classifier", "local:refit=1,ridge,gaussian", "--scenario", "task-incremental"],
    "domains": ["--scenario", "domain-incremental", "--classifier", "local,prototype"],
    "one task": ["--tasks", 1],
    "joint": ["--joint", "--merge", "none", "--perturbation", "none"],
    "frozen": ["--adapter", "none", "--merge", "none", "--perturbation", "none"],
    "by module": ["--merge", "closed-form:by=module"],
    "by direction": ["--merge", "closed-form:by=direction"],
    "cosine": ["--head", "cosine:scale=12.5"],
    "by coordinate": ["--merge", "closed-form:by=coordinate"],
    "aligned": ["--classifier", "local:align=gaussian"],
    "newest tested alone": ["--evaluate", "last", "--evaluate-before-merge", "false"],
    "all tested after every second task": ["--evaluate", "every:2", "--classifier", "local,prototype"],
}


@pytest.fixture(scope="module")
def make(toy):
    """The folder of a run of a kind, with two passes over each task."""
    toy_module.make_protocol(toy.path("domains.json"), tasks=DOMAINS)

    def run(kind):
        out = "kind-" + kind.replace(" ", "-").replace(",", "")
        if not os.path.exists(toy.path("runs", out)):
            protocol = ["--protocol", toy.path("domains.json")] if kind == "domains" else []
            toy.run(*KINDS[kind], *protocol, "--epochs", 2, out=out)
        return toy.path("runs", out)

    return run


@pytest.mark.parametrize("kind", quick(2, KINDS))
def test_metrics_are_those_of_inspect(kind, make, inspect, assert_metrics):
    run, shown = palimpsest.open(make(kind)), inspect(make(kind))
    assert run.metrics.loc["last"].notna().all() and len(run.tasks) == shown["tasks_done"]
    assert_metrics(shown, run)
    assert [None if np.isnan(alpha) else alpha for alpha in run.alphas] == (shown["alphas"] or [None] * len(run.tasks))
    assert repr(run).startswith(f"Run {run.name}: {len(run.tasks)} task") and run._repr_html_()
    assert all(repr(task) and task._repr_html_() for task in run.tasks)


def test_every_classifier_has_its_accuracies(make):
    run = palimpsest.open(make("several classifiers, given the task"))
    assert run.classifiers == ("local:refit=1", "ridge", "gaussian")
    for classifier in run.classifiers:
        frame = run.accuracy.query("classifier == @classifier and moment == 'after merge'")
        assert len(frame) == 10
        given = frame.pivot(index="after_task", columns="task", values="accuracy_given_task")
        pd.testing.assert_frame_equal(run.matrix(classifier), given)
        among_all = frame.pivot(index="after_task", columns="task", values="accuracy")
        pd.testing.assert_frame_equal(run.matrix(classifier, score="correct"), among_all)
        counted = run.by_class(classifier).groupby(["after_task", "task"])["correct"].sum()
        assert counted.tolist() == frame["correct"].tolist()
    with pytest.raises(palimpsest.InputError, match="expected a classifier of the run .*, found 'nearest'"):
        run.matrix("nearest")
    with pytest.raises(palimpsest.InputError, match="expected one of the scores correct, .*, found 'top7'"):
        run.matrix(score="top7")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["by module", "frozen", "cosine", "joint"])
def test_earlier_weights_are_merged_again(kind, make):
    run = palimpsest.open(make(kind))
    for task in run.tasks:
        assert palimpsest.weights_sha256(run.weights(task.index)) == task.merge.weights_after
        assert run.weights(task.index).keys() == run.state.weights.keys()
    assert (kind == "frozen") == all(not values.any() for values in run.weights(0).values())
    if kind == "cosine":
        assert {(head.kind, head.scale) for head in run.state.heads} == {("cosine", 12.5)} == {(task.head.kind, task.head.scale) for task in run.tasks}


@pytest.mark.slow
def test_what_coefficients_do_not_give_is_refused(make):
    for kind, task in (("by direction", 1), ("by coordinate", 2)):
        run = palimpsest.open(make(kind))
        assert palimpsest.weights_sha256(run.weights()) == run.tasks[-1].merge.weights_after
        assert palimpsest.weights_sha256(run.weights(0)) == run.tasks[0].merge.weights_after, "the first task is taken whole"
        with pytest.raises(palimpsest.InputError, match=rf"task-000{task}\.h5: /merge/coefficients: expected coefficients that give the merged weights"):
            run.weights(2)


def test_a_run_that_is_continued_is_seen_by_refresh(toy):
    folder = toy.path("runs", "growing")
    toy.run("--tasks", 2, out="growing")
    before = palimpsest.open(folder)
    metrics, weights = before.metrics.copy(), {name: values.copy() for name, values in before.state.weights.items()}
    before = palimpsest.open(folder)  # nothing of it is read yet
    toy.run("--resume", "auto", out="growing")
    assert not os.path.exists(os.path.join(folder, "state-0001.h5")), "the program keeps fewer states than this test needs"
    pd.testing.assert_frame_equal(before.metrics, metrics)
    assert all(np.array_equal(values, weights[name]) for name, values in before.state.weights.items())
    assert len(before.tasks) == 2 and before.tasks[1].merge.alpha == before.alphas[1]
    after = before.refresh()
    assert len(after.tasks) == 4 and len(after.matrix()) == 4 and len(before.tasks) == 2


@pytest.mark.slow
def test_a_run_is_read_at_any_moment_of_its_training(toy):
    """Every commit replaces files: what was opened before it can be read, and what is opened after it is whole."""
    process = subprocess.Popen(toy.command("--checkpoint-every", 1, out="watched"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seen, before = [], None
    while process.poll() is None:
        if not os.path.exists(toy.path("runs", "watched", "run.json")):
            continue
        run = palimpsest.open(toy.path("runs", "watched"))
        for one in (run, before or run):
            assert len(one.matrix()) == len(one.tasks) == len(one.alphas) and repr(one)
            assert one.state is None or palimpsest.weights_sha256(one.weights()) == one.tasks[-1].merge.weights_after
        before = run
        seen.append(len(run.tasks))
    assert process.returncode == 0 and seen == sorted(seen) and len(set(seen)) >= 3, seen
    assert len(palimpsest.open(toy.path("runs", "watched")).tasks) == 4


def test_a_run_without_a_finished_task_opens(toy):
    assert toy.code("--stop-after", 1e-9, out="begun") == 85
    run = palimpsest.open(toy.path("runs", "begun"))
    assert len(run.tasks) == 0 and run.state is None and run.metrics.empty and run.accuracy.empty and run.matrix().empty and run.by_class().empty
    assert run.alphas.empty and run.config["seed"] == 1 and not run.is_task_given and run.classifiers[0].startswith("local:")
    assert "0 tasks finished" in repr(run) and "0 tasks finished" in run._repr_html_()
    assert set(run.log["event"]) >= {"run_started", "step"}
    with pytest.raises(palimpsest.InputError, match="expected a run with a finished task, found none"):
        run.weights()
    os.remove(toy.path("runs", "begun", "manifest.json"))
    assert len(palimpsest.open(toy.path("runs", "begun")).tasks) == 0


def test_the_log_is_a_frame(reference_run):
    run = palimpsest.open(reference_run)
    with open(os.path.join(reference_run, "metrics.jsonl")) as file:
        events = [json.loads(line) for line in file]
    assert run.log["event"].tolist() == [event["event"] for event in events]
    steps = run.log.query("event == 'step'")
    assert steps["loss"].tolist() == [event["loss"] for event in events if event["event"] == "step"]
    assert run.log["time"].dt.tz is not None and run.log["time"].is_monotonic_increasing


def test_what_differs_between_runs(toy, reference_run):
    toy.run("--merge", "average", "--tasks", 3, out="compared")
    one, other = palimpsest.open(reference_run), palimpsest.open(toy.path("runs", "compared"))
    found = one.compare(other)
    assert list(found.columns) == ["reference", "compared"] and list(found.index.names) == ["what", "name"]
    assert found.loc[("setting", "merge"), "compared"] == "average" and found.loc[("tasks", "finished")].tolist() == [4, 3]
    assert found.loc[("metric", "last")].tolist() == [one.metrics.iloc[0, 0], other.metrics.iloc[0, 0]]
    assert found.loc[("classes", "task 3")].tolist() == ["class 6, class 7", None]
    assert ("weights", "after task 0") not in found.index, "the first task is taken whole by both rules"
    assert found.loc[("weights", "after task 1"), "reference"] == one.tasks[1].merge.weights_after
    assert one.compare(palimpsest.open(reference_run)).empty
