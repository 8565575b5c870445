"""Several classifiers in one run, and classifiers of a run that didn't have them: --classifier A,B."""

import csv
import json
import os
import re
import subprocess

import h5py
import numpy as np
import pytest
from program import INSPECT, MPIRUN, PROGRAM

BOTH = "local,ridge"


@pytest.fixture(scope="module")
def runs(toy):
    """The same training with one classifier, with another one, and with both."""
    for name, classifier in (("one", "local"), ("other", "ridge"), ("both", BOTH)):
        toy.run("--classifier", classifier, out=f"several-{name}")
    return {name: toy.path("runs", f"several-{name}") for name in ("one", "other", "both")}


def call(*arguments, code=0):
    done = subprocess.run([*map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def inspect(folder):
    return json.loads(call(INSPECT, folder, "--json"))


def numbers(summary):
    return {name: value for name, value in summary.items() if name != "classifier"}


def arrays(folder, task, group):
    found = {}
    with h5py.File(f"{folder}/tasks/task-{task:04}.h5") as file:
        file[group].visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def test_one_training_gives_each_classifier_the_numbers_that_it_has_alone(runs):
    for task in range(4):
        lora = arrays(runs["one"], task, "lora")
        assert lora and all(np.array_equal(values, lora[name]) for name, values in arrays(runs["both"], task, "lora").items())
        for when in ("before_merge", "after_merge"):
            for alone, group in ((runs["one"], "metrics"), (runs["other"], "metrics/classifiers/ridge")):
                expected, found = arrays(alone, task, f"metrics/{when}"), arrays(runs["both"], task, f"{group}/{when}")
                assert found.keys() == expected.keys() and all(np.array_equal(found[name], expected[name]) for name in found)


def test_inspect_shows_a_summary_of_each(runs):
    both = inspect(runs["both"])
    assert [both["summary"]["classifier"]] + [one["classifier"] for one in both["other_summaries"]] == BOTH.split(",")
    assert numbers(both["summary"]) == numbers(inspect(runs["one"])["summary"])
    assert numbers(both["other_summaries"][0]) == numbers(inspect(runs["other"])["summary"])
    text = call(INSPECT, runs["both"])
    assert "The same by the classifier ridge" in text and text.count("last accuracy  ") == 2


def test_logs_and_terminal_name_each(toy, runs):
    lines = [line for line in toy.metrics("several-both") if line["event"] == "evaluated" and line["after_merge"]]
    assert [(line["classifier"], line["is_own"]) for line in lines] == 4 * [("local", True), ("ridge", False)]
    out = toy.run("--classifier", BOTH, "--tasks", 2, out="several-terminal")
    assert "ridge: accuracy on this task" in out and "The same by the classifier ridge" in out


def test_any_number_of_ranks_and_a_run_in_halves_have_the_same_content(toy, runs):
    toy.run("--classifier", BOTH, "--tasks", 2, out="several-halves", ranks=2)
    toy.run("--classifier", BOTH, "--resume", "auto", out="several-halves", ranks=3)
    assert toy.records("several-halves") == toy.records("several-both")
    assert call(os.path.join(os.path.dirname(INSPECT), "palimpsest-verify"), toy.path("runs", "several-halves"))


def test_repetitions_have_means_by_each(toy, runs):
    toy.run("--classifier", BOTH, "--seed", 2, out="several-seed2")
    found = json.loads(call(INSPECT, runs["both"], toy.path("runs", "several-seed2"), "--json"))
    summaries = [inspect(folder)["other_summaries"][0] for folder in (runs["both"], toy.path("runs", "several-seed2"))]
    assert found["others"][0]["classifier"] == "ridge"
    assert found["others"][0]["metrics"]["last"]["mean"] == pytest.approx(np.mean([one["last"] for one in summaries]))


def test_a_resumed_run_keeps_its_classifiers(toy, runs):
    message = toy.run("--classifier", "local", "--resume", "auto", out="several-both", code=2)
    assert "classifier: recorded" in message


def test_a_fork_takes_the_accuracies_of_its_classifiers(toy, runs):
    state = os.path.join(runs["both"], "state-0002.h5")
    toy.run("--classifier", "ridge,local", "--fork", state, out="several-fork")
    fork, both = inspect(toy.path("runs", "several-fork")), inspect(runs["both"])
    assert numbers(fork["summary"]) == numbers(both["other_summaries"][0])
    assert numbers(fork["other_summaries"][0]) == numbers(both["summary"])
    assert call(os.path.join(os.path.dirname(INSPECT), "palimpsest-verify"), toy.path("runs", "several-fork"))
    message = toy.run("--classifier", "ridge,local:refit=3", "--fork", state, out="several-fork-2", code=2)
    assert "expected accuracies by local:refit=3" in message and "found those by local and ridge" in message


def test_a_classifier_that_was_not_measured_begins_with_the_accuracies_of_another_and_that_is_said(toy, runs):
    toy.run("--classifier", BOTH, "--tasks", 2, out="several-two")
    toy.run("--classifier", "ridge", "--fork", toy.path("runs", "several-two"), "--tasks", 3, out="several-ridge")
    out = toy.run("--classifier", "local:refit=1", "--fork", toy.path("runs", "several-ridge"), out="several-refit")
    assert "accuracies after the first 3 tasks are those by ridge" in out
    assert call(os.path.join(os.path.dirname(INSPECT), "palimpsest-verify"), toy.path("runs", "several-refit"))
    found = inspect(toy.path("runs", "several-refit"))["summary"]
    expected = inspect(toy.path("runs", "several-ridge"))["summary"]
    assert re.search(r"average anytime accuracy +([\d.]+)", out)[1] == f"{100 * found['average_anytime']:.1f}"
    assert found["average_anytime"] != expected["average_anytime"]


def test_kinds_are_given_once_and_are_known(toy):
    assert "classifier 'ridge' is given twice" in toy.run("--classifier", "ridge,local,ridge", out="several-no", code=2)
    assert "classifier 'rigde' is not known; did you mean 'ridge'?" in toy.run("--classifier", "local,rigde", out="several-no", code=2)


def evaluate(folder, *options, ranks=1):
    launcher = [MPIRUN, "-n", ranks] if ranks > 1 else []
    return json.loads(call(*launcher, PROGRAM, "eval", "--weights", folder, "--json", *options))


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_classifier_that_the_run_did_not_have_learns_its_tasks_again(runs, ranks):
    expected = evaluate(runs["other"])
    found = evaluate(runs["one"], "--classifier", "local,ridge", ranks=ranks)
    assert found["classifier"] == "local" and found["others"][0]["classifier"] == "ridge"
    assert found["others"][0]["tasks"] == expected["tasks"]  # to the last bit
    assert found["tasks"] == evaluate(runs["one"])["tasks"]
    assert any("ridge was not part of the run" in remark for remark in found["remarks"])
    assert not any("was not part of the run" in remark for remark in evaluate(runs["both"])["remarks"])


def test_what_cannot_be_learned_again_is_refused(toy, runs):
    merged = toy.path("several-merged.h5")
    call(os.path.join(os.path.dirname(INSPECT), "palimpsest-merge"), runs["one"], "--rule", "average", "--out", merged)
    data = [f"--{name}={toy.path(file)}" for name, file in
            (("pack", "pack.h5"), ("protocol", "protocol.json"), ("backbone", "backbone"))]
    message = call(PROGRAM, "eval", "--weights", merged, *data, "--classifier", "ridge", code=2)
    assert "expected a run folder" in message and "found merged weights" in message
    csv_file = toy.path("several-no.csv")
    message = call(PROGRAM, "predict", "--weights", runs["one"], "--classifier", "ridge", "--out", csv_file, code=2)
    assert "it has learned by local alone; palimpsest eval lets another classifier learn" in message
    for text in ("local:refit=3", "local:align=gaussian"):
        assert "it has learned by local alone" in call(
            PROGRAM, "predict", "--weights", runs["one"], "--classifier", text, "--out", csv_file, code=2)


def test_predictions_have_a_column_for_each_other(toy, runs):
    table = {}
    for name, run, options in (("both", "both", []), ("ridge", "other", [])):
        path = toy.path(f"several-{name}.csv")
        report = json.loads(call(PROGRAM, "predict", "--weights", runs[run], "--split", "test", "--out", path, "--json", *options))
        with open(path, newline="") as file:
            table[name] = report, list(csv.DictReader(file))
    both, ridge = table["both"], table["ridge"]
    assert [row["class by ridge"] for row in both[1]] == [row["class_1"] for row in ridge[1]]
    assert both[0]["others"] == [{"classifier": "ridge", "accuracy": ridge[0]["accuracy"]}]


def test_a_sweep_lets_the_classifier_learn_the_newest_task_at_every_alpha(toy, runs):
    def sweep(folder, *options):
        return json.loads(call(PROGRAM, "eval", "--sweep", folder, "--split", "test", "--points", 3, "--json", *options))

    own = sweep(runs["other"])
    at_own = next(point for point in own["points"] if point["alpha"] == own["own_alpha"])
    assert at_own["all"]["accuracy"] == evaluate(runs["other"])["all"]["accuracy"]
    again = sweep(runs["one"], "--classifier", "ridge")
    assert again["points"] == own["points"]
