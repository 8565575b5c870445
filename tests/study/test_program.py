"""The study on the toy stream, from the choice to the tables; a study that is begun again; and the page."""

import json
import os
import pathlib
import subprocess
import sys
import types

import pytest
from program import PROGRAM
from study import choice, page, questions, results, runs, stages, stream_tables, streams, sweep
from study.children import ROOT, Children, Failed
from study.files import Places, read_json
from study.stages import Part, runs_of
from study.streams import Stream

NAMES = ("local", "ridge", "gaussian")
TRAININGS = ("sequential", "pm-secant", "first-session", "joint")


@pytest.fixture(scope="module")
def study(toy, tmp_path_factory):
    """Choice, runs of two seeds, and a sweep; what they have begun, by name."""
    folder = tmp_path_factory.mktemp("study")
    places = Places(folder / "results", folder / "runs", pathlib.Path(PROGRAM).parents[1])
    stream = Stream("toy", "toy", toy.path("toy.cfg"), toy.path("pack.h5"), toy.path("backbone"), (), tasks=4, classes_per_task=2, train=20, test=8, choice_tasks=3)
    parts = (Part(1, "toy", TRAININGS, (1, 2)), Part(3, "toy", ("sequential",), (1,), "temperature", best=1))
    swept = (Part(1, "toy", ("pm-secant",), (1,)),)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(streams.STREAMS, "toy", stream)
        patch.setattr(choice, "GRID", ((2, 1e-2),))
        for module in (stages, results, stream_tables, questions):
            patch.setattr(module, "PARTS", parts)
        for module in (results, questions):
            patch.setattr(module, "SWEPT", swept)
        for name in ("FIRST_STAGE", "SECOND_STAGE", "BOUNDED"):
            patch.setattr(questions, name, ("toy",))
        begun = []

        def begin(verb):
            if verb == "choose":
                return choice.choose(stream, NAMES, 2, Children(), places)
            module, wanted, name_of = (runs, parts, lambda run: run.name) if verb == "run" else (sweep, swept, sweep.name_of)

            def measure(run):
                begun.append(name_of(run))
                module.measure(run, NAMES, False, Children(), places)

            return runs.run_missing(runs_of(wanted), name_of, measure, 2, Children(), places)

        for verb in ("choose", "run", "sweep"):
            assert begin(verb) == ({}, 0)
        yield types.SimpleNamespace(places=places, begin=begin, begun=begun)


@pytest.mark.slow
def test_the_choice_has_the_whole_grid_and_a_rule(study):
    found = read_json(study.places.choice("toy"))
    assert len(found["points"]) == 2 and found["rule"].startswith("The rule")
    assert found["chosen"]["epochs"] == 2 and found["chosen"]["lr"] == 1e-2
    assert all(point["samples"] > 0 for point in found["points"].values())


@pytest.mark.slow
def test_a_result_has_counts_and_outcomes_that_agree(study):
    found = read_json(study.places.result("toy", "pm-secant-seed2"))
    assert found["samples"] == [16] * 4 and found["settings"]["curvature"] == "empirical:scale=secant,samples=all"
    assert len(found["alphas"]) == 4 and found["seconds"]["train"] > 0
    samples = results.numbers_in(found["test_samples"])
    assert len(samples) == 64
    for name in NAMES:
        entry = found["classifiers"][name]
        right = results.bits_in(entry["right"], 64).sum()
        assert abs(right - sum(entry["correct"][-1])) <= found["rounded"] and entry["last"] == pytest.approx(sum(entry["correct"][-1]) / 64)
    one = read_json(study.places.result("toy", "pm-secant-seed1"))
    assert one["tasks"] != found["tasks"] and one["test_samples"] == found["test_samples"]


@pytest.mark.slow
def test_a_regime_has_its_settings_and_the_best_classifiers(study):
    found = read_json(study.places.result("toy", "sequential-temperature-seed1"))
    ranking = read_json(study.places.choice("toy"))["chosen"]["ranking"]
    assert found["settings"]["objective"] == "classes:temperature=30"
    assert set(found["classifiers"]) == {"local", next(name for name in ranking if name != "local")}


@pytest.mark.slow
def test_run_folders_are_gone(study):
    assert [path for path in study.places.runs.rglob("*") if path.is_dir() and path.name not in ("choice", "protocols", "toy")] == []


@pytest.mark.slow
def test_what_is_there_is_not_run_again(study):
    assert len(study.begun) == 2 * len(TRAININGS) + 2  # of the other regime, and the sweep
    study.begun.clear()
    path = study.places.result("toy", "first-session-seed1")
    text = path.read_text()
    path.unlink()
    for verb in ("choose", "run", "sweep"):
        assert study.begin(verb) == ({}, 0)
    assert study.begun == ["first-session-seed1"]
    assert {**json.loads(path.read_text()), "seconds": {}} == {**json.loads(text), "seconds": {}}


@pytest.mark.slow
def test_tables_follow_from_the_results(study, tmp_path):
    target = tmp_path / "results.md"
    target.write_text(f"before\n{page.BEGIN}\n{page.END}\nafter\n")
    page.write(study.places, target)
    page.check(study.places, target)
    text = target.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    row = next(line for line in text.splitlines() if line.startswith("| P&M, secant |"))
    lasts = [[read_json(study.places.result("toy", f"pm-secant-seed{seed}"))["classifiers"][name]["last"] for seed in (1, 2)] for name in NAMES]
    for cell, values in zip(row.split("|")[2:], lasts):
        assert cell.strip().startswith(f"{50 * sum(values):.1f} ± ")
    assert text.count("## ") == 4 + 2 + 6  # sections, parts, questions
    target.write_text(text.replace(row, row.replace("±", "+")))
    with pytest.raises(Failed, match="bench/study tables"):
        page.check(study.places, target)


def test_without_results_the_tables_say_so(tmp_path):
    text = page.tables(Places(tmp_path, tmp_path, tmp_path))
    assert "not measured" in text and "±" not in text


def test_the_page_has_the_tables_of_the_committed_results():
    """docs/results.md follows from bench/results/study."""
    done = subprocess.run([sys.executable, ROOT / "bench" / "study", "tables", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_wrong_usage_and_a_missing_choice_are_refused(tmp_path):
    program = [sys.executable, ROOT / "bench" / "study"]
    done = subprocess.run([*program, "choose", "wordnet", "--classifiers", "local"], capture_output=True, text=True)
    assert done.returncode == 2 and "--results" in done.stderr
    done = subprocess.run([*program, "run", "--results", tmp_path, "--runs", tmp_path / "runs", "--stage", "1"], capture_output=True, text=True)
    assert done.returncode == 1 and "bench/study choose" in done.stderr
    assert os.listdir(tmp_path) == []
