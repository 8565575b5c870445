"""Kinds of heads, their alignment and the bounds: against NumPy and transformers, at every world size, on resume."""

import h5py
import numpy as np
import pytest
import slca
import torch
from memory import head_place, heads_of, of_tasks
from reference import Reference, flat
from tiers import quick

FROZEN = ["--adapter", "none", "--merge", "none", "--perturbation", "none"]
ALIGN = "local:align=gaussian"
KINDS = {
    "cosine": ["--head", "cosine", "--classifier", "local:refit=20"],
    "prototype": ["--head", "prototype", *FROZEN],
    "align": ["--classifier", ALIGN],
    "align-cosine": ["--classifier", ALIGN, "--head", "cosine"],
    "refit-align": ["--classifier", "local:refit=20,align=gaussian"],
    "normalise": ["--classifier", "local:normalise=true"],
    "normalise-cosine": ["--classifier", "local:refit=5,normalise=true", "--head", "cosine"],
    "joint": ["--joint", "--merge", "none", "--perturbation", "none"],
}


@pytest.fixture(scope="module", params=quick(1, KINDS))
def kind(toy, request):
    toy.run(*KINDS[request.param], out=f"head-{request.param}")
    return request.param


def task_file(toy, out, task):
    return h5py.File(toy.path("runs", out, "tasks", f"task-{task:04}.h5"))


def state_of(toy, out, task=3):
    return h5py.File(toy.path("runs", out, f"state-{task:04}.h5"))


def own_of(state, text):
    """What a classifier has, by task; empty for those that it has nothing of."""
    return of_tasks(state, f"classifier/{text}")


def joint_logits(state, text, features):
    """[samples, classes]: cosines times the scale where a head says so, divided by the norm where there is one."""
    parts = []
    for head, own in zip(heads_of(state), own_of(state, text)):
        weight, bias = ((own if "weight" in own else head)[name][:].astype("f8") for name in ("weight", "bias"))
        kind, _, scale = head_place(state).removeprefix("head/").partition(":scale=")
        if kind == "cosine":
            unit = features / np.linalg.norm(features, axis=1, keepdims=True)
            parts.append(float(scale) * unit @ (weight / np.linalg.norm(weight, axis=1, keepdims=True)).T)
            assert not bias.any()
        else:
            parts.append(features @ weight.T + bias)
        if "norm" in own:
            parts[-1] /= own["norm"][0]
    return np.concatenate(parts, axis=1)


def classifier_of(options):
    return options[options.index("--classifier") + 1] if "--classifier" in options else "local"


@pytest.fixture(scope="module")
def features_at(toy):
    """Features of all samples by the reference, in double, at theta_hat_0 + a state's weights."""
    reference, known = Reference(toy), {}

    def features(state):
        weights = flat(state["weights"], lambda values: values[:])
        key = weights.tobytes()
        if key not in known:
            reference.set_difference(sorted(state["weights"]), weights)
            with torch.no_grad():
                known[key] = np.stack([reference.features(i).numpy() for i in range(len(reference.labels))])
        return known[key]

    features.labels, features.split = reference.labels, reference.split
    return features


def test_records_are_the_same_at_two_ranks(toy, kind):
    toy.run(*KINDS[kind], ranks=2, out=f"head-{kind}-2")
    assert toy.records(f"head-{kind}-2") == toy.records(f"head-{kind}")
    assert toy.metrics(f"head-{kind}-2") == toy.metrics(f"head-{kind}")


