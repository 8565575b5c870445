"""palimpsest merge on runs of the toy stream, and on adapters that PEFT itself has made."""

import json
import os
import shutil

import h5py
import numpy as np
import pytest
import safetensors.torch
import torch
from adapters import by_module, change_config, expect_close, make_adapter, tool, weights_of
from memory import heads_of
from page import code
from tiers import quick

RULES = ["closed-form", "closed-form:by=module", "closed-form:by=direction", "closed-form:by=coordinate,shrink=0.5",
         "became", "average", "none"]


def merge(*arguments):
    return json.loads(tool("merge", *arguments, "--json"))


def end_points(run, tasks=3):
    """theta_t* - theta_hat_0 by task and module, from the records and the recorded coefficients of the closed form."""
    points, merged = [], None
    for index in range(tasks):
        with h5py.File(f"{run}/tasks/task-{index:04}.h5") as file:
            delta = {name: module.attrs["scale"] * module["B"][:].astype("f8") @ module["A"][:].astype("f8")
                     for name, module in file["lora"].items()}
            alpha = file["merge/coefficients"][0]
        merged = merged or {name: np.zeros_like(values) for name, values in delta.items()}
        points.append({name: merged[name] + delta[name] for name in delta})
        merged = {name: merged[name] + alpha * delta[name] for name in delta}
    return points


@pytest.fixture(scope="module")
def run(toy):
    toy.run("--tasks", 3, out="merge-again")
    return toy.path("runs", "merge-again")


@pytest.mark.parametrize("rule", quick(1, RULES))
def test_the_runs_own_rule_gives_its_recorded_weights(toy, rule):
    out = "own-" + rule.replace(":", "-").replace(",", "-")
    toy.run("--merge", rule, "--tasks", 3, ranks=2, out=out)
    folder, merged = toy.path("runs", out), toy.path(f"{out}.h5")
    result = merge(folder, "--out", merged)
    assert result["post_hoc"] == "" and result["verified_merges"] == 3
    for index, task in enumerate(result["tasks"]):
        with h5py.File(f"{folder}/tasks/task-{index:04}.h5") as file:
            assert task["weights_after"] == file["merge"].attrs["weights_after"].decode()
            assert task["coefficients"] == list(file["merge/coefficients"][:])
    with h5py.File(f"{folder}/state-0002.h5") as state, h5py.File(merged) as file:
        for name in state["weights"]:
            np.testing.assert_array_equal(state["weights"][name][:], file["weights"][name][:])
        for task, head in enumerate(heads_of(state)):
            np.testing.assert_array_equal(head["weight"], file[f"heads/{task}/weight"][:])


def test_another_rule_is_post_hoc_and_goes_to_the_end_points(toy, run):
    merged = toy.path("average.h5")
    text = tool("merge", run, "--rule", "average", "--out", merged)
    assert "post hoc: the run was merged by closed-form, and this is average" in text
    with h5py.File(merged) as file:
        assert file["merge/post_hoc"][()].decode().startswith("post hoc: the run was merged by closed-form")
    points = end_points(run)
    expect_close(weights_of(merged), {name: sum(point[name] for point in points) / 3 for name in points[0]})
    tool("merge", run, "--rule", "none", "--out", merged)
    expect_close(weights_of(merged), points[-1])


def test_a_subset_and_a_task_removed(toy, run):
    chosen, without = toy.path("chosen.h5"), toy.path("without.h5")
    result = merge(run, "--tasks", "1,3", "--out", chosen)
    assert "task 2 is left out, but task 3 was trained on models that had seen it" in result["post_hoc"]
    result = merge(run, "--remove-task", 2, "--out", without)
    assert "task 2 was removed, but task 3 was trained on models that had seen it" in result["post_hoc"]
    assert [task["task"] for task in result["tasks"]] == [0, 2]
    expect_close(weights_of(without), weights_of(chosen), 1e-7)
    with h5py.File(without) as file, h5py.File(f"{run}/tasks/task-0002.h5") as third:
        assert len(file["heads"]) == 2 and list(file["heads/1/classes"]) == list(third["task/classes"])
    last = merge(run, "--remove-task", 3)
    with h5py.File(f"{run}/tasks/task-0001.h5") as second:
        assert last["tasks"][-1]["weights_after"] == second["merge"].attrs["weights_after"].decode()
    assert last["post_hoc"] == "" and "it was the last task" in last["remarks"][0]


