"""Predictions and sweeps: what the files say is what the page shows, and other files are refused."""

import csv
import json
import re
import subprocess

import palimpsest
import pytest


@pytest.fixture(scope="module")
def predictions(toy, reference_run, tmp_path_factory):
    from program import PROGRAM

    path = tmp_path_factory.mktemp("predictions") / "predictions.csv"
    command = [PROGRAM, "predict", "--weights", reference_run, "--pack", toy.path("pack.h5"), "--split", "test", "--out", path]
    subprocess.run(command, check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def sweep(toy, reference_run, tmp_path_factory):
    from program import PROGRAM

    path = tmp_path_factory.mktemp("sweep") / "sweep.json"
    subprocess.run([PROGRAM, "eval", "--sweep", reference_run, "--split", "test", "--points", "5", "--out", path], check=True, capture_output=True)
    return path


def figure(text, name):
    return re.search(rf'<figure id="{name}".*?</figure>', text, re.DOTALL)[0]


def test_confusion_and_sweep(reference_run, predictions, sweep, report, tmp_path):
    report(reference_run, "--out", tmp_path / "page.html", "--predictions", predictions, "--sweep", sweep)
    text = (tmp_path / "page.html").read_text()
    run = palimpsest.open(reference_run)
    task_of = {name: task.index for task in run.tasks for name in task.classes}
    with open(predictions) as file:
        pairs = [(task_of[row["label"]], task_of[row["class_1"]]) for row in csv.DictReader(file)]
    for target in range(4):
        of_task = [predicted for task, predicted in pairs if task == target]
        for predicted in range(4):
            share = 100 * of_task.count(predicted) / len(of_task)
            assert f"of task {target + 1}, taken for task {predicted + 1}: {share:.0f} %</title>" in figure(text, "confusion")
    found = json.loads(sweep.read_text())
    for point in found["points"]:
        assert f"all tasks, α {point['alpha']:.4g}: {100 * point['all']['accuracy']:.1f}</title>" in figure(text, "sweep")
    assert "choose nothing by it" in figure(text, "sweep")


def test_files_of_another_kind_are_refused(reference_run, golden, predictions, sweep, report, tmp_path):
    out = ("--out", tmp_path / "page.html")
    assert "expected a class of the run" in report(golden, *out, "--predictions", predictions, code=3)
    assert "expected a sweep of" in report(golden, *out, "--sweep", sweep, code=3)
    assert "column" in report(reference_run, *out, "--predictions", sweep, code=3)
    assert "expected a sweep as JSON" in report(reference_run, *out, "--sweep", predictions, code=3)
    (tmp_path / "other.json").write_text('{"type": "evaluation"}')
    assert "expected JSON of type 'sweep', found 'evaluation'" in report(reference_run, *out, "--sweep", tmp_path / "other.json", code=3)
    for option in ("--predictions", "--sweep"):
        assert "found nothing there. Make it" in report(reference_run, *out, option, tmp_path / "nowhere", code=3)
