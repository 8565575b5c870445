"""What is counted and measured of a run: every number found again from its records; palimpsest eval; the validation split."""

import csv
import hashlib
import json
import os
import subprocess

import h5py
import numpy as np
import pytest
import toy as toy_module
from memory import heads_of
from program import INSPECT, MPIRUN, PROGRAM
from tiers import quick

SHARE = 0.25


def inspect(*arguments):
    done = subprocess.run([INSPECT, *arguments, "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def evaluate(*arguments, ranks=1, code=0):
    launcher = [MPIRUN, "-n", str(ranks)] if ranks > 1 else []
    done = subprocess.run([*launcher, PROGRAM, "eval", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def run(toy):
    """Four tasks with samples kept for validation, at one and at two ranks; refitted heads, so that heads change too."""
    for ranks in (1, 2):
        toy.run("--validation", SHARE, "--classifier", "local:refit=20", ranks=ranks, out=f"evaluation-{ranks}")
    assert toy.records("evaluation-1") == toy.records("evaluation-2")
    assert toy.metrics("evaluation-1") == toy.metrics("evaluation-2")
    return toy.path("runs", "evaluation-1")


NAMES = ("samples", "correct", "correct_given_task", "correct_top5", "correct_task", "loss_given_task", "class_samples",
         "class_correct")


def rows(folder, when):
    """Row t: after task t."""
    found = []
    for task in range(4):
        with h5py.File(f"{folder}/tasks/task-{task:04}.h5") as file:
            found.append({name: file[f"metrics/{when}/{name}"][:] for name in NAMES})
    return found


def test_inspect_prints_what_the_records_give_by_another_computation(run):
    after, before = rows(run, "after_merge"), rows(run, "before_merge")
    found = inspect(run)
    r = np.full((4, 4), np.nan)
    b = np.full((4, 4), np.nan)
    for t in range(4):
        r[t, : t + 1] = after[t]["correct"] / after[t]["samples"]
        b[t, : t + 1] = before[t]["correct"] / before[t]["samples"]
    weighted = [[row["correct"].sum() / row["samples"].sum() for row in which] for which in (after, before)]

    def last(row, name):
        return row[name].sum() / row["samples"].sum()

    expected = {
        "last": weighted[0][-1],
        "last_before_merge": weighted[1][-1],
        "last_task_mean": r[3].mean(),
        "last_task_mean_before_merge": b[3].mean(),
        "average_anytime": np.mean(weighted[0]),
        "average_anytime_before_merge": np.mean(weighted[1]),
        "average_anytime_task_mean": np.mean([np.nanmean(row) for row in r]),
        "forgetting": np.mean(np.nanmax(r[:3, :3], axis=0) - r[3, :3]),
        "forgetting_with_last": np.mean(np.nanmax(r[:, :3], axis=0) - r[3, :3]),
        "forgetting_from_peak_before_merge": np.mean(np.nanmax(np.concatenate([r[:3, :3], b[:3, :3]]), axis=0) - r[3, :3]),
        "backward_transfer": np.mean(r[3, :3] - np.diag(r)[:3]),
        "forward_transfer": None,
        "plasticity": np.diag(r).mean(),
        "plasticity_before_merge": np.diag(b).mean(),
        "last_given_task": last(after[3], "correct_given_task"),
        "last_given_task_before_merge": last(before[3], "correct_given_task"),
        "last_task_identity": last(after[3], "correct_task"),
        "last_task_identity_before_merge": last(before[3], "correct_task"),
        "last_top5": last(after[3], "correct_top5"),
        "last_top5_before_merge": last(before[3], "correct_top5"),
        "last_loss_given_task": last(after[3], "loss_given_task"),
        "last_loss_given_task_before_merge": last(before[3], "loss_given_task"),
    }
    assert found["summary"].pop("task_given") is False
    assert found["summary"].pop("classifier") == "local:refit=20" and found["other_summaries"] == []
    assert found["summary"].keys() == expected.keys()
    for name, value in expected.items():
        assert found["summary"][name] == (None if value is None else pytest.approx(value, rel=1e-12)), name
    by_class = [(entry["samples"], entry["correct"]) for entry in found["classes"]]
    assert by_class == list(zip(after[3]["class_samples"], after[3]["class_correct"]))
    for t, task in enumerate(found["tasks"]):
        for when, which in (("before_merge", before), ("after_merge", after)):
            assert task["metrics"][when] == {name: which[t][name].tolist() for name in NAMES}
    with h5py.File(f"{run}/state-0003.h5") as state:
        for when, which in (("before_merge", before), ("after_merge", after)):
            for name in NAMES:
                for t in range(4):
                    recorded = state[f"accuracy/{when}/{name}"][t]
                    np.testing.assert_array_equal(recorded[: len(which[t][name])], which[t][name])
                    assert not recorded[len(which[t][name]) :].any()


def test_the_error_budget_is_what_the_quadratic_says_and_what_was_measured(toy, run):
    for t in range(4):
        with h5py.File(f"{run}/tasks/task-{t:04}.h5") as file:
            metrics, alpha = file["metrics"].attrs, file["merge/coefficients"][0]
            squares = 0
            for name, module in file["lora"].items():
                delta = module.attrs["scale"] * module["B"][:].astype("f8") @ module["A"][:].astype("f8")
                squares += np.sum(file["fisher"][name][:].astype("f8") * ((alpha - 1) * delta) ** 2)
            predicted = 0.5 * file["fisher"].attrs["factor"] * squares
            assert metrics["rise_predicted"] == pytest.approx(predicted, rel=1e-4, abs=1e-12)
            if alpha == 1:
                assert metrics["rise_measured"] == 0
            else:
                whole = metrics["loss_merged_before"] - metrics["loss_trained"]
                assert 0 < metrics["rise_measured"] < whole  # part of the way back to theta_hat_{t-1}
    toy.run("--validation", SHARE, "--classifier", "local:refit=20", "--error-budget", "false", out="no-budget")
    for t in range(4):
        with h5py.File(toy.path("runs", "no-budget", "tasks", f"task-{t:04}.h5")) as off, h5py.File(f"{run}/tasks/task-{t:04}.h5") as on:
            assert "rise_measured" not in off["metrics"].attrs
            assert off["merge"].attrs["weights_after"] == on["merge"].attrs["weights_after"]


@pytest.mark.slow
def test_a_rule_without_a_fisher_measures_both_losses(toy):
    toy.run("--merge", "average", "--tasks", 2, out="budget-average")
    with h5py.File(toy.path("runs", "budget-average", "tasks", "task-0001.h5")) as file:
        metrics = file["metrics"].attrs
        assert metrics["rise_measured"] > 0 and metrics["loss_trained"] > 0 and "rise_predicted" not in metrics


def shares(toy):
    """{sample: a number in [0, 1)} of the pack, by the bytes of each sample."""
    with h5py.File(toy.path("pack.h5")) as pack:
        data, offsets = pack["bytes"][:].tobytes(), pack["offsets"][:]
        test, labels = pack["split"][:], pack["labels"][:]
    digests = [hashlib.sha256(data[begin:end]).digest() for begin, end in zip(offsets, offsets[1:])]
    return [int.from_bytes(digest[:8], "big") / 2**64 for digest in digests], test, labels


def test_validation_is_a_choice_by_content(toy, run):
    numbers, test, labels = shares(toy)
    kept = [n < SHARE and not t for n, t in zip(numbers, test)]
    found = json.loads(evaluate("--weights", run, "--split", "validation", "--json"))
    with h5py.File(f"{run}/state-0003.h5") as state:
        assert len(heads_of(state)) == 4
    for t in range(4):
        of_task = [label // 2 == t for label in labels]
        wanted = sum(k and o for k, o in zip(kept, of_task))
        assert wanted > 0 and found["tasks"][t]["samples"] == wanted
        assert [c["samples"] for c in found["tasks"][t]["classes"]] == [
            sum(k and label == 2 * t + c for k, label in zip(kept, labels)) for c in (0, 1)]
        with h5py.File(f"{run}/tasks/task-{t:04}.h5") as file:
            assert file["task"].attrs["train_samples"] == 40 - wanted
    few = toy.path("few.json")
    toy_module.make_protocol(few, train_per_class=1)  # the choice of the first k comes first
    text = toy.run("--validation", 0.9, "--protocol", few, out="nothing-left", code=3)
    assert "training samples of class 'class" in text and "lower the share" in text


@pytest.mark.parametrize("ranks", quick(1, [1, 2]))
def test_eval_counts_what_the_run_counted(toy, run, ranks):
    found = json.loads(evaluate("--weights", run, "--json", ranks=ranks))
    after = rows(run, "after_merge")[3]
    for t, task in enumerate(found["tasks"]):
        for name, value in (("accuracy", "correct"), ("accuracy_given_task", "correct_given_task"), ("top5", "correct_top5"),
                            ("task_identity", "correct_task"), ("loss_given_task", "loss_given_task")):
            assert task[name] == after[value][t] / after["samples"][t]
    assert found["all"]["samples"] == 80 and found["remarks"] == []


def test_eval_takes_more_ranks_than_the_run_had_lanes(toy):
    toy.run("--lanes", 1, out="one-lane")
    alone, two = (json.loads(evaluate("--weights", toy.path("runs", "one-lane"), "--json", ranks=ranks)) for ranks in (1, 2))
    assert alone == two


@pytest.mark.slow
def test_eval_reads_states_and_merged_weights_and_says_what_does_not_fit(toy, run, tmp_path):
    out = tmp_path / "state.json"
    evaluate("--weights", f"{run}/state-0002.h5", "--out", out)
    state = json.loads(out.read_text())
    after = rows(run, "after_merge")[2]
    assert [t["accuracy"] for t in state["tasks"]] == (after["correct"] / after["samples"]).tolist()

    elsewhere = tmp_path / "state.h5"  # without its run folder it doesn't know where its data is
    elsewhere.write_bytes(open(f"{run}/state-0002.h5", "rb").read())
    assert "give --pack --protocol --backbone" in evaluate("--weights", elsewhere, code=2)
    paths = [f"--{name}={toy.path(file)}" for name, file in (("pack", "pack.h5"), ("protocol", "protocol.json"), ("backbone", "backbone"))]
    assert json.loads(evaluate("--weights", elsewhere, *paths, "--json"))["tasks"] == state["tasks"]

    toy_module.make_backbone(str(tmp_path / "other"), hidden=64)
    assert "expected the backbone (SHA-256)" in evaluate("--weights", run, "--backbone", tmp_path / "other", code=3)
    tasks = [{"name": "new", "classes": ["class 0", "class 2"]}]
    toy_module.make_protocol(tmp_path / "other.json", tasks=tasks)
    assert "expected a task with the classes" in evaluate("--weights", run, "--protocol", tmp_path / "other.json", code=3)
    tasks = [{"name": "task 2", "classes": ["class 2", "class 3"]}]
    toy_module.make_protocol(tmp_path / "one.json", tasks=tasks)
    one = json.loads(evaluate("--weights", f"{run}/state-0002.h5", "--protocol", tmp_path / "one.json", "--json"))
    assert one["tasks"][1]["accuracy"] == state["tasks"][1]["accuracy"] and "accuracy" not in one["tasks"][0]
    assert "not tested" in one["remarks"][0] and one["all"]["samples"] == 20
    assert "expected a run folder, a state" in evaluate("--weights", f"{run}/tasks/task-0000.h5", code=3)
    assert "did you mean" in evaluate("--weights", run, "--protocl", "x", code=2)


@pytest.mark.parametrize("ranks", quick(1, [1, 2]))
def test_a_sweep_has_both_ends_and_the_runs_own_alpha(toy, run, tmp_path, ranks):
    table = tmp_path / "sweep.csv"
    found = json.loads(evaluate("--sweep", run, "--split", "test", "--points", 3, "--json", "--csv", table, ranks=ranks))
    with h5py.File(f"{run}/tasks/task-0003.h5") as file:
        alpha = file["merge/coefficients"][0]
    assert [p["alpha"] for p in found["points"]] == sorted({0, 0.5, 1, alpha})
    own = next(p for p in found["points"] if p["alpha"] == found["own_alpha"])
    after = rows(run, "after_merge")[3]
    assert own["all"]["accuracy"] == after["correct"].sum() / 80 and own["alpha"] == alpha
    assert own["new_task"]["loss_given_task"] == after["loss_given_task"][3] / 20
    assert "choose nothing by it" in " ".join(found["remarks"])
    best = max(found["points"], key=lambda p: (p["all"]["accuracy"], -p["all"]["loss_given_task"], -p["alpha"]))
    assert found["best_alpha"] == best["alpha"]
    with open(table) as file:
        lines = list(csv.DictReader(file))
    assert [float(line["accuracy"]) for line in lines] == [p["all"]["accuracy"] for p in found["points"]]
    assert [line["own"] for line in lines].count("1") == 1


@pytest.mark.slow
def test_a_sweep_chooses_on_validation_samples_only(toy, reference_run, run):
    assert json.loads(evaluate("--sweep", run, "--points", 2, "--json"))["split"] == "validation"
    text = evaluate("--sweep", reference_run, code=2)
    assert "Alpha may not be chosen on test samples" in text and "--split test" in text
    assert "training samples don't show which merge is good" in evaluate("--sweep", run, "--split", "train", code=2)
    other = ("--validation", 0.5, "--split", "validation")
    assert "--validation has no meaning in palimpsest eval" in evaluate("--sweep", run, *other, code=2)
    assert "found one with --validation 0: train with --validation 0.1" in evaluate("--weights", reference_run, "--split", "validation", code=3)
    assert "an HDF5 file" in evaluate("--weights", run, "--out", f"{run}/state-0003.h5", code=2)
    toy.run("--tasks", 1, "--merge", "closed-form:by=module", out="sweep-first")
    first = json.loads(evaluate("--sweep", toy.path("runs", "sweep-first"), "--split", "test", "--points", 2, "--json"))
    assert first["own_alpha"] is None and len(first["points"]) == 2  # one coefficient per module


@pytest.mark.slow
def test_a_run_is_between_its_bounds_and_among_its_repetitions(toy, run, tmp_path):
    classes = [f"class {label}" for label in (5, 1, 2, 3, 4, 0, 6, 7)]
    toy_module.make_protocol(tmp_path / "joint.json", tasks=[{"name": "joint", "classes": classes}])
    toy.run("--protocol", tmp_path / "joint.json", "--merge", "none", "--perturbation", "none", out="all-at-once")
    toy.run("--adapter", "none", "--merge", "none", "--perturbation", "none", out="frozen-bound")
    joint, frozen = toy.path("runs", "all-at-once"), toy.path("runs", "frozen-bound")
    found = inspect(run, "--frozen", frozen, "--joint", joint)
    swapped = subprocess.run([INSPECT, run, "--frozen", joint, "--joint", frozen], capture_output=True, text=True)
    assert swapped.returncode == 3 and "expected a run with --adapter none" in swapped.stderr
    with h5py.File(f"{joint}/tasks/task-0000.h5") as file:
        correct = dict(zip(classes, file["metrics/after_merge/class_correct"][:]))
    after, before, heads = rows(run, "after_merge"), rows(run, "before_merge"), rows(frozen, "after_merge")[3]
    missed = 0
    for t, task in enumerate(found["tasks"]):
        accuracy, given = after[3]["correct"][t] / 20, after[3]["correct_given_task"][t] / 20
        bound = (correct[f"class {2 * t}"] + correct[f"class {2 * t + 1}"]) / 20
        assert task["accuracy"] == accuracy and task["joint"] == bound and task["frozen"] == heads["correct"][t] / 20
        assert task["task_confusion"] == pytest.approx(given - accuracy)
        assert task["merge_cost"] == pytest.approx((before[t]["correct"][t] - after[t]["correct"][t]) / 20)
        missed += (bound - after[t]["correct"][t] / 20) / 4
    assert found["intransigence"] == pytest.approx(missed)

    toy.run("--validation", SHARE, "--classifier", "local:refit=20", "--seed", 2, out="evaluation-seed-2")
    runs = [run, toy.path("runs", "evaluation-seed-2")]
    both = inspect(*runs)
    last = [inspect(folder)["summary"]["last"] for folder in runs]
    assert both["metrics"]["last"]["mean"] == pytest.approx(np.mean(last))
    assert both["metrics"]["last"]["deviation"] == pytest.approx(np.std(last, ddof=1))
    assert both["settings_that_differ"] == "seed"
    assert os.path.basename(both["folders"][1]) == "evaluation-seed-2"
