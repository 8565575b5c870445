"""What the tests of runs share: runs of every format version, a run of many tasks, and what palimpsest inspect says."""

import json
import pathlib
import shutil
import subprocess

import numpy as np
import pytest
from made_records import long_run

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "checkpoints_schema" / "golden"


@pytest.fixture
def golden(tmp_path):
    """A copy of a golden run of two tasks, whose format is the newest that there is."""
    return shutil.copytree(GOLDEN / "3.0.0" / "run", tmp_path / "golden")


@pytest.fixture(scope="session", params=sorted(path.name for path in GOLDEN.iterdir() if path.is_dir()))
def golden_of_version(request):
    return GOLDEN / request.param / "run"


@pytest.fixture(scope="session")
def inspect():
    """What palimpsest inspect says of a run or a file."""
    from program import INSPECT

    def run(path):
        done = subprocess.run([INSPECT, "--json", path], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def assert_metrics():
    """assert_metrics(shown, run): a run's metrics are those that palimpsest inspect shows, exactly."""

    def check(shown, run):
        summaries = [shown["summary"], *shown["other_summaries"]]
        named = [summary["classifier"] or run.classifiers[0] for summary in summaries]
        assert list(run.metrics.columns) == named == list(run.classifiers)
        for name, summary in zip(named, summaries, strict=True):
            assert summary.pop("task_given") == run.is_task_given
            summary.pop("classifier")
            found = {metric: None if np.isnan(value) else value for metric, value in run.metrics[name].items()}
            assert {metric: found[metric] for metric in summary} == summary
            assert all(found[metric] is None for metric in found.keys() - summary.keys())

    return check


@pytest.fixture(scope="session")
def make_long_run():
    """make(folder, tasks, options of long_run): a run of so many tasks of two classes, and its accuracies, [tasks, tasks]."""
    return lambda folder, tasks, **options: long_run(GOLDEN / "3.0.0" / "run", folder, tasks, **options)