def test_what_cannot_be_done_is_refused(toy, run):
    assert "starts from the pretrained model" in tool("merge", run, "--rule", "ties", code=2)
    assert "no longer s B A" in tool("merge", run, "--rule", "closed-form:by=direction", code=2)
    assert "there is no task 7" in tool("merge", run, "--tasks", "1,7", code=2)
    assert "did you mean 'average'?" in tool("merge", run, "--rule", "averge", code=2)
    assert "expected a run folder" in tool("merge", toy.folder, code=3)
    record = f"{run}/tasks/task-0001.h5"
    before = open(record, "rb").read()
    assert "no file of type merged" in tool("merge", run, "--rule", "average", "--out", record, code=2)
    assert open(record, "rb").read() == before
    assert "expected a value of --tasks, found an empty one" in tool("merge", run, "--tasks", "", code=2)
    toy.run("--merge", "average", "--tasks", 2, out="no-fisher")
    assert "task 1 has none" in tool("merge", toy.path("runs", "no-fisher"), "--rule", "closed-form", code=2)
    damaged = toy.path("runs", "merge-damaged")
    shutil.copytree(run, damaged)
    with h5py.File(f"{damaged}/tasks/task-0001.h5", "r+") as file:
        file["fisher"].attrs["factor"] *= 2
    assert "task 2, merged again by closed-form: expected theta_hat with the recorded hash" in tool("merge", damaged, code=3)


@pytest.mark.slow
def test_a_run_that_kept_fishers_for_ewc_is_merged_again(toy):
    """Its first task's rule needs no Fisher, the fork's does: alpha counts both."""
    toy.run("--penalty", "ewc:weight=10", "--merge", "none", "--tasks", 1, out="ewc-first")
    toy.run("--fork", toy.path("runs", "ewc-first"), "--merge", "closed-form", "--tasks", 3, out="ewc-fork")
    folder = toy.path("runs", "ewc-fork")
    result = merge(folder)
    assert result["post_hoc"] == "" and result["verified_merges"] == 3
    assert len(json.loads(tool("merge", folder, "--audit", "--json"))["predicted_rise_training_samples"]) == 3


@pytest.mark.slow
def test_rules_over_all_task_vectors_on_runs_that_train_for_them(toy):
    toy.run("--merge", "fixed:alpha=0", "--tasks", 2, out="pretrained")
    folder, merged = toy.path("runs", "pretrained"), toy.path("sum.h5")
    tool("merge", folder, "--rule", "task-arithmetic:scale=0.5", "--out", merged)
    points = end_points(folder, 2)
    expect_close(weights_of(merged), {name: 0.5 * (points[0][name] + points[1][name]) for name in points[0]})


def test_the_other_tools_know_merged_weights(toy, run):
    a, b = toy.path("a.h5"), toy.path("b.h5")
    tool("merge", run, "--rule", "average", "--out", a)
    tool("merge", run, "--rule", "ema:rate=0.5", "--out", b)
    assert "whole: the merged" in tool("verify", a)
    assert "the same: the mergeds" in tool("diff", a, a)
    assert "/merge/rule" in tool("diff", a, b, "--all", code=1)
    assert "post hoc: the run was merged by closed-form" in tool("inspect", a)
    assert json.loads(tool("inspect", a, "--json"))["merge"]["rule"] == {"name": "average"}
    with h5py.File(a, "r+") as file:
        file["weights"][sorted(file["weights"])[0]][0, 0] += 1
    assert "a.h5" in tool("verify", a, code=3)


