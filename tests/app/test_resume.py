"""A run that stopped, after a task or within one, continues as if nothing had happened; a fork continues with other settings."""

import hashlib
import json
import os
import shutil

import h5py
import numpy as np
import pytest
import toy as toy_module
from tiers import quick


@pytest.mark.parametrize("ranks", quick(1, [3, 1]))
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
    text = toy.run("--resume", "auto", "--perturbation", "sign:epsilon=0.25", "--lanes", 2, out="settings", code=2)
    assert "epsilon" in text and "lanes" in text and "0.25" in text
    toy.run("--resume", "auto", "--progress", "plain:every=7", "--tasks", 2, out="settings")


def test_a_curvature_that_nothing_measures_may_be_another_on_resume(toy):
    run = ("--merge", "average", "--epochs", 1, "--curvature")
    toy.run("--tasks", 1, *run, "empirical:scale=secant", out="unused-curvature")
    toy.run("--resume", "auto", "--tasks", 2, *run, "empirical:scale=none", out="unused-curvature")


def test_another_pack_is_refused_on_resume(toy):
    toy.run("--tasks", 1, out="other-pack")
    other = toy.path("other.h5")
    toy_module.make_pack(other, seed=2)
    text = toy.run("--resume", "auto", "--pack", other, out="other-pack", code=3)
    assert "pack (content hash)" in text


@pytest.mark.slow
def test_a_protocol_with_other_samples_is_refused_on_resume(toy):
    toy.run("--tasks", 1, out="other-protocol")
    other = toy.path("fewer.json")
    toy_module.make_protocol(other, train_per_class=10)
    text = toy.run("--resume", "auto", "--protocol", other, out="other-protocol", code=3)
    assert "task 1 was trained on 40 samples" in text and "fewer.json has 20" in text, text


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


