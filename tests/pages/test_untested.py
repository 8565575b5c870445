"""Pages of runs whose earlier tasks weren't tested after every task: what was tested is shown, and of the rest it is said why it wasn't."""

import csv
import json
import re

import h5py
import made_records
import numpy as np
import pytest

REASON = "not tested (--evaluate, or the data isn't available)"


def change(run, **settings):
    """Other settings, or another seed, in all records of a run."""
    seed = settings.pop("seed", 1)
    for path in sorted((run / "tasks").iterdir()):
        with h5py.File(path, "r+") as file:
            made_records.put(file, "config", np.bytes_(json.dumps(json.loads(file["config"][()]) | settings)))
            file["task"].attrs["seed"] = np.int64(seed)
    made_records.seal(run)
    return run


def accuracies(run, moment="after_merge"):
    """{(after task, on task): share}, from 1, from the tasks' records."""
    found = {}
    for t, path in enumerate(sorted((run / "tasks").iterdir()), start=1):
        with h5py.File(path) as file:
            right, samples = (file[f"metrics/{moment}/{name}"][()] for name in ("correct", "samples"))
        found |= {(t, j): right[j - 1] / samples[j - 1] for j in range(1, t + 1) if samples[j - 1]}
    return found


def figure(text, name):
    return re.search(rf'<figure id="{name}".*?</figure>', text, re.DOTALL)[0]


def titles(text, name):
    return re.findall(r"<title>(.*?)</title>", figure(text, name))[1:]


def row(text, name):
    """The cells after a table's first one, which has this text."""
    return re.findall(r"<td[^>]*>(.*?)</td>", re.search(rf"<tr><td[^>]*>{name}</td>.*?</tr>", text)[0])[1:]


def finding(text):
    return re.search('class="finding">(.*?)</p>', text)[1]


def overall(run, task):
    return 100 * np.mean([value for (t, _), value in accuracies(run).items() if t == task])


@pytest.mark.parametrize("before", [False, True])
def test_matrices_have_what_was_tested(make_long_run, show, before):
    run = make_long_run(4, newest_alone=(1, 2), newest_before=before)
    text = show(run)
    for name, moment in (("accuracy-after-merge", "after_merge"), ("accuracy-before-merge", "before_merge")):
        tested = accuracies(run, moment)
        assert titles(text, name) == [f"after {t}, on task {j}: {100 * value:.1f} %" for (t, j), value in tested.items()]
        assert len(tested) == (4 if before and moment == "before_merge" else 7)
        assert f"Below the diagonal, a cell without a colour: {REASON}." in figure(text, name)
        assert figure(text, name).count(">–</text>") == 10 - len(tested)


def test_a_finished_run_has_its_last_accuracy(make_long_run, show):
    run = make_long_run(4, newest_alone=(1, 2))
    text = show(run)
    assert finding(text).startswith(f"After 4 tasks with 8 classes, {overall(run, 4):.1f} % of the test samples are classified right; ")
    assert row(text, "last accuracy") == [f"{overall(run, 4):.1f} %", "after the last task, on all tasks' samples"]
    assert row(text, "average anytime accuracy") == ["-", "needs earlier tasks tested after every task"]
    shown = titles(text, "accuracy-over-tasks")
    assert [title for title in shown if title.startswith("all ")] == [
        f"all {what}, after task {t}: {overall(run, t):.1f}" for what in ("tasks so far", "so far, given the task") for t in (1, 4)
    ]
    assert sum(title.startswith("newest task, after") for title in shown) == 4
    assert f"there is no point where earlier ones were {REASON}" in figure(text, "accuracy-over-tasks")
    for name in ("samples", "lost-accuracy"):
        assert REASON not in figure(text, name), "all tasks were tested after the last one"


def test_a_run_that_was_stopped_says_that_the_newest_task_alone_was_tested(make_long_run, show):
    run = make_long_run(3, newest_alone=(1, 2), seed=2)
    with h5py.File(run / "tasks" / "task-0001.h5", "r+") as file:
        made_records.put(file, "metrics/before_merge/correct", np.array([0, 1], "<i8"))
    with h5py.File(run / "state-0002.h5", "r+") as file:
        counts = file["accuracy/before_merge/correct"][()]
        counts[1, 1] = 1
        made_records.put(file, "accuracy/before_merge/correct", counts)
    made_records.seal(run)
    text = show(run)
    plasticity = 100 * np.mean([accuracies(run)[t, t] for t in (1, 2, 3)])
    reason = "only the newest task was tested (--evaluate, or the data of the others isn't available)"
    assert finding(text) == f"After 3 tasks with 6 classes, {reason}; a new task is learned to {plasticity:.1f} % on average."
    for name in ("last accuracy", "forgetting", "backward transfer"):
        assert row(text, name) == ["-", "needs an earlier task, tested after the last one"]
    assert 'id="forgetting"' not in text
    assert f"A task that is missing here was {REASON} after the last one." in figure(text, "samples")
    assert f"What later tasks took isn't known of a task that was {REASON}" in figure(text, "lost-accuracy")
    assert sorted({title.split(":")[0] for title in titles(text, "lost-accuracy")}) == [
        *(f"its own merge, task {t}" for t in (1, 2, 3)),
        "the tasks after it, task 3",
    ]


