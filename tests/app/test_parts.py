"""Runs with other kinds of parts than the defaults: the same content over any number of ranks, continued from, forked, evaluated."""

import json
import os
import subprocess

import h5py
import numpy as np
import pytest
from memory import memory_of
from program import INSPECT, PROGRAM
from tiers import quick

KINDS = {
    "ridge": ["--classifier", "ridge"],
    "fitted": ["--classifier", "local:refit=5,align=gaussian"],
    "normalised": ["--classifier", "local:normalise=true"],
    "projection": ["--classifier", "ridge:projection=100"],
    "shared": ["--classifier", "gaussian"],
    "class": ["--classifier", "gaussian:covariance=class"],
    "drift": ["--classifier", "gaussian:drift=linear"],
    "prototype": ["--classifier", "prototype"],
    "covariance": ["--adapter", "lora:rank=4,alpha=4,a=covariance"],
    "temperature": ["--objective", "classes:temperature=30"],
    "cosface": ["--objective", "cosface:scale=16,margin=0.1", "--head", "cosine"],
}


@pytest.fixture(scope="module", params=quick(1, list(KINDS)))
def run(request, toy):
    """The name of a finished run and its settings."""
    out = f"parts-{request.param}"
    toy.run(*KINDS[request.param], out=out)
    return out, KINDS[request.param]


@pytest.mark.parametrize("ranks", quick(1, [3, 2, 4]))
def test_every_kind_has_the_same_content_at_every_world_size(toy, run, ranks):
    out, options = run
    toy.run(*options, out=f"{out}-{ranks}", ranks=ranks)
    assert toy.records(f"{out}-{ranks}") == toy.records(out)


@pytest.mark.slow
def test_every_kind_is_continued_with_the_same_content(toy, run):
    out, options = run
    halves = f"{out}-halves"
    toy.run(*options, "--tasks", 2, out=halves)
    toy.run(*options, "--resume", "auto", out=halves, ranks=2)
    assert toy.records(halves) == toy.records(out)


@pytest.fixture(scope="module")
def ridge(toy):
    if not os.path.exists(toy.path("runs", "parts-ridge", "manifest.json")):
        toy.run("--classifier", "ridge", out="parts-ridge")
    return "parts-ridge"


def accuracy(toy, out, *options):
    done = subprocess.run([PROGRAM, "eval", "--weights", toy.path("runs", out), "--json", *options],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["all"]["accuracy"]


def test_saved_weights_are_evaluated_by_the_runs_classifier_or_another(toy, ridge):
    last = [line for line in toy.metrics(ridge) if line["event"] == "evaluated"][-1]
    assert last["after_merge"]
    assert accuracy(toy, ridge) == pytest.approx(sum(last["correct"]) / sum(last["samples"]))
    toy.run(out="parts-local")
    assert accuracy(toy, ridge, "--classifier", "local") == accuracy(toy, "parts-local")


@pytest.fixture
def merged(toy):
    """Merges a run again; returns the arguments that evaluate the weights."""

    def merge(out):
        path = toy.path(f"{out}.h5")
        merge_tool = os.path.join(os.path.dirname(INSPECT), "palimpsest-merge")
        done = subprocess.run([merge_tool, toy.path("runs", out), "--rule", "average", "--out", path],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        data = [f"--{name}={toy.path(file)}" for name, file in
                (("pack", "pack.h5"), ("protocol", "protocol.json"), ("backbone", "backbone"))]
        return [PROGRAM, "eval", "--weights", path, *data]

    return merge


def test_weights_merged_again_are_evaluated_by_the_heads_alone(toy, ridge, merged):
    toy.run("--classifier", "local:align=gaussian", out="parts-align")
    done = subprocess.run(merged("parts-align"), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    command = merged(ridge)
    done = subprocess.run([*command, "--classifier", "ridge"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "--classifier local evaluates their heads" in done.stderr, done.stderr
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "by the heads in the file; the run itself answers by ridge" in " ".join(done.stdout.split()), done.stdout


@pytest.mark.parametrize("text", quick(1, ["local:align=gaussian", "local:refit=5,normalise=true"]))
def test_a_run_without_fitted_heads_is_evaluated_by_them(toy, text):
    fitted, plain = f"fitted-{len(text)}", f"plain-{len(text)}"
    toy.run("--classifier", text, out=fitted)
    toy.run(out=plain)
    assert accuracy(toy, fitted) == accuracy(toy, plain, "--classifier", text)
    assert accuracy(toy, fitted, "--classifier", "local") == accuracy(toy, plain)


def test_a_classifier_changes_nothing_of_the_training(toy, ridge):
    toy.run(out="parts-local-too")
    paths = [toy.path("runs", out, "state-0003.h5") for out in (ridge, "parts-local-too")]
    with h5py.File(paths[0]) as one, h5py.File(paths[1]) as other:
        for module in other["weights"]:
            np.testing.assert_array_equal(one["weights"][module][:], other["weights"][module][:])
        assert [sum(name.startswith("classifier/") for name in memory_of(state)) for state in (one, other)] == [3, 0]


def test_memory_that_a_fork_lacks_is_refused_by_name(toy):
    toy.run("--tasks", 2, out="parts-two")
    text = toy.run("--fork", toy.path("runs", "parts-two"), "--classifier", "ridge", out="parts-fork", code=2)
    assert "with --classifier ridge: expected classifier/ridge/weight in its memory, found none" in text, text


def test_memory_that_a_fork_does_not_use_is_dropped_with_a_note(toy):
    toy.run("--tasks", 2, "--classifier", "ridge", out="parts-two-ridge")
    text = toy.run("--fork", toy.path("runs", "parts-two-ridge"), out="parts-forked")
    assert "what no part of this run uses is dropped: classifier/ridge (3 arrays)" in text, text
    with h5py.File(toy.path("runs", "parts-forked", "state-0003.h5")) as state:
        assert {name.split("/")[0] for name in memory_of(state)} == {"curvature", "head"}
