"""Protocols: which classes make which task, in an order that a seed and the class names alone decide.

Classes that get no task are named in notes with the reason, and samples that are not used are counted.
"""

import hashlib
import json

from . import FORMAT_VERSION, InputError
from .files import atomic
from .names import note_odd_names
from .notes import note
from .pack_file import TEST, TRAIN


def class_order(classes, seed):
    """The classes in the order of the SHA-256 of "<class>\\0<seed>"."""
    return sorted(classes, key=lambda name: hashlib.sha256(f"{name}\0{seed}".encode()).digest())


def _with_enough(pack, train, test):
    """The classes that have the samples (0: at least one); the others are named."""
    least = max(train, 1), max(test, 1)
    enough, few = [], []
    for name, row in zip(pack.classes, pack.counts()):
        if row[TRAIN] >= least[0] and row[TEST] >= least[1]:
            enough.append(name)
        else:
            few.append(f"{name} ({row[TRAIN]} and {row[TEST]})")
    if few:
        note(
            f"{len(few)} classes left out, with fewer than {least[0]} training or {least[1]} test samples: {', '.join(few)}"
        )
    return enough


def _note_samples(pack, train, test, tasks):
    """A note on samples of the tasks' classes that no task uses."""
    assigned = {name for task in tasks for name in task["classes"]}
    rows = [row for name, row in zip(pack.classes, pack.counts()) if name in assigned]
    for side, first, what, option in ((TRAIN, train, "training", "--train"), (TEST, test, "test", "--test")):
        has = int(sum(row[side] for row in rows))
        if first and first * len(rows) < has:
            note(f"{first * len(rows)} of {has} {what} samples are used: the first {first} of each class; {option} 0 takes all")


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
            f"{found}. Take fewer classes per task or fewer samples, or make a larger pack"
        )
    if made < tasks:
        note(f"{found}; the protocol has {made}")
    order = class_order(enough, seed)
    left = order[made * classes_per_task :]
    if left:
        note(f"{len(left)} classes are in none of the {made} tasks of {classes_per_task}: {', '.join(left)}")
    assigned = [
        {
            "name": f"task {task + 1}",
            "classes": order[task * classes_per_task : (task + 1) * classes_per_task],
        }
        for task in range(made)
    ]
    _note_samples(pack, train, test, assigned)
    return _protocol(digest, name, f"sha256 of class name and seed {seed}", train, test, assigned)


def make_domain_protocol(pack, digest, name, train, test, seed):
    """As make_protocol, of a pack whose classes are named DOMAIN/LABEL: a task for each domain.

    All have the labels that every domain has enough samples of. Raises InputError when those are fewer than two.
    """
    labels = {}  # by domain
    enough = _with_enough(pack, train, test)
    for text in enough:
        domain, label = _parts(text)
        if domain:
            labels.setdefault(domain, set()).add(label)
    common = class_order(set.intersection(*labels.values()), seed) if labels else []
    note_odd_names(sorted(set().union(*labels.values())))
    if len(common) < 2:
        each = "".join(f"; {domain} has {len(found)}" for domain, found in sorted(labels.items()))
        raise InputError(
            f"{len(common)} labels have {max(train, 1)} training and {max(test, 1)} test samples in every one of "
            f"{len(labels)} domains; expected classes named DOMAIN/LABEL, and at least two labels that all domains "
            f"have. Take fewer samples, or name the classes so (images --leaf-folders does){each}"
        )
    tasks = [
        {"name": domain, "classes": [f"{domain}/{label}" for label in common], "labels": common}
        for domain in class_order(labels, seed)
    ]
    assigned = {name for task in tasks for name in task["classes"]}
    left = [name for name in enough if name not in assigned]
    if left:
        note(f"{len(left)} classes left out, not named DOMAIN/LABEL or not in every domain: {', '.join(left)}")
    gone = {_parts(name)[0] for name in pack.classes} - labels.keys() - {""}
    if gone:
        note(f"{len(gone)} domains left out, without a class of enough samples: {', '.join(sorted(gone))}")
    _note_samples(pack, train, test, tasks)
    return _protocol(digest, name, f"sha256 of domain or label and seed {seed}", train, test, tasks)


def _parts(name):
    """(domain, label) of DOMAIN/LABEL; two empty texts of another name."""
    domain, _, label = name.partition("/")
    return (domain, label) if domain and label else ("", "")


def write_protocol(path, protocol):
    with atomic(path) as temporary:
        temporary.write_text(
            json.dumps(protocol, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
