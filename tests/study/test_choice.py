"""The choice on validation samples, and runs that need it."""

import pytest
from study import choice, runs, training
from study.children import Children, Failed
from study.classifiers import CLASSIFIERS
from study.files import Places, write_json
from study.stages import PARTS, Run
from study.streams import EPOCHS, LEARNING_RATES


def points(accuracy_of):
    return [
        {"training": training, "epochs": epochs, "lr": rate, "accuracy": accuracy_of(training, epochs, rate)}
        for epochs, rate in choice.GRID
        for training in choice.TRAININGS
    ]


def test_the_rule_takes_the_highest_mean_over_trainings_and_judges():
    def accuracy_of(training, epochs, rate):
        best_of_one = 0.3 if (training, epochs, rate) == ("sequential", 2, 5e-4) else 0
        best = 0.2 if (epochs, rate) == (5, 1e-3) else 0
        of_another = 1.0 if rate == 2e-3 else 0.1  # a classifier that isn't a judge
        return {"local": 0.5 + best_of_one + best, "ridge": 0.6 + best, "prototype": of_another}

    chosen = choice.decide(points(accuracy_of), ("local", "ridge", "prototype"))
    assert (chosen["epochs"], chosen["lr"]) == (5, 1e-3)
    assert chosen["ranking"] == ["ridge", "local", "prototype"]


def test_of_equals_the_shorter_schedule_and_the_first_candidate():
    chosen = choice.decide(points(lambda *_: {text: 0.5 for text in choice.candidates_of(CLASSIFIERS)}), tuple(CLASSIFIERS))
    assert (chosen["epochs"], chosen["lr"]) == (min(EPOCHS), min(LEARNING_RATES))
    assert chosen["classifiers"]["ranpac"] == CLASSIFIERS["ranpac"].candidates[0]


def test_a_run_without_a_choice_is_refused(tmp_path):
    places = Places(tmp_path / "results", tmp_path / "runs", tmp_path / "build")
    run = Run(PARTS[0], "sequential", 1)

    def begin():
        runs.run_missing([run], lambda run: run.name, lambda run: pytest.fail("it ran"), 1, Children(), places)

    with pytest.raises(Failed, match="bench/study choose debian-sections-short"):
        begin()
    write_json(places.choice(run.part.stream), {"stream": run.part.stream, "points": {}})
    with pytest.raises(Failed, match="found none"):
        begin()


def test_a_result_that_is_there_is_not_made_again(tmp_path, monkeypatch):
    places, part = Places(tmp_path / "results", tmp_path / "runs", tmp_path / "build"), PARTS[0]
    wanted, ran = [Run(part, "sequential", seed) for seed in (1, 2, 3)], []
    monkeypatch.setattr(runs.training, "prepare", lambda *_: None)
    write_json(places.choice(part.stream), {"chosen": {}})
    write_json(places.result(part.stream, "sequential-seed2"), {})
    assert runs.run_missing(wanted, lambda run: run.name, ran.append, 1, Children(), places) == ({}, 0)
    assert ran == [wanted[0], wanted[2]]


def test_a_part_keeps_local_heads_and_the_best():
    part = next(part for part in PARTS if part.best == 2)
    chosen = {"ranking": ["gaussian", "local", "ranpac", "ridge"], "classifiers": {name: name for name in CLASSIFIERS}}
    assert list(runs.kept_classifiers(part, chosen, tuple(CLASSIFIERS))) == ["local", "ranpac", "gaussian"]


def test_files_of_two_learning_rates_have_different_names(tmp_path):
    folders = [tmp_path / choice.name_of("sequential", 5, rate) for rate in LEARNING_RATES]
    assert len({training.log_of(folder) for folder in folders}) == len(folders)
