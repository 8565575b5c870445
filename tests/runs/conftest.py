"""What the tests of runs share: runs of every format version, a run of many tasks, and what palimpsest-inspect says."""

import json
import os
import pathlib
import shutil
import subprocess

import google_crc32c
import h5py
import numpy as np
import pytest

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "checkpoints_schema" / "golden"


@pytest.fixture
def golden(tmp_path):
    """A copy of a golden run of two tasks, whose format is the newest that there is."""
    return shutil.copytree(GOLDEN / "2.0.0" / "run", tmp_path / "golden")


@pytest.fixture(scope="session", params=sorted(path.name for path in GOLDEN.iterdir() if path.is_dir()))
def golden_of_version(request):
    return GOLDEN / request.param / "run"


@pytest.fixture(scope="session")
def inspect():
    """What palimpsest-inspect says of a run or a file."""
    from program import INSPECT

    def run(path):
        done = subprocess.run([INSPECT, "--json", path], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def assert_metrics():
    """assert_metrics(shown, run): a run's metrics are those that palimpsest-inspect shows, exactly."""

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
    """make(folder, tasks): a run of so many tasks of two classes, and its accuracies, [tasks, tasks]."""
    return lambda folder, tasks: long_run(GOLDEN / "2.0.0" / "run", folder, tasks)


def put(file, name, values):
    """Replaces a dataset, with its checksum."""
    if name in file:
        del file[name]
    dataset = file.create_dataset(name, data=values)
    dataset.attrs["crc32c"] = np.uint32(google_crc32c.value(np.ascontiguousarray(values).tobytes()))


def texts(values):
    encoded = np.array([value.encode() for value in values])
    return encoded.astype(h5py.string_dtype("utf-8", encoded.dtype.itemsize))


def long_run(source, folder, tasks, samples=10, seed=1):
    """Copies of the records of a run of two tasks of two classes, with random accuracies."""
    os.makedirs(os.path.join(folder, "tasks"))
    shutil.copy(os.path.join(source, "run.json"), folder)
    with open(os.path.join(source, "manifest.json")) as file:
        manifest = json.load(file)
    rng = np.random.default_rng(seed)
    right = np.tril(rng.integers(0, samples + 1, (tasks, tasks)))
    files = {}
    for task in range(tasks):
        name = f"tasks/task-{task:04}.h5"
        path = os.path.join(folder, name)
        shutil.copy(os.path.join(source, "tasks", "task-0001.h5"), path)
        with h5py.File(path, "r+") as file:
            file["task"].attrs["index"] = np.int64(task)
            put(file, "task/classes", texts([f"class {2 * task}", f"class {2 * task + 1}"]))
            for moment in ("before_merge", "after_merge"):
                put_evaluation(file[f"metrics/{moment}"], right[task, : task + 1], np.full(task + 1, samples))
        files[name] = manifest["files"]["tasks/task-0001.h5"]
    state = f"state-{tasks - 1:04}.h5"
    shutil.copy(os.path.join(source, "state-0001.h5"), os.path.join(folder, state))
    with h5py.File(os.path.join(folder, state), "r+") as file:
        file["stream"].attrs["tasks_done"] = np.int64(tasks)
        for task in range(tasks):
            put(file, f"classes/{task}", texts([f"class {2 * task}", f"class {2 * task + 1}"]))
        for moment in ("before_merge", "after_merge"):
            put_evaluation(file[f"accuracy/{moment}"], right, np.tril(np.full((tasks, tasks), samples)))
    files[state] = manifest["files"]["state-0001.h5"]
    with open(os.path.join(folder, "manifest.json"), "w") as file:
        json.dump(manifest | {"files": files, "tasks_done": tasks, "log_offsets": {state: {"metrics.jsonl": 0}}}, file)
    return right / samples


def put_evaluation(group, right, samples):
    for name in list(group):
        if name in ("class_samples", "class_correct"):
            counts = samples if name == "class_samples" else right
            halves = np.stack([counts // 2, counts - counts // 2], axis=-1)
            put(group, name, halves.reshape(*counts.shape[:-1], 2 * counts.shape[-1]).astype("<i8"))
        elif name == "samples":
            put(group, name, samples.astype("<i8"))
        elif name == "loss_given_task":
            put(group, name, right.astype("<f8"))
        elif name != "scores":
            put(group, name, right.astype("<i8"))
