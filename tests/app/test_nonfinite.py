"""A step whose loss is not finite: named, agreed on by all ranks, and left out where the settings say so."""

import json
import os
import re

import numpy as np
import pytest
import safetensors.torch
import toy as toy_module
from palimpsest.pack import pack_file
from tiers import quick

POISON = toy_module.VOCABULARY - 1
SAMPLE = 5  # the only training text with that token; of the first task
OPTIONS = ["--merge", "average", "--perturbation", "none"]  # the Fisher of such a text is not finite


@pytest.fixture(scope="module")
def poisoned(toy):
    """Settings of a stream in which one text makes every loss NaN: its token's embedding is."""
    folder = toy.path("poisoned")
    toy_module.make_backbone(folder)
    weights = safetensors.torch.load_file(os.path.join(folder, "model.safetensors"))
    weights["embeddings.word_embeddings.weight"][POISON] = float("nan")
    safetensors.torch.save_file(weights, os.path.join(folder, "model.safetensors"))
    rng = np.random.default_rng(1)
    samples = toy_module.CLASSES * (toy_module.TRAIN + toy_module.TEST)
    tokens = [rng.integers(0, POISON, size=rng.integers(3, 13)).astype("<i4") for _ in range(samples)]
    tokens[SAMPLE][1] = POISON
    labels = np.repeat(np.arange(toy_module.CLASSES, dtype="<i4"), toy_module.TRAIN + toy_module.TEST)
    split = np.tile(np.arange(toy_module.TRAIN + toy_module.TEST) >= toy_module.TRAIN, toy_module.CLASSES).astype("u1")
    names = [f"class {label}" for label in range(toy_module.CLASSES)]
    pack = toy.path("poisoned.h5")
    pack_file.write_pack(pack, pack_file.Pack(toy_module.VOCABULARY, names, tokens, labels, split, "{}"))
    return [*OPTIONS, "--backbone", folder, "--pack", pack]


@pytest.mark.parametrize("ranks", quick(1, [1, 2]))
def test_the_run_stops_and_names_task_step_and_samples(toy, poisoned, ranks):
    text = toy.run(*poisoned, ranks=ranks, out=f"poisoned-{ranks}", code=4)
    assert re.search(r"task 1, step \d+: loss -?nan", text), text
    samples = re.search(r"pack indices\):([ 0-9]+)", text)[1].split()
    assert str(SAMPLE) in samples and len(samples) <= 30, text
    assert "--nonfinite skip" in text


@pytest.mark.slow
def test_a_step_may_be_skipped_and_the_run_is_the_same_at_every_world_size(toy, poisoned):
    for ranks in (1, 3):
        text = toy.run(*poisoned, "--nonfinite", "skip", ranks=ranks, out=f"skipped-{ranks}")
        assert len(re.findall(r"step \d+ skipped: loss -?nan", text)) == 6, text  # once a pass
    assert toy.records("skipped-1") == toy.records("skipped-3")
    log = [json.loads(line) for line in open(toy.path("runs", "skipped-1", "metrics.jsonl"))]
    skipped = [line for line in log if line["event"] == "step_skipped"]
    assert len(skipped) == 6 and all(SAMPLE in line["samples"] and line["task"] == 0 for line in skipped)


FROZEN = ["--merge", "none", "--perturbation", "none", "--adapter", "none"]


@pytest.mark.slow
@pytest.mark.parametrize("name, options", [("frozen", FROZEN), ("refit", [*OPTIONS, "--classifier", "local:refit=20"])])
def test_a_step_that_trains_a_head_alone_may_be_skipped_too(toy, poisoned, name, options):
    """The text's features aren't finite, nor those of the texts that were computed together with it."""
    more = [*poisoned[len(OPTIONS):], "--batch", 5]
    text = toy.run(*more, *options, out=f"{name}-stops", code=4)
    assert re.search(r"loss -?nan, gradient norm -?nan.*--nonfinite skip", text), text
    for ranks in (1, 3):
        text = toy.run(*more, *options, "--nonfinite", "skip:limit=1000", ranks=ranks, out=f"{name}-{ranks}")
        found = re.findall(r"step \d+( of the refit)? skipped: loss -?nan", text)
        assert len(found) >= 6 and (" of the refit" in found) == (name == "refit"), text
    assert toy.records(f"{name}-1") == toy.records(f"{name}-3")
    log = [json.loads(line) for line in open(toy.path("runs", f"{name}-1", "metrics.jsonl"))]
    skipped = [line for line in log if line["event"] == "step_skipped"]
    assert len(skipped) == len(found) and any(SAMPLE in line["samples"] for line in skipped)
    assert sum(line["in_refit"] for line in skipped) == found.count(" of the refit")


@pytest.mark.slow
def test_a_skipped_step_survives_a_resume(toy, poisoned):
    options = [*poisoned, "--nonfinite", "skip"]
    if not os.path.exists(toy.path("runs", "skipped-1")):
        toy.run(*options, out="skipped-1")
    at_once = ["--resume", "auto", "--stop-after", 1e-9, "--checkpoint-minutes", 0]
    assert [toy.code(*options, *at_once, out="skipped-often") for _ in range(5)] == [85] * 5  # a step each
    assert '"steps_done":5' in open(toy.path("runs", "skipped-often", "metrics.jsonl")).read()
    toy.run(*options, "--resume", "auto", out="skipped-often")
    assert toy.records("skipped-often") == toy.records("skipped-1")


def test_more_skipped_steps_than_allowed_end_the_run(toy, poisoned):
    text = toy.run(*poisoned, "--nonfinite", "skip:limit=3", out="too-often", code=4)
    assert "--nonfinite skip:limit=3: as many were skipped before" in text
