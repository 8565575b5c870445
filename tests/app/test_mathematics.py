"""What a run recorded, computed again by NumPy and PyTorch from its records, its pack and its backbone alone."""

import json

import h5py
import numpy as np
import pytest
import torch
from memory import heads_of
from reference import Reference, delta_of, flat
from tiers import quick


def tasks_of(run):
    for index in range(4):
        with h5py.File(f"{run}/tasks/task-{index:04}.h5") as file:
            yield file


@pytest.fixture(scope="module", params=quick(1, [1, 3]), ids=["1 rank", "3 ranks"])
def run(toy, request):
    name = f"mathematics-{request.param}"
    toy.run(ranks=request.param, out=name)
    return toy.path("runs", name)


def test_alpha_is_the_closed_form_of_the_recorded_fishers(run):
    merged, fishers, optima, alphas = 0, [], [], []
    for file in tasks_of(run):
        delta = delta_of(file)
        merged = merged if fishers else np.zeros_like(delta)
        factor = file["fisher"].attrs["factor"]
        fishers.append(factor * flat(file["fisher"], lambda values: values[:]).astype("f8"))
        optima.append((merged + delta).astype("f8"))
        numerator = -sum(((merged - optimum) * fisher) @ delta for fisher, optimum in zip(fishers, optima))
        denominator = sum((fisher * delta) @ delta.astype("f8") for fisher in fishers)
        alpha = min(max(numerator / denominator, 0), 1) if len(fishers) > 1 else 1
        recorded = file["merge/coefficients"][0]
        assert recorded == pytest.approx(alpha, rel=1e-9)
        merged = (merged + recorded * delta.astype("f8")).astype("f4")
        alphas.append(recorded)
    assert any(0 < alpha < 1 for alpha in alphas), f"nothing was tested: {alphas}"
    with h5py.File(f"{run}/state-0003.h5") as state:
        np.testing.assert_array_equal(flat(state["weights"], lambda values: values[:]), merged)


def test_the_secant_factor_meets_the_measured_rise(run):
    for file in tasks_of(run):
        delta = delta_of(file).astype("f8")
        fisher = flat(file["fisher"], lambda values: values[:]).astype("f8")
        rise = file["metrics"].attrs["loss_merged_before"] - file["metrics"].attrs["loss_trained"]
        assert rise > 0
        assert 0.5 * file["fisher"].attrs["factor"] * (fisher * delta) @ delta == pytest.approx(rise, rel=1e-6)


def test_fisher_is_that_of_one_sample_at_a_time(toy, run):
    check_fishers(toy, run)


def test_the_fisher_of_mpnet_is_that_of_one_sample_at_a_time(mpnet_toy, mpnet_run):
    check_fishers(mpnet_toy, mpnet_run)