@pytest.mark.slow
def test_when_no_state_is_whole_the_error_names_the_files(toy):
    toy.run("--tasks", 1, out="lost")
    state = toy.path("runs", "lost", "state-0000.h5")
    os.truncate(state, os.path.getsize(state) // 2)
    assert "state-0000.h5" in toy.run("--resume", "auto", out="lost", code=3)


@pytest.mark.slow
def test_a_run_that_died_before_its_first_task_starts_again(toy, reference_run):
    os.makedirs(toy.path("runs", "early"))
    with open(toy.path("runs", "early", "run.json"), "w") as file:
        file.write("{}")
    toy.run("--resume", "auto", out="early")
    assert toy.records("early") == toy.records("reference")


# Within a task: 60 steps each, a checkpoint every 7.
STEPS = ["--epochs", 30, "--checkpoint-every", 7]


@pytest.fixture(scope="module")
def undisturbed(toy):
    toy.run(*STEPS, out="steps")
    return toy.records("steps")


def stop_within_a_task(toy, out):
    """Leaves a run that has saved some steps of its third task."""
    toy.run(*STEPS, "--tasks", 2, out=out)
    for _ in range(17):
        assert toy.code(*STEPS, "--resume", "auto", "--stop-after", 1e-9, out=out) == 85
    assert sorted(name for name in toy.records(out) if name.startswith("step")) == [
        "step-0002-00000016.h5", "step-0002-00000017.h5"]


@pytest.mark.slow
def test_a_run_continues_at_any_step_and_another_world_size(toy, undisturbed):
    stop_within_a_task(toy, "within")
    text = toy.run(*STEPS, "--resume", "auto", ranks=3, out="within")
    assert "resuming task 3 after step 17" in text
    assert toy.records("within") == undisturbed
    assert toy.metrics("within") == toy.metrics("steps")


@pytest.mark.slow
def test_a_damaged_step_falls_back_to_the_one_before_and_then_to_the_task(toy, undisturbed):
    stop_within_a_task(toy, "damaged-step")
    first = toy.path("runs", "damaged-step")
    second = toy.path("runs", "damaged-steps")
    shutil.copytree(first, second)
    for run, names in ((first, ["00000017"]), (second, ["00000016", "00000017"])):
        for name in names:
            path = os.path.join(run, f"step-0002-{name}.h5")
            flip(path, os.path.getsize(path) // 2)
    text = toy.run(*STEPS, "--resume", "auto", out="damaged-step")
    assert "step-0002-00000017.h5" in text and "resuming from step-0002-00000016.h5" in text, text
    text = toy.run(*STEPS, "--resume", "auto", out="damaged-steps")
    assert "doing task 3 again" in text, text
    assert toy.records("damaged-steps") == undisturbed
    assert toy.records("damaged-step") == undisturbed


@pytest.mark.slow
def test_settings_that_change_results_are_refused_within_a_task_too(toy):
    toy.code(*STEPS, "--stop-after", 1e-9, out="first-task")
    text = toy.run(*STEPS, "--resume", "auto", "--lr", 0.5, out="first-task", code=2)
    assert "lr: recorded 0.01, now 0.5" in text and "--fork" in text


@pytest.mark.slow
@pytest.mark.parametrize("change", ["order", "samples"])
def test_another_protocol_is_refused_within_the_first_task_too(toy, change):
    out, other = f"begun-{change}", toy.path(f"begun-{change}.json")
    toy.code(*STEPS, "--stop-after", 1e-9, out=out)
    with open(toy.path("protocol.json")) as file:
        tasks = json.load(file)["tasks"][::-1]
    toy_module.make_protocol(other, **({"tasks": tasks} if change == "order" else {"train_per_class": 10}))
    text = toy.run(*STEPS, "--resume", "auto", "--protocol", other, out=out, code=3)
    assert "classes or samples of task 1, which has begun, are others" in text, text


@pytest.mark.slow
def test_a_run_that_is_stopped_again_and_again_gets_to_its_end(toy):
    for start in range(40):
        code = toy.code("--epochs", 1, "--resume", "auto", "--stop-after", 1e-9, out="again")
        if code == 0:
            break
        assert code == 85
    assert code == 0 and start > 8  # two steps and a merge, four times
    toy.run("--epochs", 1, out="at-once")
    assert toy.records("again") == toy.records("at-once")


@pytest.mark.slow
def test_records_without_a_manifest_are_not_trained_over(toy, reference_run):
    run = toy.path("runs", "no-manifest")
    shutil.copytree(reference_run, run)
    os.remove(os.path.join(run, "manifest.json"))
    text = toy.run("--resume", "auto", out="no-manifest", code=2)
    assert "no manifest.json to say which files belong together" in text, text


@pytest.mark.slow
def test_a_lost_record_of_the_newest_task_is_made_again(toy, reference_run):
    run = toy.path("runs", "lost-task")
    shutil.copytree(reference_run, run)
    os.remove(os.path.join(run, "tasks", "task-0003.h5"))
    text = toy.run("--resume", "auto", out="lost-task")
    assert "task-0003.h5" in text and "resuming from state-0002.h5" in text, text
    assert toy.records("lost-task") == toy.records("reference")


@pytest.mark.slow
def test_a_short_log_is_named_and_continues_with_whole_lines(toy):
    toy.run("--tasks", 2, out="short-log")
    log = toy.path("runs", "short-log", "metrics.jsonl")
    os.truncate(log, 300)
    text = toy.run("--resume", "auto", out="short-log")
    assert "metrics.jsonl: expected" in text and "those lines are lost" in text, text
    broken = [line for line in open(log) if not is_json(line)]
    assert len(broken) == 1, broken


def is_json(line):
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


@pytest.mark.slow
def test_another_processor_or_library_is_named_and_needs_a_word(toy, undisturbed):
    toy.run(*STEPS, "--tasks", 1, out="elsewhere")
    state = toy.path("runs", "elsewhere", "state-0000.h5")
    with h5py.File(state, "r+") as file:
        numerics = json.loads(file["numerics"][()].decode()) | {"processor": "Another Processor", "torch": "2.6.0"}
        crc, text = file["numerics"].attrs["crc32c"], json.dumps(numerics)
        del file["numerics"], crc
        file.create_dataset("numerics", data=np.bytes_(text), dtype=h5py.string_dtype("utf-8", len(text)))
    rewrite_hash(toy.path("runs", "elsewhere"), "state-0000.h5")
    text = toy.run(*STEPS, "--resume", "auto", out="elsewhere", code=2)
    assert 'processor: recorded "Another Processor", now' in text and 'torch: recorded "2.6.0"' in text, text
    assert "threads" not in text and "--allow-numerics-change" in text
    toy.run(*STEPS, "--resume", "auto", "--allow-numerics-change", out="elsewhere")
    assert toy.records("elsewhere") == undisturbed


def rewrite_hash(run, name):
    manifest = os.path.join(run, "manifest.json")
    with open(manifest) as file:
        content = json.load(file)
    with open(os.path.join(run, name), "rb") as file:
        content["files"][name]["sha256"] = hashlib.sha256(file.read()).hexdigest()
    with open(manifest, "w") as file:
        json.dump(content, file)


@pytest.mark.slow
def test_a_changed_backbone_configuration_is_refused_on_resume(toy):
    toy.run("--tasks", 1, out="other-shape")
    folder = toy.path("other-shape")
    shutil.copytree(toy.path("backbone"), folder)
    with open(os.path.join(folder, "config.json")) as file:
        config = json.load(file)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config | {"layer_norm_eps": 1e-3}, file)
    text = toy.run("--resume", "auto", "--backbone", folder, out="other-shape", code=3)
    assert "backbone's shape, by its config.json" in text


def test_a_fork_continues_from_a_state_with_other_settings(toy, reference_run):
    origin = toy.records("reference")
    toy.run("--fork", os.path.join(reference_run, "state-0002.h5"), "--merge", "average", "--lr", 0.02, out="fork")
    records = toy.records("fork")
    for task in range(3):
        assert records[f"tasks/task-000{task}.h5"] == origin[f"tasks/task-000{task}.h5"]
    assert records["tasks/task-0003.h5"] != origin["tasks/task-0003.h5"]
    assert toy.records("reference") == origin
    # The same settings: the same end, and the fork is resumed as a run by itself.
    toy.run("--fork", os.path.join(reference_run, "state-0002.h5"), out="same")
    assert toy.records("same")["tasks/task-0003.h5"] == origin["tasks/task-0003.h5"]
    toy.run("--fork", os.path.join(reference_run, "state-0002.h5"), "--resume", "auto", out="same")


@pytest.mark.slow
def test_a_fork_by_a_rule_without_fisher_has_no_memory_to_continue_with(toy, reference_run):
    origin = os.path.join(reference_run, "state-0002.h5")
    text = toy.run("--fork", origin, "--merge", "average", out="averaged")
    assert "what no part of this run uses is dropped: curvature/empirical:scale=secant (2 arrays)" in text, text
    text = toy.run("--fork", toy.path("runs", "averaged"), out="closed-form-again", code=2)
    assert "the rule needs the Fisher of the tasks before" in text, text
    text = toy.run("--fork", origin, "--curvature", "empirical:scale=trace", out="rescaled", code=2)
    assert "expected curvature/empirical:scale=trace/s0 in its memory, found curvature/empirical:scale=secant" in text, text
    assert "keep its --curvature" in text, text


@pytest.mark.slow
def test_a_fork_of_a_state_without_its_run_is_refused_before_anything_is_written(toy, reference_run):
    alone = toy.path("alone.h5")
    shutil.copy(os.path.join(reference_run, "state-0002.h5"), alone)
    text = toy.run("--fork", alone, out="from-alone", code=3)
    assert "alone.h5: expected a run folder, or a state in one" in text, text
    assert not os.path.exists(toy.path("runs", "from-alone", "run.json"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "options, message, code",
    [
        (["--adapter", "lora:rank=4,alpha=4,targets=query"], "it adapted other modules", 2),
        (["--tasks", 2], "it has learned 4 tasks already", 2),
    ],
)
def test_a_fork_that_cannot_be_is_refused_before_anything_is_written(toy, reference_run, options, message, code):
    text = toy.run("--fork", reference_run, *options, out="no-fork", code=code)
    assert message in text
    assert not os.path.exists(toy.path("runs", "no-fork", "run.json"))


def test_a_fork_of_nothing_is_refused(toy):
    os.makedirs(toy.path("runs", "empty"), exist_ok=True)
    text = toy.run("--fork", toy.path("runs", "empty"), out="no-fork", code=3)
    assert "expected a run folder, or a state in one, found no manifest.json" in text, text
