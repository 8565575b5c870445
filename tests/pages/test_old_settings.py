"""Runs of earlier versions are shown with the settings of today."""

import pathlib
import re
import subprocess

import pytest
from palimpsest.pages.old_settings import todays_settings
from palimpsest.pages.reported import read_reported_run
from palimpsest.pages.settings import defaults
from palimpsest.pages.text import setting_text

GOLDEN = pathlib.Path(__file__).parents[2] / "checkpoints_schema" / "golden"

FIRST = {"seed": 1, "adapter": "lora", "lora-rank": 4, "lora-alpha": 2.0, "lora-targets": ["key", "value"], "perturbation": "gaussian", "epsilon": 0.25,
         "merge": "average", "fisher-scale": "trace", "schedule": "multistep", "milestones": [0.25, 0.5], "milestone-factor": 0.1, "warmup-steps": 3,
         "lanes": "2", "device": "cpu", "threads": 2, "epochs": 3}  # fmt: skip


def test_separate_settings_become_keys_and_what_came_later_is_the_default():
    found = todays_settings(FIRST)
    assert found["adapter"] == "lora:rank=4,alpha=2,targets=key+value,a=kaiming,tasks=0"
    assert found["perturbation"] == "gaussian:epsilon=0.25" and found["merge"] == "average" and found["curvature"] == "empirical:scale=trace,samples=all"
    assert found["schedule"] == "multistep:milestones=0.25+0.5,factor=0.1,warmup=3"
    assert (found["lanes"], found["device"], found["epochs"], found["penalty"]) == (2, "cpu:threads=2", 3, "none")
    later = {name: found[name] for name in ("objective", "head", "classifier", "image-transform", "augmentation", "nonfinite")}
    assert later == {name: defaults()["recorded"][name] for name in later}
    assert todays_settings(found) == found


@pytest.mark.parametrize(
    ("old", "classifier"),
    [
        ({"head-refit": False, "head-refit-epochs": 20}, "local:refit=0,align=none,normalise=false"),
        ({"head-refit": True, "head-refit-epochs": 7}, "local:refit=7,align=none,normalise=false"),
        ({"head-align": True, "head-align-epochs": 5}, "local:refit=0,align=gaussian,normalise=false"),
        ({"classifier": "local:refit=3,align=5"}, "local:refit=3,align=gaussian,normalise=false"),
        ({"classifier": "local:refit=3,align=none,ridge"}, "local:refit=3,align=none,normalise=false,ridge:projection=0,lambda=auto"),
    ],
)
def test_classifiers(old, classifier):
    assert todays_settings(old)["classifier"] == classifier


@pytest.mark.parametrize(("weight", "penalty"), [(0.0, "none"), (2.5, "ewc:weight=2.5")])
def test_ewc_is_a_penalty(weight, penalty):
    assert todays_settings(FIRST | {"ewc": weight})["penalty"] == penalty


@pytest.mark.parametrize("version", sorted(path.name for path in GOLDEN.glob("[0-9]*")))
def test_they_are_those_that_the_program_converts(version):
    from program import PROGRAM

    folder = GOLDEN / version
    shown = subprocess.run([PROGRAM, "train", "--config", "run.cfg", "--print-config"], cwd=folder, capture_output=True, text=True, check=True).stdout
    expected = dict(re.findall(r"^([a-z-]+) = (.*)$", shown, re.MULTILINE))
    found = todays_settings(read_reported_run(folder / "run").run.config)
    of_another_machine = {"pack", "protocol", "backbone", "out", "device"}
    compared = (found.keys() & expected.keys() & defaults()["recorded"].keys()) - of_another_machine
    assert {"adapter", "classifier", "curvature", "schedule"} <= compared
    assert {name: setting_text(found[name]) for name in compared} == {name: expected[name] for name in compared}


def test_runs_of_two_versions_are_one_group(report):
    """They were made of the same settings, so that the second one counts twice."""
    assert "Give only one of them" in report(GOLDEN / "1.0.0" / "run", GOLDEN / "1.2.0" / "run", code=2)
