"""Runs of every version of the format open, and say what palimpsest inspect says of them."""

import hashlib
import json

import numpy as np
import palimpsest
import pytest
from palimpsest.runs.run import own_classifier
from palimpsest.runs.weights import merge_again


def flat(weights):
    return np.concatenate([weights[module].ravel() for module in sorted(weights)])


def test_its_numbers_are_those_of_inspect(golden_of_version, inspect, assert_metrics):
    run, shown = palimpsest.open(golden_of_version), inspect(golden_of_version)
    assert_metrics(shown, run)
    run.check()
    assert run.config == shown["config"] and run.started == shown["run"] and run.alphas.tolist() == shown["alphas"]
    last = run.by_class().query("after_task == 1")
    assert last[["task", "class", "samples", "correct", "accuracy"]].to_dict("records") == shown["classes"]
    for task, said in zip(run.tasks, shown["tasks"], strict=True):
        assert (task.index, task.name, list(task.classes), task.samples, task.seed) == tuple(
            said["task"][key] for key in ("index", "name", "classes", "train_samples", "seed")
        )
        assert task.config == said["config"] and task.seconds == said["metrics"]["seconds"]
        assert task.merge.rule == said["merge"]["rule"] and task.merge.coefficients.tolist() == said["merge"]["coefficients"]
        for key in ("remark", "alpha_unclamped", "numerator", "denominator", "weights_before", "weights_after"):
            assert getattr(task.merge, key) == said["merge"][key], key
        for key in ("kind", "samples", "transform", "scale", "factor"):
            assert getattr(task.fisher, key) == said["fisher"][key], key
        assert {name: {"rank": lora.rank, "scale": lora.scale} for name, lora in task.lora.items()} == said["lora"]
        assert {key: value for key, value in task.metrics.items() if key in said["metrics"]} == {
            key: value for key, value in said["metrics"].items() if key.startswith(("loss", "rise"))
        }
        assert list(task.modules.index) == said["stats"]["modules"]
        for key in ("norm_a", "norm_b", "norm_delta", "fisher_mass"):
            assert task.modules[key].tolist() == said["stats"][key]
        assert set(task.modules["alpha"]) == {task.merge.alpha}
        terms = zip(said["merge"]["module_numerators"], said["merge"]["module_denominators"], strict=True)
        assert task.modules["own_alpha"].tolist() == [numerator / denominator for numerator, denominator in terms]
        for key, before in (("before_merge", True), ("after_merge", False)):
            row = task.evaluation(before)
            assert row.samples.tolist() == said["metrics"][key]["samples"]
            assert {score.name: score.sums.tolist() for score in row.scores} == {
                name: value for name, value in said["metrics"][key].items() if name not in ("samples", "class_samples", "class_correct")
            }


def test_its_frames_have_every_evaluation(golden_of_version, inspect):
    run, shown = palimpsest.open(golden_of_version), inspect(golden_of_version)
    for said in shown["tasks"]:
        t = said["task"]["index"]
        for key in ("before_merge", "after_merge"):
            frame = run.accuracy[(run.accuracy["after_task"] == t) & (run.accuracy["moment"] == key.replace("_", " "))]
            row = said["metrics"][key]
            assert frame["task"].tolist() == list(range(t + 1)) and frame["samples"].tolist() == row["samples"]
            assert frame["correct"].tolist() == row["correct"] and frame["correct_given_task"].tolist() == row["correct_given_task"]
            accuracies = [correct / samples for correct, samples in zip(row["correct"], row["samples"], strict=True)]
            assert frame["accuracy"].tolist() == accuracies == run.matrix(before_merge=key == "before_merge").loc[t].dropna().tolist()
            if "loss_given_task" in row:
                assert frame["loss_given_task"].tolist() == [loss / samples for loss, samples in zip(row["loss_given_task"], row["samples"], strict=True)]


def test_its_memory_has_the_names_and_numbers_of_today(golden_of_version, inspect):
    run = palimpsest.open(golden_of_version)
    said = {one["name"]: one for one in inspect(golden_of_version / "state-0001.h5")["memory"]}
    assert set(run.state.memory) == set(said) and said
    for name, array in run.state.memory.items():
        assert list(array.shape) == said[name]["shape"] and array.nbytes == said[name]["bytes"], name
    # S0 and S1 are what the tasks left: sums of scaled Fishers, and of scaled Fisher times (theta_i* - theta_hat_0).
    for module in run.state.weights:
        scaled = [task.fisher.factor * task.fisher[module].astype(float) for task in run.tasks]
        np.testing.assert_allclose(run.state.s0[module], sum(scaled), rtol=1e-12)
        trained = [run.tasks[0].delta[module], run.weights(0)[module] + run.tasks[1].delta[module]]
        np.testing.assert_allclose(run.state.s1[module], sum(f * d for f, d in zip(scaled, trained, strict=True)), rtol=1e-5, atol=1e-12)
    assert [head.classes for head in run.state.heads] == [task.classes for task in run.tasks] == list(run.state.classes)
    for head, task in zip(run.state.heads, run.tasks, strict=True):
        np.testing.assert_array_equal(head.weight, task.head.weight)
        assert (head.kind, head.scale) == (task.head.kind, task.head.scale) == ("linear", 1)


def test_task_vectors_and_weights_have_the_recorded_hashes(golden_of_version):
    run = palimpsest.open(golden_of_version)
    merged = np.zeros_like(flat(run.weights()))
    for task in run.tasks:
        assert hashlib.sha256(merged.tobytes()).hexdigest() == task.merge.weights_before
        merged = palimpsest.add_scaled(merged, task.merge.alpha, flat(task.delta))
        assert hashlib.sha256(merged.tobytes()).hexdigest() == task.merge.weights_after == palimpsest.weights_sha256(run.weights(task.index))
    np.testing.assert_array_equal(merged, flat(run.state.weights))
    np.testing.assert_array_equal(merged, flat(merge_again(run.tasks, run.state.shapes)))
    assert run.state.norm == pytest.approx(np.linalg.norm(merged.astype(float)))
    for module, norm in run.tasks[1].modules["norm_delta"].items():
        assert np.linalg.norm(run.tasks[1].delta[module].astype(float)) == pytest.approx(norm, rel=1e-6)


@pytest.mark.parametrize(
    "setting, own",
    [
        (None, "local"),
        ("ridge", "ridge"),
        ("local:refit=0,align=none,ridge", "local:refit=0,align=none"),
        ("ridge:projection=10,local:refit=1", "ridge:projection=10"),
    ],
)
def test_the_own_classifier_of_records_that_do_not_name_it(setting, own):
    assert own_classifier({} if setting is None else {"classifier": setting}) == own


def test_a_newer_major_version_is_refused_by_name(golden):
    manifest = golden / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"palimpsest_version": "4.0.0"}))
    with pytest.raises(palimpsest.InputError, match=r"manifest\.json: palimpsest_version: expected version 1\.x\.y, 2\.x\.y or 3\.x\.y of the format, found '4\.0\.0'"):
        palimpsest.open(golden)
