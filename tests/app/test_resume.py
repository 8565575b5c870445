"""A run that stopped after a finished task goes on as if nothing had happened."""

import os

import pytest
import toy as toy_module


@pytest.mark.parametrize("ranks", [1, 3])
def test_a_resumed_run_ends_in_the_same_records(toy, reference_run, ranks):
    out = f"resumed-{ranks}"
    toy.run("--tasks", 2, out=out)
    assert len(toy.records(out)) == 4
    toy.run("--resume", "auto", ranks=ranks, out=out)
    assert toy.records(out) == toy.records("reference")


def test_resuming_a_finished_run_changes_nothing_and_shows_the_table(toy, reference_run):
    before = toy.records("reference")
    assert "last accuracy" in toy.run("--resume", "auto", out="reference")
    assert toy.records("reference") == before


def test_a_new_run_never_overwrites_an_old_one(toy, reference_run):
    text = toy.run(out="reference", code=2)
    assert "--resume auto" in text and "--out" in text


def test_settings_that_change_results_are_refused_on_resume(toy):
    toy.run("--tasks", 1, out="settings")
    text = toy.run("--resume", "auto", "--epsilon", 0.25, "--lanes", 2, out="settings", code=2)
    assert "epsilon" in text and "lanes" in text and "0.25" in text
    toy.run("--resume", "auto", "--log-every", 7, "--tasks", 2, out="settings")


def test_another_pack_is_refused_on_resume(toy):
    toy.run("--tasks", 1, out="other-pack")
    other = toy.path("other.h5")
    toy_module.make_pack(other, seed=2)
    text = toy.run("--resume", "auto", "--pack", other, out="other-pack", code=3)
    assert "pack (content hash)" in text


def test_a_protocol_with_other_samples_is_refused_on_resume(toy):
    toy.run("--tasks", 1, out="other-protocol")
    other = toy.path("fewer.json")
    toy_module.make_protocol(other, train_per_class=10)
    text = toy.run("--resume", "auto", "--protocol", other, out="other-protocol", code=3)
    assert "trained on 40 samples, the protocol has 20" in text


def flip(path, position):
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1]))


def test_a_damaged_newest_state_falls_back_to_the_one_before(toy, reference_run):
    toy.run("--tasks", 3, out="damaged")
    newest = toy.path("runs", "damaged", "state-0002.h5")
    flip(newest, os.path.getsize(newest) // 2)
    text = toy.run("--resume", "auto", out="damaged")
    assert "state-0002.h5" in text
    assert toy.records("damaged") == toy.records("reference")


def test_when_no_state_is_whole_the_error_names_the_files(toy):
    toy.run("--tasks", 1, out="lost")
    state = toy.path("runs", "lost", "state-0000.h5")
    os.truncate(state, os.path.getsize(state) // 2)
    assert "state-0000.h5" in toy.run("--resume", "auto", out="lost", code=3)


def test_a_run_that_died_before_its_first_task_starts_again(toy, reference_run):
    os.makedirs(toy.path("runs", "early"))
    with open(toy.path("runs", "early", "run.json"), "w") as file:
        file.write("{}")
    toy.run("--resume", "auto", out="early")
    assert toy.records("early") == toy.records("reference")