def test_accuracies_are_those_of_the_recorded_heads(toy, kind, features_at):
    out = f"head-{kind}"
    tasks = 1 if kind == "joint" else 4
    with state_of(toy, out, tasks - 1) as state, task_file(toy, out, tasks - 1) as file:
        features = features_at(state)
        logits = joint_logits(state, classifier_of(KINDS[kind]), features)
        right = (logits.argmax(1) == features_at.labels) & (features_at.split == 1)
        expected = np.bincount(features_at.labels[right] * tasks // 8, minlength=tasks)
        np.testing.assert_array_equal(file["metrics/after_merge/correct"][:], expected)


def test_a_prototype_is_the_mean_of_its_class(toy, features_at):
    toy.run("--resume", "auto", *KINDS["prototype"], out="head-prototype")
    with state_of(toy, "head-prototype") as state:
        assert not flat(state["weights"], lambda values: values[:]).any()
        features = features_at(state)
    for task in range(4):
        with task_file(toy, "head-prototype", task) as file:
            assert file["head"].attrs["kind"] == b"cosine" and file["head"].attrs["scale"] == 16
            for c in range(2):
                of_class = features[(features_at.labels == 2 * task + c) & (features_at.split == 0)]
                assert len(of_class) == 20
                # The program's features are float32's, the reference's double.
                np.testing.assert_allclose(file["head/weight"][c], of_class.mean(0), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_class_means_learned_at_once_are_those_learned_one_task_after_another(toy):
    toy.run("--resume", "auto", *KINDS["prototype"], out="head-prototype")
    toy.run("--joint", *KINDS["prototype"], out="joint-prototype")
    with state_of(toy, "joint-prototype", 0) as joint, state_of(toy, "head-prototype") as stream:
        weights = np.concatenate([head["weight"][:] for head in heads_of(stream)])
        np.testing.assert_array_equal(heads_of(joint)[0]["weight"][:], weights)
        assert joint["accuracy/after_merge/correct"][0, 0] == stream["accuracy/after_merge/correct"][3].sum()
    with task_file(toy, "joint-prototype", 0) as file:
        assert file["task"].attrs["name"] == b"joint of 4 tasks"
        assert [name.decode() for name in file["task/classes"]] == [f"class {c}" for c in range(8)]


def test_class_statistics_are_those_of_the_merged_models(toy, features_at):
    toy.run("--classifier", ALIGN, "--tasks", 2, out="statistics")
    with state_of(toy, "statistics", 0) as first, state_of(toy, "statistics", 1) as second:
        for task, state in ((0, first), (1, second)):  # each at its own theta_hat: no correction for drift
            features = features_at(state)
            kept = own_of(second, ALIGN)[task]
            assert kept["factor"].shape == (2, 19, 32) and not kept["rest"][:].any()  # 20 samples of a class: all
            for c in range(2):
                of_class = features[(features_at.labels == 2 * task + c) & (features_at.split == 0)]
                # The same; a covariance is of small differences between features.
                np.testing.assert_allclose(kept["mean"][c], of_class.mean(0), rtol=1e-3, atol=1e-4)
                covariance = np.cov(of_class.T)
                factor = kept["factor"][c].astype("f8")
                np.testing.assert_allclose(factor.T @ factor, covariance, atol=1e-3 * np.abs(covariance).max())


@pytest.mark.parametrize("text", quick(1, [ALIGN, "local:refit=20,align=gaussian"]))
def test_aligned_heads_are_those_of_slca_and_the_trained_ones_stay(toy, text):
    """Against PyTorch, from the statistics and heads of the state on."""
    out, plain = f"slca{len(text)}", f"slca{len(text)}-plain"
    toy.run("--classifier", text, "--tasks", 2, out=out)
    toy.run("--tasks", 2, "--resume", "auto", out=plain)
    with state_of(toy, out, 1) as state, state_of(toy, plain, 1) as other, task_file(toy, out, 1) as record:
        for head, trained in zip(heads_of(state), heads_of(other)):
            np.testing.assert_array_equal(head["weight"][:], trained["weight"][:])
        np.testing.assert_array_equal(record["head/weight"][:], heads_of(state)[1]["weight"][:])
        own = own_of(state, text)
        begin = own_of(state, f"{text}/refitted") if "refit" in text else heads_of(state)
        statistics = [[kept[name][:].astype("f8") for name in ("mean", "factor", "rest")] for kept in own]
        weights, biases = slca.aligned(*([head[name][:] for head in begin] for name in ("weight", "bias")), statistics, seed=1)
        for task in range(2):
            moved = np.abs(own[task]["weight"][:] - begin[task]["weight"][:]).max()
            # Twenty steps in float32, whose sums have other orders.
            np.testing.assert_allclose(own[task]["weight"][:], weights[task], atol=1e-3 * moved)
            np.testing.assert_allclose(own[task]["bias"][:], biases[task], atol=1e-3 * moved)


def test_norms_are_those_of_the_logits_of_the_tasks_own_samples(toy, features_at):
    text = "local:normalise=true"
    toy.run("--classifier", text, "--tasks", 2, out="norms")
    with state_of(toy, "norms", 0) as first, state_of(toy, "norms", 1) as second:
        for task, state in ((0, first), (1, second)):
            features = features_at(state)[(features_at.labels // 2 == task) & (features_at.split == 0)]
            logits = features @ heads_of(second)[task]["weight"][:].T + heads_of(second)[task]["bias"][:]
            expected = np.linalg.norm(logits, axis=1).mean()
            np.testing.assert_allclose(own_of(second, text)[task]["norm"][0], expected, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["align-cosine", "refit-align", "normalise-cosine"])
def test_a_resumed_run_fits_the_same_heads(toy, kind):
    toy.run("--resume", "auto", *KINDS[kind], out=f"head-{kind}")
    toy.run(*KINDS[kind], "--tasks", 2, out=f"resumed-{kind}")
    toy.run(*KINDS[kind], "--resume", "auto", ranks=2, out=f"resumed-{kind}")
    assert toy.records(f"resumed-{kind}") == toy.records(f"head-{kind}")


@pytest.mark.slow
def test_a_cosine_head_continues_within_its_task(toy):
    options = ["--head", "cosine:scale=9", "--tasks", 1]
    toy.run(*options, out="cosine-at-once")
    for _ in range(5):
        assert toy.code(*options, "--resume", "auto", "--stop-after", 1e-9, out="cosine-steps") == 85
    steps = [name for name in toy.records("cosine-steps") if name.startswith("step")]
    with h5py.File(toy.path("runs", "cosine-steps", steps[0])) as file:
        assert file["parameters/head"].attrs["kind"] == b"cosine" and file["parameters/head"].attrs["scale"] == 9
    toy.run(*options, "--resume", "auto", out="cosine-steps")
    assert toy.records("cosine-steps") == toy.records("cosine-at-once")


@pytest.mark.slow
def test_a_fork_keeps_the_kind_of_head_and_needs_statistics_to_align(toy, reference_run):
    text = toy.run("--classifier", ALIGN, "--fork", reference_run, out="fork-align", code=2)
    assert "kept no class statistics" in text and f"only a run with --classifier {ALIGN} keeps them" in text, text
    text = toy.run("--classifier", "local:normalise=true", "--fork", reference_run, out="fork-normalise", code=2)
    assert "kept no norms" in text, text
    text = toy.run("--head", "cosine", "--fork", reference_run, out="fork-cosine", code=2)
    assert "expected head/cosine:scale=16/0/weight in its memory, found head/linear:" in text and "would not compare" in text, text
    toy.run("--classifier", ALIGN, "--tasks", 1, out="fork-origin")
    origin = toy.path("runs", "fork-origin")
    for name, options in (("on", ["--classifier", ALIGN]), ("off", [])):
        text = toy.run(*options, "--tasks", 2, "--fork", origin, out=f"fork-{name}")
        assert (f"is dropped: classifier/{ALIGN} (5 arrays)" in text) == (name == "off"), text
        with state_of(toy, f"fork-{name}", 1) as state:
            assert [bool(own) for own in own_of(state, ALIGN)] == [name == "on"] * 2
