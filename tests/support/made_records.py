"""Records that no training made: those of a run of many tasks, and datasets with other values."""

import hashlib
import json
import os
import shutil

import google_crc32c
import h5py
import numpy as np


def put(file, name, values):
    """Replaces a dataset, with its checksum."""
    if name in file:
        del file[name]
    dataset = file.create_dataset(name, data=values)
    dataset.attrs["crc32c"] = np.uint32(google_crc32c.value(np.ascontiguousarray(values).tobytes()))


def texts(values):
    encoded = np.array([value.encode() for value in values])
    return encoded.astype(h5py.string_dtype("utf-8", encoded.dtype.itemsize))


def long_run(source, folder, tasks, samples=10, seed=1, newest_alone=(), newest_before=False):
    """Copies of the records of a run of two tasks of two classes, with random accuracies, which are returned: [after task, on task], 0 where not tested.

    newest_alone: tasks, counted from 0, after which the newest alone was tested. newest_before: before the merges the newest alone was tested.
    """
    os.makedirs(os.path.join(folder, "tasks"))
    shutil.copy(os.path.join(source, "run.json"), folder)
    with open(os.path.join(source, "manifest.json")) as file:
        manifest = json.load(file)
    rng = np.random.default_rng(seed)
    drawn = np.tril(rng.integers(0, samples + 1, (tasks, tasks)))
    tested = np.tril(np.ones((tasks, tasks), int))
    tested[list(newest_alone)] = np.eye(tasks, dtype=int)[list(newest_alone)]
    tested = {"before_merge": np.eye(tasks, dtype=int) if newest_before else tested, "after_merge": tested}
    files = {}
    for task in range(tasks):
        name = f"tasks/task-{task:04}.h5"
        path = os.path.join(folder, name)
        shutil.copy(os.path.join(source, "tasks", "task-0001.h5"), path)
        with h5py.File(path, "r+") as file:
            file["task"].attrs["index"] = np.int64(task)
            put(file, "task/classes", texts([f"class {2 * task}", f"class {2 * task + 1}"]))
            for moment, mask in tested.items():
                put_evaluation(file[f"metrics/{moment}"], (drawn * mask)[task, : task + 1], samples * mask[task, : task + 1])
        files[name] = manifest["files"]["tasks/task-0001.h5"]
    state = f"state-{tasks - 1:04}.h5"
    shutil.copy(os.path.join(source, "state-0001.h5"), os.path.join(folder, state))
    with h5py.File(os.path.join(folder, state), "r+") as file:
        file["stream"].attrs["tasks_done"] = np.int64(tasks)
        put(file, "class_counts", np.full(tasks, 2))
        put(file, "classes", texts([f"class {i}" for i in range(2 * tasks)]))
        for name in ("weight", "bias"):  # that of task 2 for all of them
            place = f"memory_by_class/head/linear/{name}"
            put(file, place, np.concatenate([file[place][2:]] * tasks))
            file[place].attrs.create("keeper", b"every rank", dtype=h5py.string_dtype("utf-8", 10))
        for moment, mask in tested.items():
            put_evaluation(file[f"accuracy/{moment}"], drawn * mask, samples * mask)
    files[state] = manifest["files"]["state-0001.h5"]
    with open(os.path.join(folder, "manifest.json"), "w") as file:
        json.dump(manifest | {"files": files, "tasks_done": tasks, "log_offsets": {state: {"metrics.jsonl": 0}}}, file)
    seal(folder)
    return drawn * tested["after_merge"] / samples


def seal(folder):
    """The manifest has the hashes of the files as they are now."""
    path = os.path.join(folder, "manifest.json")
    with open(path) as file:
        manifest = json.load(file)
    for name, entry in manifest["files"].items():
        with open(os.path.join(folder, name), "rb") as file:
            manifest["files"][name] = entry | {"sha256": hashlib.sha256(file.read()).hexdigest()}
    with open(path, "w") as file:
        json.dump(manifest, file)


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
