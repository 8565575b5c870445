"""The study's decoder on a toy stream: its runs, a study that is begun again, and the tables."""

import pathlib

import pytest
import toy as toy_module
from program import PROGRAM
from study import language, language_tables
from study.children import Children
from study.files import Places, read_json


@pytest.fixture(scope="module")
def measured(sequences_toy, tmp_path_factory):
    """The places of runs of every training with seed 1."""
    folder = tmp_path_factory.mktemp("language")
    places = Places(folder / "results", folder / "runs", pathlib.Path(PROGRAM).parents[1])
    toy_module.make_sequences_pack(folder / "general.h5", seed=7, groups=1)
    values = {"CONFIG": "toy.cfg", "PACK": "pack.h5", "BACKBONE": "backbone"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setattr(language, name, sequences_toy.path(value))
        patch.setattr(language, "GENERAL", str(folder / "general.h5"))
        patch.setattr(language, "ROUGE_L", "move 3")
        for _ in range(2):  # the second time there is nothing left
            runs = language.runs_of(tuple(language.TRAININGS), {1})
            assert language.run_missing(runs, 2, False, Children(), places) == ({}, 0)
        yield places


@pytest.mark.slow
def test_a_result_has_every_task(measured):
    for training in language.TRAININGS.values():
        found = read_json(measured.result("instructions", f"{training.name}-seed1"))
        assert sorted(found["tasks"]) == ["move 1", "move 3", "move 5", "move 7"], training.name
        last = found["after_merge"][-1]
        assert len(last["samples"]) == 4 and len(set(last["samples"])) == 1
        assert found["numbers"]["last"] == pytest.approx(sum(last["task_score"]) / sum(last["samples"]))
        assert found["numbers"]["last_general_loss_before_stream"] > 0
        assert found["numbers"]["last_exact_match"] == pytest.approx(sum(last["exact_match"]) / sum(last["samples"]))
    pretrained, joint = (read_json(measured.result("instructions", f"{name}-seed1")) for name in ("zero-shot", "joint"))
    assert joint["numbers"][language.BEFORE] == pretrained["numbers"][language.BEFORE]
    assert joint["numbers"]["last"] > pretrained["numbers"]["last"]
    assert pretrained["numbers"]["last_general_loss"] == pretrained["numbers"]["last_general_loss_before_stream"]
    assert not list((measured.runs / "instructions").iterdir())  # nothing stays of a run that is measured


@pytest.mark.slow
def test_the_tables_have_what_is_measured(measured):
    title, about, _, numbers, _, tasks, _, alphas = language_tables.texts(measured)
    assert title.startswith("## A decoder") and "nats a token before the stream" in about
    rows = {line.split(" | ")[0].strip("| "): line for line in numbers.splitlines()[2:]}
    assert set(rows) == {training.title for training in language.TRAININGS.values()}
    assert rows["joint"].split(" | ").count("-") == 3 and "(1 of 2)" in rows["sequential"] and "not measured" not in numbers
    assert tasks.splitlines()[0] == "| training | move 1 | move 3 | move 5 | move 7 |"
    assert "0.50, 0.33, 0.25" in alphas  # of the average


def test_a_run_that_is_missing_is_called_so(tmp_path):
    places = Places(tmp_path / "results", tmp_path / "runs")
    assert language_tables.texts(places)[1:] == ["Not measured."]