def test_audit_and_cosines(run):
    audit = json.loads(tool("merge", run, "--audit", "--json"))
    points = end_points(run)
    merged = weights_of(f"{run}/state-0002.h5")
    for index, point in enumerate(points):
        with h5py.File(f"{run}/tasks/task-{index:04}.h5") as file:
            fisher, factor = by_module(file["fisher"]), file["fisher"].attrs["factor"]
        rise = 0.5 * factor * sum((fisher[name] * (merged[name] - point[name]) ** 2).sum() for name in point)
        assert audit["predicted_rise_training_samples"][2][index] == pytest.approx(rise, rel=1e-4)
        with h5py.File(f"{run}/tasks/task-0002.h5") as after, h5py.File(f"{run}/tasks/task-{index:04}.h5") as own:
            rows = [file[f"metrics/{when}"] for file, when in ((after, "after_merge"), (own, "before_merge"))]
            losses = [row["loss_given_task"][index] / row["samples"][index] for row in rows]
        assert audit["measured_rise_test_samples"][2][index] == pytest.approx(losses[0] - losses[1], abs=1e-12)
    text = tool("merge", run, "--audit")
    assert "predicted, on training samples" in text and "measured, on test samples" in text

    cosines = json.loads(tool("inspect", run, "--cosines", "--json"))
    deltas = []
    for index in range(3):
        with h5py.File(f"{run}/tasks/task-{index:04}.h5") as file:
            deltas.append(np.concatenate([(m["B"][:].astype("f8") @ m["A"][:].astype("f8")).ravel() for m in file["lora"].values()]))
    expected = [[a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in deltas] for a in deltas]
    np.testing.assert_allclose(cosines["cosines"], expected, atol=1e-6)


# --- adapters -------------------------------------------------------------------------------------------------


def snippet():
    """The code of the page that shows users how to write a sidecar."""
    names = {}
    exec(code("docs/merge-laboratory.md", "python")[0], names)
    return names["write_curvature"]


