"""The memory of a state, read by h5py alone: checkpoints_schema/state.md."""

import h5py
import numpy as np


def memory_of(state):
    """{name: array} of an open state."""
    counts = state["class_counts"][:]
    memory = dict(datasets_of(state, "memory"))
    for group, rows in (("memory_by_class", counts), ("memory_by_task", np.ones_like(counts))):
        for name, item in datasets_of(state, group):
            path, _, leaf = name.rpartition("/")
            for task, own in enumerate(np.split(item, np.cumsum(rows)[:-1])):
                memory[f"{path}/{task}/{leaf}"] = own
    return memory


def datasets_of(state, group):
    found = []
    if group in state:
        state[group].visititems(lambda name, item: found.append((name, item[()])) if isinstance(item, h5py.Dataset) else None)
    return found


def of_tasks(state, place):
    """What each task has at a place, as "classifier/local": [{"mean": array, ...}, ...]."""
    tasks = [{} for _ in state["class_counts"]]
    for name, values in memory_of(state).items():
        path, _, leaf = name.rpartition("/")
        owner, _, task = path.rpartition("/")
        if owner == place:
            tasks[int(task)][leaf] = values
    return tasks


def head_place(state):
    """Of the trained heads: "head/linear", or "head/cosine:scale=16"."""
    (place,) = {name.rpartition("/")[0].rpartition("/")[0] for name in memory_of(state) if name.startswith("head/")}
    return place


def heads_of(state):
    """The trained heads by task: {"weight": [c, features], "bias": [c]}."""
    return of_tasks(state, head_place(state))
