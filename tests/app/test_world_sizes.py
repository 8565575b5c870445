"""The same records at every world size; nearly the same with one lane a rank."""

import os

import h5py
import numpy as np
import pytest
from tiers import quick


def same_at_every_world_size(toy, ranks, options):
    name = "-".join(["world", *(option.strip("-") for option in options)])
    if not os.path.exists(toy.path("runs", f"{name}-1")):
        toy.run("--lanes", 8, *options, out=f"{name}-1")
    toy.run("--lanes", 8, *options, ranks=ranks, out=f"{name}-{ranks}")
    expected = toy.records(f"{name}-1")
    assert len(expected) == 6  # four tasks, two states
    assert toy.records(f"{name}-{ranks}") == expected
    metrics = [toy.metrics(f"{name}-{count}") for count in (1, ranks)]
    assert metrics[0] == metrics[1]


@pytest.mark.parametrize("ranks", quick(1, [3, 2, 4, 8]))
@pytest.mark.parametrize("options", [[], ["--precision", "bf16"]])
def test_records_have_the_same_content_at_every_world_size(toy, ranks, options):
    same_at_every_world_size(toy, ranks, options)


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--classifier", "local:refit=20"], ["--adapter", "none", "--merge", "none", "--perturbation", "none"]])
def test_other_ways_of_training_have_the_same_content_too(toy, options):
    same_at_every_world_size(toy, 3, options)


@pytest.mark.parametrize("ranks", quick(1, [3, 2, 4, 8]))
@pytest.mark.parametrize("options", quick(1, [[], ["--precision", "bf16", "--augmentation", "rand-augment:min-scale=0.5"],
                                               ["--augmentation", "auto-augment:policy=cifar10", "--image-transform", "resize-crop:size=32,squash=true,crop=0.5"]]))
def test_images_have_the_same_content_at_every_world_size(vision_toy, ranks, options):
    same_at_every_world_size(vision_toy, ranks, options)


def test_activation_checkpointing_gives_the_same_records(toy, reference_run):
    toy.run("--activation-checkpointing", out="recomputed")
    assert toy.records("recomputed") == toy.records("reference")


def test_bf16_learns_nearly_the_same(toy, reference_run):
    toy.run("--precision", "bf16", out="bf16")
    assert not set(toy.records("bf16").values()) & set(toy.records("reference").values())
    ours, theirs = task_vectors(toy.path("runs", "bf16"))[0], task_vectors(reference_run)[0]
    assert np.linalg.norm(ours - theirs) < 0.1 * np.linalg.norm(theirs)


def test_another_seed_gives_other_records(toy, reference_run):
    toy.run("--seed", 2, out="seed-2")
    assert not set(toy.records("seed-2").values()) & set(toy.records("reference").values())


def task_vectors(run):
    vectors = []
    for task in range(4):
        with h5py.File(f"{run}/tasks/task-{task:04}.h5") as file:
            modules = file["lora"]
            vectors.append(np.concatenate([
                (modules[name].attrs["scale"] * modules[name]["B"][:].astype("f8") @ modules[name]["A"][:].astype("f8")).ravel()
                for name in sorted(modules)
            ]))
    return vectors


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_one_lane_a_rank_gives_nearly_the_same_task_vectors(toy, reference_run, ranks):
    toy.run("--lanes", "ranks", ranks=ranks, out=f"ranks-{ranks}")
    for ours, theirs in zip(task_vectors(toy.path("runs", f"ranks-{ranks}")), task_vectors(reference_run)):
        assert np.linalg.norm(ours - theirs) < 1e-4 * np.linalg.norm(theirs)


def test_more_ranks_than_lanes_is_refused(toy):
    text = toy.run("--lanes", 2, ranks=3, out="too-many", code=2)
    assert "3 ranks, but only 2 lanes" in text
