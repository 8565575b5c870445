"""Which tasks are tested after each task: --evaluate and --evaluate-before-merge."""

import json
import subprocess

import h5py
import numpy as np
import pytest
from program import INSPECT, PROGRAM
from toy import TEST

TASKS = 4
COUNTS = ("samples", "correct", "correct_given_task", "correct_top5", "correct_task", "loss_given_task")


@pytest.fixture(scope="module")
def all_tested(toy):
    toy.run(out="tested-all")
    return toy.path("runs", "tested-all")


def inspect(folder, *flags):
    return subprocess.run([INSPECT, folder, *flags], capture_output=True, text=True, check=True).stdout


def summary(folder):
    return json.loads(inspect(folder, "--json"))["summary"]


def rows(folder, when):
    """Row t: after task t."""
    found = []
    for task in range(TASKS):
        with h5py.File(f"{folder}/tasks/task-{task:04}.h5") as file:
            found.append({name: file[f"metrics/{when}/{name}"][:] for name in COUNTS})
    return found


def expect_tested(folder, all_tested, when, complete):
    """Rows of `complete` are those of the run that tests all; the others have their last entry and zeros."""
    for t, (found, of_all) in enumerate(zip(rows(folder, when), rows(all_tested, when), strict=True)):
        for name in COUNTS:
            expected = of_all[name].copy()
            if t not in complete:
                expected[:-1] = 0
            np.testing.assert_array_equal(found[name], expected, err_msg=f"{when} {t} {name}")


def weights_after(folder):
    with h5py.File(f"{folder}/tasks/task-{TASKS - 1:04}.h5") as file:
        return file["merge"].attrs["weights_after"]


@pytest.mark.parametrize(("setting", "complete"), [("last", {3}), ("every:2", {1, 3}), ("every:tasks=3", {2, 3}), ("every:1", {0, 1, 2, 3}), ("every:9", {3})])
def test_all_tasks_seen_are_tested_when_the_setting_says_so_and_in_the_end(toy, all_tested, setting, complete):
    name = f"tested-{setting.replace(':', '-')}"
    toy.run("--evaluate", setting, out=name)
    folder = toy.path("runs", name)
    for when in ("after_merge", "before_merge"):
        expect_tested(folder, all_tested, when, complete | {0})  # the first task is all that was seen
    assert weights_after(folder) == weights_after(all_tested)
    found, expected = summary(folder), summary(all_tested)
    for metric in ("last", "last_task_mean", "last_given_task", "plasticity", "plasticity_before_merge", "backward_transfer"):
        assert found[metric] == expected[metric], metric
    assert (found["average_anytime"] is None) == (complete != {0, 1, 2, 3})


def test_before_a_merge_the_newest_task_is_enough(toy, all_tested):
    toy.run("--evaluate-before-merge", "false", out="tested-after")
    folder = toy.path("runs", "tested-after")
    expect_tested(folder, all_tested, "after_merge", set(range(TASKS)))
    expect_tested(folder, all_tested, "before_merge", {0})
    found, expected = summary(folder), summary(all_tested)
    for metric in ("last", "average_anytime", "forgetting", "plasticity_before_merge"):
        assert found[metric] == expected[metric], metric
    assert found["last_before_merge"] is None and found["average_anytime_before_merge"] is None


def test_inspect_shows_what_was_not_tested(toy, all_tested):
    toy.run("--evaluate", "last", out="tested-shown")
    text = inspect(toy.path("runs", "tested-shown"))
    assert "-: not tested (--evaluate, or its data isn't available)" in " ".join(text.split())
    assert "needs earlier tasks tested after every task" in text
    after = [line.split() for line in text.splitlines() if line.split()[:1] == ["2"] and "-" in line]
    assert any(cells[1] == "-" and cells[3] == "-" for cells in after), text
    assert "not tested" not in inspect(all_tested)


def test_the_setting_may_change_on_resume_and_the_bits_stay_those_of_any_number_of_ranks(toy):
    settings = ("--evaluate", "last", "--classifier", "local,ridge")
    toy.run(*settings, out="tested-1")
    toy.run(*settings, ranks=2, out="tested-2")
    assert toy.records("tested-1") == toy.records("tested-2")
    toy.run(*settings, "--tasks", "2", out="tested-2-of-4")
    assert summary(toy.path("runs", "tested-2-of-4"))["last"] is not None  # the second was its last
    toy.run("--evaluate", "every:2", "--resume", "auto", "--classifier", "local,ridge", out="tested-1")


def test_a_stream_that_was_stopped_says_what_it_has(toy):
    command = toy.command("--evaluate", "last", "--stop-after", "0.0001", out="tested-stopped")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 85, done.stdout + done.stderr
    while json.loads(inspect(toy.path("runs", "tested-stopped"), "--json"))["tasks_done"] < 2:
        subprocess.run([*command, "--resume", "auto"], capture_output=True, text=True, timeout=60)
    numbers = summary(toy.path("runs", "tested-stopped"))
    assert numbers["last"] is None and numbers["forgetting"] is None and numbers["plasticity"] > 0
    assert "last accuracy" in inspect(toy.path("runs", "tested-stopped"))


@pytest.mark.parametrize(("text", "message"), [
    ("never", "evaluation 'never' is not known"),
    ("every:0", "tasks = '0' is not possible: it takes a whole number from 1"),
    ("every:x", "tasks = 'x' is not possible: it takes a whole number from 1"),
    ("all:2", "evaluation 'all' has no key '2'; it has no keys"),
])
def test_what_is_no_setting_is_refused(toy, text, message):
    done = subprocess.run(toy.command("--evaluate", text, out="tested-refused"), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and message in done.stderr, done.stderr


@pytest.mark.parametrize(("flags", "tests"), [
    ((), 2 * (1 + 2 + 3 + 4)),
    (("--evaluate", "last"), 2 * (1 + 1 + 1 + 4)),
    (("--evaluate", "every:2"), 2 * (1 + 2 + 1 + 4)),
    (("--evaluate", "every:2", "--evaluate-before-merge", "false"), (1 + 2 + 1 + 4) + 4),
])
def test_a_plan_counts_the_tests(toy, flags, tests):
    command = [PROGRAM, "plan", *toy.command(*flags)[2:], "--machine", "a100", "--world-size", "1"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    line = next(line for line in text.splitlines() if line.startswith("test samples"))
    assert int(line.split()[2].replace(",", "")) == tests * 2 * TEST