def test_without_a_change_that_was_seen_no_more_is_claimed(make_long_run, show):
    said = "No task's accuracy was changed by its own merge or, where tested, by the tasks after it."
    assert said in show(make_long_run(3, newest_alone=(1, 2)))


def test_with_the_task_given_and_all_tested_no_reason_is_given(make_long_run, show):
    assert "not tested" not in show(change(make_long_run(3), scenario="task-incremental"))
    text = show(change(make_long_run(3, "alone", newest_alone=(1, 2)), scenario="task-incremental"))
    assert "isn't available); with the task given, a new task is learned to" in finding(text)


def test_the_table_for_programs_has_no_test_before_a_merge_that_was_not_made(make_long_run, report):
    run = make_long_run(3, newest_alone=(1,), newest_before=True)
    report(run)
    rows = list(csv.DictReader((run / "accuracy.csv").open()))
    after, before = accuracies(run), accuracies(run, "before_merge")
    assert [(int(line["after_task"]), int(line["task"])) for line in rows] == list(after) == [(1, 1), (2, 2), (3, 1), (3, 2), (3, 3)]
    for line, place in zip(rows, after, strict=True):
        assert float(line["accuracy"]) == pytest.approx(after[place])
        known = [line[f"{name}_before_merge"] for name in ("correct", "correct_given_task", "accuracy")]
        assert known == ([str(round(10 * before[place]))] * 2 + [f"{before[place]:.6f}"] if place in before else [""] * 3)


def test_runs_of_one_group_have_the_numbers_that_all_of_them_have(make_long_run, show, report):
    """Settings of what is tested don't make a group."""
    runs = [make_long_run(4, "whole"), change(make_long_run(4, "alone", newest_alone=(1, 2), seed=3), seed=2)]
    group = json.loads(report(*runs, "--json"))["groups"][0]
    assert [[value is None for value in run["accuracies"]] for run in group["runs"]] == [[False] * 4, [False, True, True, False]]
    assert "average_anytime" not in group["spreads"] and group["spreads"]["last"]["mean"] == pytest.approx(np.mean([overall(run, 4) for run in runs]) / 100)
    lines = list(csv.DictReader(report(*runs, "--csv").splitlines()))
    assert [bool(line["average_anytime"]) for line in lines] == [True, False]
    text = show(*runs)
    means = {t: np.mean([overall(run, t) for run in runs]) for t in (1, 4)}
    assert [title.split(", ", 1)[1] for title in titles(text, "accuracy-over-tasks")] == [f"after task {t}: {mean:.1f}" for t, mean in means.items()]
    assert [row(figure(text, "accuracy-over-tasks"), t)[0] for t in (1, 2, 3, 4)] == [f"{means[1]:.1f}", "-", "-", f"{means[4]:.1f}"]
    for said in (text, " ".join(report(*runs).split())):
        assert f"-: earlier tasks were {REASON} where the number needs it. Forgetting is from the best of the tests that were made" in said
    assert REASON not in show(runs[0], change(make_long_run(4, "other", seed=3), seed=2))


def test_a_group_without_a_last_accuracy_is_named_and_not_ranked(make_long_run, show):
    whole = make_long_run(3, "whole")
    stopped, other = (change(make_long_run(3, name, newest_alone=(1, 2)), lr=lr) for name, lr in (("stopped", 0.5), ("other", 0.25)))
    text = show(stopped, whole)
    assert finding(text) == f"Last accuracy: B: whole reaches {overall(whole, 3):.1f} %; of A: stopped earlier tasks were {REASON} after the last one."
    assert "without a point here: stopped (group A)." in figure(text, "stability")
    assert finding(show(stopped, other)) == f"Last accuracy: of A: stopped and B: other earlier tasks were {REASON} after the last one."


def test_other_runs_beside_a_run(make_long_run, show):
    whole, stopped = make_long_run(3, "whole"), make_long_run(3, "stopped", newest_alone=(1, 2), seed=2)
    text = show(whole, "--reference", stopped)
    name = "Perturb-and-Merge in other runs"
    assert titles(text, "references") == [
        *(f"this run, after task {t}: {overall(whole, t):.1f}" for t in (1, 2, 3)),
        f"{name}, after task 1: {overall(stopped, 1):.1f}",
    ]
    assert [row(figure(text, "references"), t) for t in (1, 3)] == [
        [f"{overall(whole, 1):.1f}", f"{overall(stopped, 1):.1f}"],
        [f"{overall(whole, 3):.1f}", "-"],
    ]
    assert REASON in figure(text, "references") and "For comparison" not in text
    assert f"For comparison, {name} reaches {overall(whole, 3):.1f} %." in show(stopped, "--reference", whole)
