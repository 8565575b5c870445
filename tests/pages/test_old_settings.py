"""Runs of earlier versions are shown with the settings of today."""

import html
import os
import re
import subprocess

import pytest
from palimpsest.pages.old_settings import todays_settings
from palimpsest.pages.reported import read_reported_run
from palimpsest.pages.settings import command, defaults, sorted_settings

FIRST = {"seed": 1, "adapter": "lora", "lora-rank": 4, "lora-alpha": 2.0, "lora-targets": ["key", "value"], "perturbation": "gaussian", "epsilon": 0.25,
         "merge": "average", "fisher-scale": "trace", "schedule": "multistep", "milestones": [0.25, 0.5], "milestone-factor": 0.1, "warmup-steps": 3,
         "lanes": "2", "device": "cpu", "threads": 2, "epochs": 3}  # fmt: skip


def test_separate_settings_become_keys_and_what_came_later_is_the_default():
    found = todays_settings(FIRST)
    assert found["adapter"] == "lora:rank=4,alpha=2,targets=key+value,a=kaiming,tasks=0"
    assert found["perturbation"] == "gaussian:epsilon=0.25" and found["merge"] == "average" and found["curvature"] == "empirical:scale=trace"
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


def test_they_are_those_that_the_cpp_program_shows(golden_of_version, tmp_path):
    from program import INSPECT

    program = os.path.join(os.path.dirname(INSPECT), "palimpsest-report")
    if not os.path.exists(program):
        pytest.skip("the C++ program is no more")
    subprocess.run([program, golden_of_version, "--out", tmp_path / "page.html"], check=True)
    section = re.search('<section id="settings">.*?</section>', (tmp_path / "page.html").read_text(), re.DOTALL)[0]
    rows = [[html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)] for row in re.findall("<tr>(.*?)</tr>", section, re.DOTALL)]
    run = read_reported_run(golden_of_version)
    changed, unchanged, _ = sorted_settings(run)
    assert [list(row) for row in changed + unchanged] == [row for row in rows if row]
    assert command(run) == html.unescape(re.search("<pre>(.*?)</pre>", section, re.DOTALL)[1])


def test_runs_of_two_versions_are_one_group(report, pytestconfig):
    """They were made of the same settings, so that the second one counts twice."""
    golden = pytestconfig.rootpath / "checkpoints_schema" / "golden"
    assert "counts twice" in report(golden / "1.0.0" / "run", golden / "1.2.0" / "run", code=2)