def check_fishers(toy, run):
    """Those of all tasks, and the losses, against transformers in double."""
    reference = Reference(toy)
    merged = 0
    for index, file in enumerate(tasks_of(run)):
        names, delta = sorted(file["lora"]), delta_of(file)
        parameters = reference.set_difference(names, merged + delta)
        weight = torch.tensor(file["head/weight"][:].astype("f8"))
        bias = torch.tensor(file["head/bias"][:].astype("f8"))
        sums, count, losses = [torch.zeros_like(p) for p in parameters], 0, []
        for sample in np.flatnonzero((reference.labels // 2 == index) & (reference.split == 0)):
            logits = weight @ reference.features(sample) + bias
            loss = torch.nn.functional.cross_entropy(logits[None], torch.tensor([int(reference.labels[sample]) % 2]))
            losses.append(loss.item())
            for total, gradient in zip(sums, torch.autograd.grad(loss, parameters)):
                total += gradient**2
            count += 1
        assert count == 40
        assert file["metrics"].attrs["loss_trained"] == pytest.approx(np.mean(losses), rel=1e-5)
        expected = np.concatenate([(total / count).numpy().ravel() for total in sums])
        recorded = flat(file["fisher"], lambda values: values[:]).astype("f8")
        # Relative to the largest entries: the recorded gradients are float32, whose small entries are differences of large ones.
        assert np.linalg.norm(recorded - expected) < 1e-5 * np.linalg.norm(expected)
        merged = merged + file["merge/coefficients"][0] * delta.astype("f8")


def test_the_perturbation_reaches_the_training(toy, run):
    """Stage 1: the logged scales are the three, and without them the first task ends elsewhere."""
    with open(f"{run}/metrics.jsonl") as log:
        events = [json.loads(line) for line in log]
    assert {event["scale"] for event in events if event["event"] == "step"} == {0.5, 1.0, 1.5}
    toy.run("--perturbation", "none", "--tasks", 1, "--resume", "auto", out="unperturbed")
    deltas = []
    for folder in (run, toy.path("runs", "unperturbed")):
        with h5py.File(f"{folder}/tasks/task-0000.h5") as file:
            deltas.append(delta_of(file))
    assert np.linalg.norm(deltas[1] - deltas[0]) > 0.01 * np.linalg.norm(deltas[0])


def test_accuracies_are_those_of_the_merged_model(toy, run):
    reference = Reference(toy)
    with h5py.File(f"{run}/state-0003.h5") as state:
        names = sorted(state["weights"])
        reference.set_difference(names, flat(state["weights"], lambda values: values[:]))
        heads = heads_of(state)
        weight = torch.tensor(np.concatenate([head["weight"] for head in heads]).astype("f8"))
        bias = torch.tensor(np.concatenate([head["bias"] for head in heads]).astype("f8"))
    correct, given, top5, in_task, losses = (np.zeros(4, int) for _ in range(5))
    losses, of_class = losses.astype("f8"), np.zeros(8, int)
    with torch.no_grad():
        for sample in np.flatnonzero(reference.split == 1):
            label = int(reference.labels[sample])
            logits = weight @ reference.features(sample) + bias
            correct[label // 2] += int(logits.argmax()) == label
            own = logits[2 * (label // 2) : 2 * (label // 2) + 2]
            given[label // 2] += int(own.argmax()) == label % 2
            top5[label // 2] += label in logits.topk(5).indices
            in_task[label // 2] += int(logits.argmax()) // 2 == label // 2
            of_class[label] += int(logits.argmax()) == label
            losses[label // 2] -= float(own.log_softmax(0)[label % 2])
    with h5py.File(f"{run}/tasks/task-0003.h5") as file:
        np.testing.assert_array_equal(file["metrics/after_merge/correct"][:], correct)
        np.testing.assert_array_equal(file["metrics/after_merge/correct_given_task"][:], given)
        np.testing.assert_array_equal(file["metrics/after_merge/correct_top5"][:], top5)
        np.testing.assert_array_equal(file["metrics/after_merge/correct_task"][:], in_task)
        np.testing.assert_array_equal(file["metrics/after_merge/class_correct"][:], of_class)
        np.testing.assert_array_equal(file["metrics/after_merge/class_samples"][:], 10)
        np.testing.assert_allclose(file["metrics/after_merge/loss_given_task"][:], losses, rtol=1e-5)


@pytest.mark.slow
def test_the_fisher_of_images_is_that_of_one_image_at_a_time(vision_toy):
    """The layers behind the last attention see the class token alone, the others all tokens of an image."""
    fishers = []
    for chunk in (1, 8):
        out = f"fisher-chunk-{chunk}"
        targets = ("--adapter", "lora:rank=4,alpha=4,targets=key+output+fc1+fc2")
        vision_toy.run("--tasks", 1, "--epochs", 1, "--evaluation-batch", chunk, *targets, out=out)
        with h5py.File(vision_toy.path("runs", out, "tasks", "task-0000.h5")) as file:
            fishers.append({name: file["fisher"][name][:].astype("f8") for name in file["fisher"]})
    assert len(fishers[0]) == 8
    for name, alone in fishers[0].items():
        assert alone.max() > 0
        assert np.linalg.norm(fishers[1][name] - alone) < 1e-5 * np.linalg.norm(alone), name
