"""Groups of runs that differ in their seed, and differences between groups: numbers that statistics confirms."""

import csv
import json
import os
import re
import shutil
import statistics

import pytest

MEASURES = ("last", "average_anytime", "forgetting", "plasticity", "last_given_task")


@pytest.fixture(scope="module")
def compared(toy):
    for seed in (1, 2):
        toy.run("--merge", "none", "--seed", seed, "--tasks", 2, out=f"pages-none-{seed}")
        toy.run("--seed", seed, "--tasks", 2, out=f"pages-closed-{seed}")
    return [toy.path("runs", f"pages-{name}") for name in ("closed-1", "closed-2", "none-1", "none-2")]


def test_runs_are_pooled_over_seeds_and_paired(compared, report):
    rows = list(csv.DictReader(report(*compared, "--csv").splitlines()))
    assert [row["group"] for row in rows] == ["A", "A", "B", "B"] and [row["seed"] for row in rows] == ["1", "2", "1", "2"]
    found = json.loads(report(*compared, "--json"))
    assert [group["differs_in"] for group in found["groups"]] == ["merge closed-form:by=global,shrink=0", "merge none"]
    for measure in MEASURES:
        values = [float(row[measure]) for row in rows]
        for group, own in zip(found["groups"], (values[:2], values[2:]), strict=True):
            assert group["spreads"][measure] == pytest.approx({"mean": statistics.mean(own), "deviation": statistics.stdev(own)}, abs=2e-6)
        differences = [values[2] - values[0], values[3] - values[1]]
        pair = found["differences"][0]["spreads"][measure]
        assert pair == pytest.approx({"mean": statistics.mean(differences), "deviation": statistics.stdev(differences)}, abs=3e-6)
    text = report(*compared)
    assert "B - A (n = 2)" in text
    mean, deviation = found["groups"][0]["spreads"]["last"].values()
    assert re.search(rf"^last accuracy +{100 * mean:.1f} ± {100 * deviation:.1f} ", text, re.MULTILINE)


def test_the_page_of_a_comparison(compared, report, tmp_path):
    shown = report(*compared, "--out", tmp_path / "page.html", "--figures", tmp_path / "figures")
    assert shown == f"{tmp_path / 'page.html'}\n" + report(*compared)
    text = (tmp_path / "page.html").read_text()
    found = json.loads(report(*compared, "--json"))
    runs = [run for group in found["groups"] for run in group["runs"]]
    for run in runs:
        forgetting, plasticity = (100 * run["values"][key] for key in ("forgetting", "plasticity"))
        assert f"seed {run['seed']}: forgetting {forgetting:.1f} points, plasticity {plasticity:.1f} %</title>" in text
    for t in range(2):
        mean = statistics.mean(run["accuracies"][t] for run in runs[:2])
        assert f"A: Perturb-and-Merge, after task {t + 1}: {100 * mean:.1f}</title>" in text
    best = max(found["groups"], key=lambda group: group["spreads"]["last"]["mean"])["name"]
    assert re.search(rf'class="finding">Last accuracy: {best}: ', text)
    assert sorted(os.listdir(tmp_path / "figures")) == [f"{name}.{kind}" for name in ("accuracy-over-tasks", "stability") for kind in ("png", "svg")]


def test_what_cannot_be_compared_is_refused(compared, golden, report, tmp_path):
    shutil.copytree(compared[0], tmp_path / "copy")
    assert "Give only one of them" in report(compared[0], tmp_path / "copy", code=2)
    os.remove(golden / "manifest.json")
    assert "expected a run with a finished task" in report(compared[0], golden, code=3)
    assert "--watch" in report(compared[0], compared[1], "--watch", code=2)
