"""Runs that continue another: without the old data, and from an earlier version of the format."""

import os
import shutil
import subprocess

import numpy as np
import palimpsest
import pytest
import toy as toy_module


def tasks(*numbers):
    return [{"name": f"task {t}", "classes": [f"class {2 * t}", f"class {2 * t + 1}"]} for t in numbers]


@pytest.mark.slow
def test_tasks_that_are_no_longer_tested_have_no_accuracy(toy, inspect, assert_metrics):
    toy_module.make_protocol(toy.path("old.json"), tasks=tasks(0, 1))
    toy_module.make_protocol(toy.path("new.json"), tasks=tasks(2, 3))
    toy_module.make_pack(toy.path("new.h5"), only=range(4, toy_module.CLASSES))
    toy.run("--protocol", toy.path("old.json"), out="untested-old")
    folder = toy.path("runs", "untested")
    toy.run("--protocol", toy.path("new.json"), "--pack", toy.path("new.h5"), "--continue", toy.path("runs", "untested-old"), out="untested")
    run = palimpsest.open(folder)
    assert run.tasks_before == 2 and len(run.tasks) == 4
    assert run.matrix().isna().to_numpy().tolist() == [
        [False, True, True, True],
        [False, False, True, True],
        [True, True, False, True],
        [True, True, False, False],
    ]
    untested = run.accuracy.query("samples == 0")
    assert len(untested) == 8 and untested.drop(columns=["after_task", "task", "classifier", "moment", "samples"]).isna().all(axis=None)
    assert run.by_class().query("samples == 0")["accuracy"].isna().all()
    assert_metrics(inspect(folder), run)
    assert "4 tasks finished, 2 of them by the run that it continues" in repr(run)
    old = palimpsest.open(toy.path("runs", "untested-old"))
    for module, lora in run.tasks[0].lora.items():
        np.testing.assert_array_equal(lora.A, old.tasks[0].lora[module].A)


@pytest.mark.slow
def test_a_run_that_an_earlier_version_began(golden_of_version, tmp_path, inspect, assert_metrics):
    from program import PROGRAM

    folder = shutil.copytree(golden_of_version.parent, tmp_path / "continued")
    convert = [PROGRAM, "train", "--config", "run.cfg", "--print-config"]
    converted = subprocess.run(convert, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    (folder / "converted.cfg").write_text(converted.stdout)
    command = [PROGRAM, "train", "--config", "converted.cfg", "--resume", "auto", "--allow-numerics-change"]
    subprocess.run(command, cwd=folder, timeout=60, check=True, capture_output=True)
    run = palimpsest.open(folder / "run")
    assert len(run.tasks) == 4
    assert_metrics(inspect(os.fspath(folder / "run")), run)
    assert palimpsest.weights_sha256(run.weights(2)) == run.tasks[2].merge.weights_after
    assert run.accuracy.groupby(["after_task", "moment"]).size().tolist() == [1, 1, 2, 2, 3, 3, 4, 4]
    assert repr(run) and run.tasks[3].evaluation().find("loss_given_task") is not None