@pytest.fixture(scope="module")
def adapters(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters")
    variants = [{}, {"use_rslora": True}, {"rank_pattern": {"layer.1.attention.self.value": 2}, "alpha_pattern": {"value": 6}}]
    paths = [str(folder / name) for name in ("one", "two", "three")]
    deltas = [make_adapter(path, seed, **changes) for seed, (path, changes) in enumerate(zip(paths, variants))]
    assert len(deltas[0]) == 4
    rng = np.random.default_rng(5)
    fishers = [{name: rng.random(values.shape).astype("f4") for name, values in delta.items()} for delta in deltas]
    sidecars = [path + ".h5" for path in paths]
    for path, fisher in zip(sidecars, fishers):
        snippet()(path, fisher, kind="empirical-per-sample", samples=50, base_sha256="a" * 64)
    return paths, deltas, fishers, sidecars


def adapters_merged(tmp_path, paths, rule, *more):
    out = str(tmp_path / "merged.h5")
    text = tool("merge", "--adapters", *paths, "--rule", rule, "--out", out, *more)
    assert "every adapter was trained from the pretrained base" in " ".join(text.split())
    assert "whole" in tool("verify", out)
    return weights_of(out)


def test_adapters_are_averaged_and_summed(tmp_path, adapters):
    paths, deltas, _, _ = adapters
    total = {name: sum(delta[name] for delta in deltas) for name in deltas[0]}
    expect_close(adapters_merged(tmp_path, paths, "average"), {name: values / 3 for name, values in total.items()}, 1e-6)
    expect_close(adapters_merged(tmp_path, paths, "task-arithmetic:scale=0.7"),
                 {name: 0.7 * values for name, values in total.items()}, 1e-6)


def test_adapters_by_ties(tmp_path, adapters):
    paths, deltas, _, _ = adapters
    flat = np.array([np.concatenate([delta[name].ravel() for name in sorted(delta)]) for delta in deltas])
    kept = int(np.ceil(0.4 * flat.shape[1]))
    trimmed = np.where(np.abs(flat) >= np.sort(np.abs(flat), axis=1)[:, -kept][:, None], flat, 0)
    elected = np.sign(trimmed.sum(0))
    agrees = (np.sign(trimmed) == elected) & (trimmed != 0)
    expected = (trimmed * agrees).sum(0) / np.maximum(agrees.sum(0), 1)
    found = adapters_merged(tmp_path, paths, "ties:density=0.4")
    np.testing.assert_allclose(np.concatenate([found[name].ravel() for name in sorted(found)]), expected, atol=1e-7)


def test_adapters_by_the_closed_form_with_sidecars(tmp_path, adapters):
    paths, deltas, fishers, sidecars = adapters
    names = sorted(deltas[0])
    points = [np.concatenate([delta[name].ravel() for name in names]) for delta in deltas]
    curves = [np.concatenate([fisher[name].ravel() for name in names]).astype("f8") for fisher in fishers]
    merged = points[0]
    for t in (1, 2):
        step = points[t] - merged
        alpha = -sum((curves[i] * (merged - points[i])) @ step for i in range(t + 1)) / sum(curves[i] @ step**2 for i in range(t + 1))
        assert 0.05 < alpha < 0.95
        merged = merged + alpha * step
    found = adapters_merged(tmp_path, paths, "closed-form", "--curvature", *sidecars)
    np.testing.assert_allclose(np.concatenate([found[name].ravel() for name in names]), merged, atol=1e-6)
    mean = sum(c * p for c, p in zip(curves, points)) / sum(curves)
    found = adapters_merged(tmp_path, paths, "closed-form:by=coordinate", "--curvature", *sidecars)
    np.testing.assert_allclose(np.concatenate([found[name].ravel() for name in names]), mean, atol=1e-6)
    assert "empirical-per-sample over 50 samples" in tool("inspect", sidecars[0])
    assert "the same" in tool("diff", sidecars[0], sidecars[0])


def test_adapters_that_do_not_fit_are_refused(tmp_path, adapters):
    paths, _, fishers, sidecars = adapters
    refused = str(tmp_path / "refused")

    def text_of(code=3, rule="average", more=(), first=paths[0]):
        return tool("merge", "--adapters", first, refused, "--rule", rule, *more, code=code)

    make_adapter(refused, 7, target_modules=["query", "key"])
    assert "expected the modules of one" in text_of()
    shutil.rmtree(refused)
    make_adapter(refused, 7, use_dora=True)
    assert "use_dora" in text_of()
    shutil.rmtree(refused)
    make_adapter(refused, 7, bias="all")
    assert "trained biases" in text_of()
    shutil.rmtree(refused)
    make_adapter(refused, 7)
    weights = safetensors.torch.load_file(f"{refused}/adapter_model.safetensors")
    name = next(iter(weights))
    weights[name][0, 0] = float("nan")
    safetensors.torch.save_file(weights, f"{refused}/adapter_model.safetensors")
    assert f"{name}: expected finite numbers, found inf or nan" in text_of()
    shutil.rmtree(refused)
    make_adapter(refused, 7)
    assert "no Fisher was recorded" in text_of(code=2, rule="closed-form")
    assert "starts from the pretrained model" in text_of(code=2, rule="magmax")
    assert "a curvature file for each of the 2 adapters" in text_of(code=2, more=("--curvature", sidecars[0]))
    other = str(tmp_path / "other.h5")
    snippet()(other, fishers[0], kind="gram", samples=50, base_sha256="a" * 64)
    mixed = text_of(code=2, rule="closed-form", more=("--curvature", sidecars[0], other))
    assert "sums of both would mean nothing" in mixed
    change_config(refused, base_model_name_or_path="someone/else")
    assert "is for the base model someone/else" in text_of()
    change_config(refused, base_model_name_or_path="elsewhere/tiny-bert")
    assert "taken to be the same" in " ".join(text_of(code=0).split())
    change_config(refused, r=3)
    assert "expected the rank 3" in text_of()
    change_config(refused, r=4, bias=None)
    assert "bias" in text_of()
    change_config(refused, bias="none", init_lora_weights="lora_ga")
    assert "it changed the base model before training" in text_of()
    change_config(refused, init_lora_weights=True, peft_type="IA3")
    assert "only LORA adapters" in text_of()
    change_config(refused, peft_type="LORA", modules_to_save=["classifier"])
    tensors = safetensors.torch.load_file(f"{refused}/adapter_model.safetensors")
    tensors["base_model.model.classifier.weight"] = torch.zeros(2, 16)
    safetensors.torch.save_file(tensors, f"{refused}/adapter_model.safetensors")
    assert "modules_to_save" in text_of(code=0)
    change_config(refused, modules_to_save=None)
    assert "expected nothing but lora_A and lora_B" in text_of()
    assert "expected --rule" in tool("merge", "--adapters", *paths, code=2)
