"""--curvature, --perturbation and --penalty ewc: what is recorded is what PyTorch finds, the same at one and two ranks."""

import json

import h5py
import numpy as np
import pytest
import torch
from reference import Reference, delta_of, flat
from slca import words
from tiers import quick

CURVATURE_SAMPLE = 19  # the purpose of the random numbers
KINDS = {
    "expected-sampled": "expected-sampled-per-sample",
    "expected-exact": "expected-exact-per-sample",
    "gram": "gram-diagonal",
}


def same_at_two_ranks(toy, out, *options):
    for ranks in (1, 2):
        toy.run("--tasks", 2, *options, ranks=ranks, out=f"{out}-{ranks}")
    records = toy.records(f"{out}-1")
    assert len(records) == 4  # two tasks, two states
    assert toy.records(f"{out}-2") == records
    assert toy.metrics(f"{out}-1") == toy.metrics(f"{out}-2")
    return toy.path("runs", f"{out}-1")


def expected_curvature(toy, curvature, names, file, by_class=None):
    """Of the first task, a sample at a time in double: values, and the mean loss."""
    reference = Reference(toy)
    parameters = reference.set_difference(names, delta_of(file))
    weight, bias = (torch.tensor(file[f"head/{name}"][:].astype("f8")) for name in ("weight", "bias"))
    inputs = {}
    for name in names:
        module = reference.model.get_submodule(name)
        module.register_forward_hook(lambda _, arguments, __, name=name: inputs.update({name: arguments[0].detach()[0]}))
    sums = [torch.zeros_like(p) for p in parameters]
    samples = np.flatnonzero((reference.labels // 2 == 0) & (reference.split == 0))
    if by_class:
        high, low = words(1, CURVATURE_SAMPLE, 0, samples, 2).T
        drawn = (high >> np.uint64(5)) * 2.0**26 + (low >> np.uint64(6))
        first = [np.argsort(np.where(reference.labels[samples] == label, drawn, np.inf))[:by_class] for label in range(2)]
        samples = samples[np.sort(np.concatenate(first))]
    losses = []
    for sample in samples:
        log_p = torch.log_softmax(weight @ reference.features(sample) + bias, 0)
        losses.append(-log_p[reference.labels[sample]].item())
        if curvature == "gram":
            for total, name in zip(sums, names):
                total += inputs[name].square().sum(0)
            continue
        for label in range(2):
            gradients = torch.autograd.grad(-log_p[label], parameters, retain_graph=True)
            for total, gradient in zip(sums, gradients):
                total += log_p[label].exp().detach() * gradient**2
    return np.concatenate([(total / len(samples)).numpy().ravel() for total in sums]), np.mean(losses)


@pytest.mark.parametrize("curvature", quick(1, KINDS))
def test_a_curvature_is_recorded_the_same_at_two_ranks(toy, curvature):
    run = same_at_two_ranks(toy, curvature, "--curvature", curvature)
    with h5py.File(f"{run}/state-0001.h5") as state:
        assert list(state["memory/curvature"]) == [f"{curvature}:scale=secant"]
    with h5py.File(f"{run}/tasks/task-0000.h5") as file:
        fisher = file["fisher"]
        assert fisher.attrs["kind"].decode() == KINDS[curvature] and fisher.attrs["samples"] == 40
        recorded = flat(fisher, lambda values: values[:]).astype("f8")
        expected, _ = expected_curvature(toy, curvature, sorted(fisher), file)
    if curvature == "expected-sampled":  # one draw for each of 40 samples: near, and not the same
        assert 0.5 < recorded.sum() / expected.sum() < 2
        assert np.linalg.norm(recorded - expected) > 1e-3 * np.linalg.norm(expected)
    else:
        assert np.linalg.norm(recorded - expected) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize(("curvature", "by_class"), [("gram", 6), ("expected-exact", 3), ("gram", 1000)])
def test_fewer_samples_are_those_of_the_smallest_numbers(toy, curvature, by_class):
    run = same_at_two_ranks(toy, f"{curvature}-{by_class}", "--curvature", f"{curvature}:samples={by_class}")
    with h5py.File(f"{run}/tasks/task-0000.h5") as file:
        fisher = file["fisher"]
        assert fisher.attrs["samples"] == 2 * min(by_class, 20)
        recorded = flat(fisher, lambda values: values[:]).astype("f8")
        expected, loss = expected_curvature(toy, curvature, sorted(fisher), file, by_class)
        assert file["metrics"].attrs["loss_trained"] == pytest.approx(loss, rel=1e-5)
    assert np.linalg.norm(recorded - expected) < 1e-5 * np.linalg.norm(expected)


def test_samples_change_what_is_measured_and_no_kind_of_curvature(toy, reference_run):
    """The second task's secant uses its losses over the same few samples; S0 and S1 keep their name, so that a fork may change N."""
    toy.run("--curvature", "empirical:samples=5", "--tasks", 2, out="five")
    toy.run("--fork", toy.path("runs", "five"), "--tasks", 3, out="five-then-all")
    with h5py.File(f"{toy.path('runs', 'five-then-all')}/tasks/task-0002.h5") as third:
        assert third["fisher"].attrs["samples"] == 40
    with h5py.File(f"{toy.path('runs', 'five')}/tasks/task-0001.h5") as few, h5py.File(f"{reference_run}/tasks/task-0001.h5") as all_of_it:
        assert few["metrics"].attrs["loss_merged_before"] != all_of_it["metrics"].attrs["loss_merged_before"]
        assert (few["fisher"].attrs["samples"], all_of_it["fisher"].attrs["samples"]) == (10, 40)
    for text, message in (("empirical:samples=0", "samples = '0' is not possible: it takes all, or a whole number from 1"), ("empirical:samples=few", "samples = 'few'")):
        assert message in toy.run("--curvature", text, out="no-samples", code=2)


@pytest.mark.slow
def test_a_fork_keeps_to_its_kind_of_curvature(toy, reference_run):
    text = toy.run("--fork", reference_run, "--tasks", 4, "--curvature", "gram", out="no-fork", code=2)
    assert "expected curvature/gram:scale=secant/s0 in its memory, found curvature/empirical:scale=secant" in text, text


@pytest.fixture(scope="module")
def unperturbed(toy):
    toy.run("--perturbation", "none", "--tasks", 2, out="unperturbed-two")
    return toy.path("runs", "unperturbed-two")


def delta_of_task(folder, index):
    with h5py.File(f"{folder}/tasks/task-{index:04}.h5") as file:
        return delta_of(file)


@pytest.mark.parametrize("perturbation", quick(1, ["stratified", "uniform", "gaussian"]))
def test_a_perturbation_trains_the_same_at_two_ranks(toy, unperturbed, perturbation):
    run = same_at_two_ranks(toy, perturbation, "--perturbation", perturbation)
    scales = [[], []]
    with open(f"{run}/metrics.jsonl") as log:
        for event in map(json.loads, log):
            if event["event"] == "step":
                scales[event["task"]].append(event["scale"])
    if perturbation == "gaussian":
        assert set(scales[0] + scales[1]) == {1}
    elif perturbation == "uniform":
        assert set(scales[0]) == {1} and len(set(scales[1])) == len(scales[1])
        assert all(0.5 <= scale <= 1 for scale in scales[1])
    else:  # batches of 30 and of 10: one sample is left over in the second
        assert set(scales[0][::2]) == {1} and {round(20 * (s - 1)) for s in scales[0][1::2]} <= {-1, 0, 1}
    same = [np.array_equal(*(delta_of_task(folder, index) for folder in (run, unperturbed))) for index in range(2)]
    assert same == [perturbation == "uniform", False]


@pytest.mark.slow
def test_images_in_bf16_are_stratified_too(vision_toy):
    same_at_two_ranks(vision_toy, "stratified-bf16", "--perturbation", "stratified", "--precision", "bf16")


def forgotten(toy, out):
    """Test samples of tasks 1 to 3 that were right after their task, given the task or not, and no longer at the end."""
    rows = [event for event in toy.metrics(out) if event["event"] == "evaluated" and event["after_merge"]]
    return [sum(rows[j][key][j] - rows[3][key][j] for j in range(3)) for key in ("correct", "correct_given_task")]


@pytest.mark.slow
def test_ewc_keeps_earlier_tasks(toy):
    lengths = []
    for out, penalty in (("ewc-none", "none"), ("ewc-weak", "ewc:weight=1"), ("ewc-strong", "ewc:weight=100")):
        toy.run("--merge", "none", "--perturbation", "none", "--lr", 0.06, "--penalty", penalty, out=out)
        lengths.append([np.linalg.norm(delta_of_task(toy.path("runs", out), index)) for index in range(4)])
    assert lengths[0][0] == lengths[1][0] == lengths[2][0]  # nothing to keep yet
    for task in range(1, 4):
        assert lengths[0][task] > lengths[1][task] > lengths[2][task]
    for plain, with_ewc in zip(forgotten(toy, "ewc-none"), forgotten(toy, "ewc-strong")):
        assert with_ewc < plain


@pytest.mark.slow
def test_ewc_trains_the_same_at_two_ranks_and_after_a_resume(toy):
    options = ("--penalty", "ewc:weight=10", "--checkpoint-every", 7)
    same_at_two_ranks(toy, "ewc", *options)
    toy.run(*options, "--tasks", 1, out="ewc-stopped")
    resume = (*options, "--tasks", 2, "--resume", "auto")
    for _ in range(2):
        assert toy.code(*resume, "--stop-after", 1e-9, out="ewc-stopped") == 85
    assert "resuming task 2 after step 2" in toy.run(*resume, out="ewc-stopped")
    assert toy.records("ewc-stopped") == toy.records("ewc-1")
