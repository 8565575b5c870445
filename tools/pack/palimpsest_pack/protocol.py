"""Protocols: which classes make which task, in an order that a seed and the class names alone decide."""

import hashlib
import json
import sys

from . import FORMAT_VERSION, InputError
from .files import atomic
from .pack_file import TEST, TRAIN


def class_order(classes, seed):
    """The classes in the order of the SHA-256 of "<class>\\0<seed>"."""
    return sorted(classes, key=lambda name: hashlib.sha256(f"{name}\0{seed}".encode()).digest())


def make_protocol(pack, digest, name, tasks, classes_per_task, train, test, seed):
    """The protocol as a dictionary; with too few classes, of fewer tasks. Raises InputError when there is no task.

    `train` and `test`: samples used of each class; 0: all that it has, at least one.
    """
    least = max(train, 1), max(test, 1)
    counts = pack.counts()
    enough = [
        text for text, row in zip(pack.classes, counts) if row[TRAIN] >= least[0] and row[TEST] >= least[1]
    ]
    made = min(tasks, len(enough) // classes_per_task)
    found = (
        f"{len(enough)} of the pack's {len(pack.classes)} classes have {least[0]} training and {least[1]} test "
        f"samples: "
        f"enough for {made} of {tasks} tasks of {classes_per_task} classes"
    )
    if made == 0:
        raise InputError(
            f"{found}. Ask for fewer classes per task or fewer samples, or make a larger pack"
        )
    if made < tasks:
        print(f"palimpsest-pack: note: {found}; the protocol has {made}", file=sys.stderr)
    order = class_order(enough, seed)
    return {
        "palimpsest_type": "protocol",
        "palimpsest_version": FORMAT_VERSION,
        "name": name,
        "order": f"sha256 of class name and seed {seed}",
        "train_per_class": train,
        "test_per_class": test,
        "pack_content_sha256": digest,
        "tasks": [
            {
                "name": f"task {task + 1}",
                "classes": order[task * classes_per_task : (task + 1) * classes_per_task],
            }
            for task in range(made)
        ],
    }


def write_protocol(path, protocol):
    with atomic(path) as temporary:
        temporary.write_text(
            json.dumps(protocol, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
