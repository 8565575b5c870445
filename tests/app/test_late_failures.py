"""Settings that meet only after a task was trained: they work, or are refused before anything is."""

import os

import h5py
import numpy as np
import pytest
from memory import heads_of, of_tasks

FROZEN = ["--adapter", "none", "--merge", "none", "--perturbation", "none"]


def heads(toy, out, task=1, place="head/linear"):
    with h5py.File(toy.path("runs", out, f"state-{task:04}.h5")) as state:
        return [own["weight"] for own in of_tasks(state, place)]


def moved(one, other):
    return max(np.abs(a - b).max() for a, b in zip(one, other))


def test_too_few_samples_for_a_batch_are_refused_at_once(toy):
    text = toy.run("--batch", 41, "--drop-last", "--classifier", "local:align=gaussian", out="too-few", code=2)
    assert "task 1 has 40 training samples" in text and not os.path.exists(toy.path("runs", "too-few")), text


@pytest.mark.slow
def test_warm_up_is_of_the_tasks_training_alone(toy):
    """So long that the task's own training hardly moves anything; the head is then refitted at its full rate."""
    text = "local:refit=20"
    toy.run("--tasks", 2, "--schedule", f"cosine:warmup={10**9}", "--classifier", text, out="warm")
    assert moved(heads(toy, "warm"), heads(toy, "warm", place=f"classifier/{text}")) > 0.05


@pytest.mark.slow
def test_warm_up_and_clipping_apply_to_heads_on_a_frozen_backbone(toy):
    one = [*FROZEN, "--tasks", 1]
    toy.run(*one, "--head-lr", 1e-30, out="frozen-begun")
    begun = heads(toy, "frozen-begun", 0)
    for name, options, least, most in (("free", [], 0.05, 10), ("warm", ["--schedule", f"cosine:warmup={10**9}"], 0, 1e-5),
                                       ("clipped", ["--clip-norm", 1e-12], 0, 1e-3)):
        toy.run(*one, *options, out=f"frozen-{name}")
        assert least <= moved(heads(toy, f"frozen-{name}", 0), begun) < most, name


@pytest.mark.slow
def test_views_that_a_frozen_backbone_never_sees_are_refused(vision_toy):
    for augmentation in ("crop-flip-jitter", "rand-augment", "auto-augment"):
        text = vision_toy.run(*FROZEN, "--augmentation", augmentation, out="views", code=2)
        assert f"augmentation = {augmentation} needs another view in every pass; set it to none" in text, text
    assert not os.path.exists(vision_toy.path("runs", "views"))
    for augmentation in ("none", "crop-flip"):
        vision_toy.run(*FROZEN, "--augmentation", augmentation, "--tasks", 1, out=f"views-{augmentation}")
    one, other = vision_toy.records("views-none"), vision_toy.records("views-crop-flip")
    assert one.keys() == other.keys()
    with h5py.File(vision_toy.path("runs", "views-none", "state-0000.h5")) as a, \
         h5py.File(vision_toy.path("runs", "views-crop-flip", "state-0000.h5")) as b:
        np.testing.assert_array_equal(heads_of(a)[0]["weight"], heads_of(b)[0]["weight"])
