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


def _with_enough(pack, train, test):
    """The classes that have the samples (0: at least one)."""
    least = max(train, 1), max(test, 1)
    return [
        name for name, row in zip(pack.classes, pack.counts()) if row[TRAIN] >= least[0] and row[TEST] >= least[1]
    ]


def _protocol(digest, name, order, train, test, tasks):
    return {
        "palimpsest_type": "protocol",
        "palimpsest_version": FORMAT_VERSION,
        "name": name,
        "order": order,
        "train_per_class": train,
        "test_per_class": test,
        "pack_content_sha256": digest,
        "tasks": tasks,
    }


def make_protocol(pack, digest, name, tasks, classes_per_task, train, test, seed):
    """The protocol as a dictionary; with too few classes, of fewer tasks. Raises InputError when there is no task.

    `train` and `test`: samples used of each class; 0: all that it has, at least one.
    """
    least = max(train, 1), max(test, 1)
    enough = _with_enough(pack, train, test)
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
    dealt = [
        {
            "name": f"task {task + 1}",
            "classes": order[task * classes_per_task : (task + 1) * classes_per_task],
        }
        for task in range(made)
    ]
    return _protocol(digest, name, f"sha256 of class name and seed {seed}", train, test, dealt)


def make_domain_protocol(pack, digest, name, train, test, seed):
    """As make_protocol, of a pack whose classes are named DOMAIN/LABEL: a task for each domain.

    All have the labels that every domain has enough samples of. Raises InputError when those are fewer than two.
    """
    labels = {}  # by domain
    for text in _with_enough(pack, train, test):
        domain, slash, label = text.partition("/")
        if slash:
            labels.setdefault(domain, set()).add(label)
    common = class_order(set.intersection(*labels.values()), seed) if labels else []
    if len(common) < 2:
        raise InputError(
            f"{len(common)} labels have {max(train, 1)} training and {max(test, 1)} test samples in every one of "
            f"{len(labels)} domains; expected classes named DOMAIN/LABEL, and at least two labels that all domains "
            f"have. Ask for fewer samples, or name the classes so (images --leaf-folders does)"
        )
    left_out = len(pack.classes) - len(labels) * len(common)
    if left_out:
        print(f"palimpsest-pack: note: {left_out} classes left out: not in every domain, or too few samples", file=sys.stderr)
    tasks = [
        {"name": domain, "classes": [f"{domain}/{label}" for label in common], "labels": common}
        for domain in class_order(labels, seed)
    ]
    return _protocol(digest, name, f"sha256 of domain or label and seed {seed}", train, test, tasks)


def write_protocol(path, protocol):
    with atomic(path) as temporary:
        temporary.write_text(
            json.dumps(protocol, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
