"""Many tasks: opening a run takes no longer with them, and what is shown of them is all there."""

import subprocess
import sys
import time

import numpy as np
import palimpsest
import pytest

TASKS, MOST_SECONDS, TRIES = 100, 0.05, 5


@pytest.fixture(scope="module")
def long_run(make_long_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("long") / "run"
    return folder, make_long_run(folder, TASKS)


def best_time(call):
    times = []
    for _ in range(TRIES):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def test_a_hundred_tasks_open_in_fifty_milliseconds(long_run):
    assert len(palimpsest.open(long_run[0]).tasks) == TASKS  # imports pandas
    assert best_time(lambda: palimpsest.open(long_run[0])) <= MOST_SECONDS


def test_all_of_them_are_there(long_run):
    folder, accuracies = long_run
    run = palimpsest.open(folder)
    assert len(run.alphas) == TASKS and len(run.accuracy) == TASKS * (TASKS + 1)
    np.testing.assert_array_equal(np.nan_to_num(run.matrix()), accuracies)
    assert run.metrics.loc["last"].item() == pytest.approx(accuracies[-1].mean())
    assert run.tasks[57].classes == ("class 114", "class 115") and run.tasks[57].evaluation().samples.shape == (58,)
    assert run.tasks[TASKS - 1].evaluation().scores[0].sums.tolist() == (10 * accuracies[-1]).tolist()


def test_the_table_of_many_tasks_leaves_out_the_middle(long_run):
    run = palimpsest.open(long_run[0])
    lines = repr(run).splitlines()
    assert len(lines) < 40 and lines[-1].split()[0] == str(TASKS - 1) and "   ..." in lines
    assert "…" in run._repr_html_()


def test_importing_the_package_or_the_packer_imports_no_pandas():
    code = """
import sys, palimpsest, palimpsest.pack
assert not {"pandas", "torch", "palimpsest.runs"} & set(sys.modules)
palimpsest.open
assert "torch" not in sys.modules and "matplotlib" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
    with pytest.raises(AttributeError, match="module 'palimpsest' has no attribute 'opne'"):
        _ = palimpsest.opne
    assert set(palimpsest.__all__) == set(dir(palimpsest)) and all(getattr(palimpsest, name) for name in palimpsest.__all__)
