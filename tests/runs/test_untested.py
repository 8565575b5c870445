"""Runs whose earlier tasks weren't tested after every task: numbers by hand, which palimpsest inspect has, too."""

import math

import numpy as np
import palimpsest
import pytest
from palimpsest.runs.stream_metrics import is_over_seen, overall, task_mean

ANYTIME = {"average_anytime", "average_anytime_before_merge", "average_anytime_task_mean"}
OF_EARLIER = {"forgetting", "forgetting_with_last", "forgetting_from_peak_before_merge", "backward_transfer"}


@pytest.fixture
def make(make_long_run, tmp_path, inspect, assert_metrics):
    """make(tasks, options of long_run): the run, whose metrics are those of palimpsest inspect, and its accuracies."""

    def run(tasks, **options):
        accuracies = make_long_run(tmp_path / "made", tasks, **options)
        opened = palimpsest.open(tmp_path / "made")
        assert_metrics(inspect(tmp_path / "made"), opened)
        return opened, accuracies

    return run


def undefined(run):
    values = run.metrics.iloc[:, 0]
    return set(values.index[values.isna()]) - {"forward_transfer"}


def of_last(run, moment=""):
    """The names of the means of the last row: of all, or of the row before the merge."""
    return {name for name in run.metrics.index if name.startswith("last") and name.endswith(moment)}


def test_without_a_test_of_all_after_every_task_there_is_no_mean_over_them(make):
    run, accuracies = make(4, newest_alone=(1, 2))
    assert undefined(run) == ANYTIME
    values = run.metrics.iloc[:, 0]
    first, last = np.diag(accuracies)[:3], accuracies[3, :3]
    assert values["last"] == pytest.approx(accuracies[3].mean()) and values["plasticity"] == pytest.approx(np.diag(accuracies).mean())
    assert values["forgetting"] == pytest.approx((first - last).mean()) and values["backward_transfer"] == pytest.approx((last - first).mean())
    assert values["forgetting_with_last"] == pytest.approx(np.maximum(first - last, 0).mean())


def test_the_peak_is_over_the_tests_that_were_made(make):
    run, accuracies = make(4, newest_alone=(1,), seed=9)
    peaks = [accuracies[[0, 2], 0].max(), accuracies[1:3, 1].max(), accuracies[2, 2]]
    assert accuracies[2, 0] > accuracies[0, 0], "this seed's peak is no first accuracy"
    assert run.metrics.loc["forgetting"].item() == pytest.approx((peaks - accuracies[3, :3]).mean())


def test_after_a_test_of_the_newest_alone_nothing_is_said_of_all(make):
    run, accuracies = make(3, newest_alone=(1, 2))
    assert undefined(run) == ANYTIME | OF_EARLIER | of_last(run)
    assert run.metrics.loc["plasticity"].item() == pytest.approx(np.diag(accuracies).mean())


def test_before_the_merges_the_newest_alone_was_tested(make):
    run, accuracies = make(3, newest_before=True)
    assert undefined(run) == {"average_anytime_before_merge"} | of_last(run, "_before_merge")
    assert run.metrics.loc["average_anytime"].item() == pytest.approx(np.mean([accuracies[t, : t + 1].mean() for t in range(3)]))
    assert run.matrix(before_merge=True).notna().to_numpy().tolist() == np.eye(3, dtype=bool).tolist()


@pytest.mark.parametrize(("samples", "expected"), [([5], True), ([0, 5], False), ([5, 0, 5], True), (np.array([0, 0, 5]), False), (np.array([0, 3, 5]), True)])
def test_what_a_row_is_over(samples, expected):
    assert is_over_seen(samples) is expected


def test_a_row_over_some_earlier_tasks_is_over_what_was_tested(make):
    run, accuracies = make(4, newest_alone=(1,))
    rows = next(iter(run.evaluations.values())).after_merge
    assert [overall(row) is None for row in rows] == [task_mean(row) is None for row in rows] == [False, True, False, False]
    assert overall(rows[2]) == pytest.approx(accuracies[2, :3].mean())


def test_what_was_not_tested_is_a_dash_with_its_reason(make):
    run, accuracies = make(3, newest_alone=(1, 2))
    reason = "all so far -: earlier tasks were not tested (--evaluate, or the data isn't available)"
    lines = repr(run).splitlines()
    assert lines[-1] == f"  {reason}" and "last -, average anytime -, forgetting -, " in repr(run)
    assert [line.split()[-2:] for line in lines[-4:-1]] == [
        [f"{100 * accuracies[0, 0]:.1f}"] * 2,
        *([f"{100 * accuracies[t, t]:.1f}", "-"] for t in (1, 2)),
    ]
    assert reason.replace("'", "&#x27;") in run._repr_html_() and str(math.nan) not in repr(run) + run._repr_html_()


def test_a_run_with_all_tests_gives_no_reason(make):
    run, _ = make(3)
    assert not undefined(run) and "not tested" not in repr(run) + run._repr_html_()
