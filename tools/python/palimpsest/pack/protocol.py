"""Protocols: which classes make which task, in an order that a seed and the class names decide, or a file, or numpy's generator.

Classes that get no task are named in notes with the reason, and samples that are not used are counted.
"""

import difflib
import hashlib
import itertools
import json
import pathlib
import typing

import numpy as np

from ..counted import counted, form
from ..files import atomic
from . import FORMAT_VERSION, InputError, UsageError
from .names import note_odd_names, with_bytes
from .notes import note
from .pack_file import TEST, TRAIN, PackIndex

MOST_NAMED = 10  # classes that a file of the order lacks


def class_order(classes: typing.Iterable[str], seed: int) -> list[str]:
    """The classes in the order of the SHA-256 of "<class>\\0<seed>"."""
    return sorted(classes, key=lambda name: hashlib.sha256(f"{name}\0{seed}".encode()).digest())


def with_enough(pack: PackIndex, train: int, test: int) -> list[str]:
    """The classes that have the samples (0: at least one)."""
    rows = zip(pack.classes, pack.counts(), strict=True)
    return [name for name, row in rows if row[TRAIN] >= max(train, 1) and row[TEST] >= max(test, 1)]


def _note_few(pack: PackIndex, enough: list[str], train: int, test: int) -> None:
    """Names the classes that don't have enough samples."""
    known = set(enough)
    few = [f"{name} ({row[TRAIN]} and {row[TEST]})" for name, row in zip(pack.classes, pack.counts(), strict=True) if name not in known]
    least = max(train, 1), max(test, 1)
    if few:
        lack = (
            f"with fewer than {counted(least[0], 'training sample')} or {counted(least[1], 'test sample')}"
            if train or test
            else "without samples on both sides"
        )
        note(f"{counted(len(few), 'class')} left out, {lack}: {', '.join(few)}")


def _note_samples(pack: PackIndex, train: int, test: int, tasks: list[dict[str, typing.Any]]) -> None:
    """A note on samples of the tasks' classes that no task uses."""
    assigned = {name for task in tasks for name in task["classes"]}
    rows = [row for name, row in zip(pack.classes, pack.counts(), strict=True) if name in assigned]
    for side, first, what, option in ((TRAIN, train, "training", "--train"), (TEST, test, "test", "--test")):
        has = int(sum(row[side] for row in rows))
        if first and first * len(rows) < has:
            note(f"{first * len(rows)} of {has} {what} samples are used: the first {first} of each class; {option} 0 takes all")


def _protocol(digest: str, name: str, order: str, train: int, test: int, tasks: list[dict[str, typing.Any]]) -> dict[str, typing.Any]:
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


def make_protocol(pack: PackIndex, digest: str, name: str, sizes: list[int], train: int, test: int, order: tuple[str, list[str]]) -> dict[str, typing.Any]:
    """The protocol as a dictionary; with too few classes, of fewer tasks. Raises InputError when there is no task.

    `sizes`: classes of each task. `train` and `test`: samples used of each class; 0: all that it has, at least one.
    `order`: how the classes are ordered, and all of the pack's in this order.
    """
    enough = with_enough(pack, train, test)
    _note_few(pack, enough, train, test)
    ends = list(itertools.accumulate(sizes))
    made = sum(end <= len(enough) for end in ends)
    found = (
        f"{len(enough)} of the pack's {counted(len(pack.classes), 'class')} {form(len(enough), 'has', 'have')} {_needed(train, test)}: "
        f"enough for {made} of {counted(len(sizes), 'task')} of {_listed(sizes)} {form(max(sizes), 'class', 'classes')}"
    )
    if made == 0:
        smaller = "Use fewer classes per task (--classes-per-task, --base), or make" if sizes[0] > 2 else "A task needs at least two classes: make"
        raise InputError(f"{found}. {smaller} a larger pack{_fewer(train, test)}")
    if made < len(sizes):
        note(f"{found}; the protocol has {made}")
    ordered = [each for each in order[1] if each in enough]
    left = ordered[ends[made - 1] :]
    if left:
        tasks = "not in the task" if made == 1 else f"in none of the {made} tasks"
        note(f"{counted(len(left), 'class')} {form(len(left), 'is', 'are')} {tasks} of {_listed(sizes[:made])}: {', '.join(left)}")
    assigned = [{"name": f"task {task + 1}", "classes": ordered[end - size : end]} for task, (size, end) in enumerate(zip(sizes[:made], ends, strict=False))]
    _note_samples(pack, train, test, assigned)
    return _protocol(digest, name, order[0], train, test, assigned)


def _needed(train: int, test: int) -> str:
    """What a class has that a task takes."""
    if not (train or test):
        return "samples on both sides"
    return f"{counted(max(train, 1), 'training sample')} and {counted(max(test, 1), 'test sample')}"


def _fewer(train: int, test: int) -> str:
    """The advice to take fewer samples of a class, unless all are taken already."""
    return ", or use fewer samples (--train 0 --test 0 takes all that a class has)" if train or test else ""


def _listed(sizes: list[int]) -> str:
    """The sizes of the tasks: one number where all are equal."""
    if len(set(sizes)) == 1:
        return str(sizes[0])
    return ", ".join(map(str, sizes)) if len(sizes) <= 4 else f"{sizes[0]}, {sizes[1]}, ... {sizes[-1]}"


def with_base(classes: int, base: int, increment: int, tasks: int | None) -> list[int]:
    """Classes of each task: `base` in the first and `increment` in each of the others; without `tasks` as many as the classes are enough for."""
    others = max(0, classes - base) // increment if tasks is None else tasks - 1
    return [base] + others * [increment]


def read_order(path: str, classes: list[str]) -> list[str]:
    """The classes of a pack in the order of a file with one a line. Raises InputError for lines and classes without a counterpart."""
    try:
        lines = pathlib.Path(path).read_text("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(f"{path}: expected a file with one class name per line, found nothing there. Correct the path, or give numpy:SEED") from None
    except (OSError, UnicodeError) as error:
        raise InputError(f"{path}: expected a UTF-8 file with one class name per line, but it cannot be read: {error}") from None
    lines = [line for line in lines if line.strip()]
    first: dict[str, int] = {}
    known = set(classes)
    for number, line in enumerate(lines, 1):
        if line not in known:
            near = difflib.get_close_matches(line, classes, 1, 0.5)
            raise InputError(f"{path}, class {number}: the pack has no class {with_bytes(line)}" + (f"; the nearest is {with_bytes(near[0])}" if near else ""))
        if first.setdefault(line, number) != number:
            raise InputError(f"{path}, class {number}: {with_bytes(line)} is already there as class {first[line]}. Name every class once")
    missing = [name for name in classes if name not in first]
    if missing:
        listed = ", ".join(map(with_bytes, missing[:MOST_NAMED])) + (f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else "")
        raise InputError(
            f"{path}: expected all {counted(len(classes), 'class')} of the pack, found {len(first)}. Add {listed}; --tasks leaves the last ones out"
        )
    return lines


def numpy_order(classes: list[str], seed: int) -> list[str]:
    """The classes, in the order of the pack, as numpy's Generator(PCG64(seed)).shuffle leaves them."""
    numbers = np.arange(len(classes))
    np.random.Generator(np.random.PCG64(seed)).shuffle(numbers)
    return [classes[number] for number in numbers]


def seed_of_numpy(order: str) -> str | None:
    """SEED of numpy:SEED; None of a file."""
    if not order.startswith("numpy:"):
        return None
    text = order.removeprefix("numpy:")
    if not text.isdecimal():
        raise UsageError(f"--order: expected numpy:SEED with a whole number, such as numpy:0, found {order!r}")
    return text


def choose_order(order: str | None, classes: list[str], seed: int) -> tuple[str, list[str]]:
    """(how it is drawn, the classes): by hashes with `seed`, or as --order says, numpy:SEED or a file."""
    if order is None:
        return f"sha256 of class name and seed {seed}", class_order(classes, seed)
    drawn_with = seed_of_numpy(order)
    if drawn_with is None:
        return f"the lines of {pathlib.Path(order).name}", read_order(order, classes)
    drawn = f"numpy's Generator(PCG64({drawn_with})).shuffle of the pack's classes, drawn by numpy {np.__version__}"
    return drawn, numpy_order(classes, int(drawn_with))


def make_domain_protocol(pack: PackIndex, digest: str, name: str, train: int, test: int, seed: int) -> dict[str, typing.Any]:
    """As make_protocol, of a pack whose classes are named DOMAIN/LABEL: a task for each domain.

    All have the labels that every domain has enough samples of. Raises InputError when those are fewer than two.
    """
    labels: dict[str, set[str]] = {}  # by domain
    enough = with_enough(pack, train, test)
    _note_few(pack, enough, train, test)
    for text in enough:
        domain, label = _parts(text)
        if domain:
            labels.setdefault(domain, set()).add(label)
    common = class_order(set.intersection(*labels.values()), seed) if labels else []
    note_odd_names(sorted(set(itertools.chain.from_iterable(labels.values()))))
    if len(common) < 2:
        each = "".join(f"; {domain} has {len(found)}" for domain, found in sorted(labels.items()))
        raise InputError(
            f"expected classes named DOMAIN/LABEL, and at least two labels with {_needed(train, test)} in every domain, found "
            f"{counted(len(common), 'label')} for {counted(len(labels), 'domain')}{each}. "
            f"Use classes named so (images --leaf-folders names them){_fewer(train, test)}"
        )
    tasks = [{"name": domain, "classes": [f"{domain}/{label}" for label in common], "labels": common} for domain in class_order(labels, seed)]
    assigned = {name for task in tasks for name in task["classes"]}
    left = [name for name in enough if name not in assigned]
    if left:
        note(f"{counted(len(left), 'class')} left out, not named DOMAIN/LABEL or not in every domain: {', '.join(left)}")
    gone = {_parts(name)[0] for name in pack.classes} - labels.keys() - {""}
    if gone:
        note(f"{counted(len(gone), 'domain')} left out, because none of its classes has enough samples: {', '.join(sorted(gone))}")
    _note_samples(pack, train, test, tasks)
    return _protocol(digest, name, f"sha256 of domain or label and seed {seed}", train, test, tasks)


def _parts(name: str) -> tuple[str, str]:
    """(domain, label) of DOMAIN/LABEL; two empty texts of another name."""
    domain, _, label = name.partition("/")
    return (domain, label) if domain and label else ("", "")


def score_by(score: str, protocol: dict[str, typing.Any], classes: list[str], has_completions: bool) -> None:
    """Marks the tasks that have one of these classes. score: rouge-l or choice, as the option is called. Raises InputError for a class that no
    task has or whose task has another score already, and for a pack without completions."""
    if classes and not has_completions:
        raise InputError(f"--{score}: expected a pack of prompts with completions (palimpsest pack chat), found one of another kind. Leave it out")
    for name in classes:
        found = [task for task in protocol["tasks"] if name in task["classes"]]
        if not found:
            known = ", ".join(each for task in protocol["tasks"] for each in task["classes"])
            raise InputError(f"--{score}: expected a class of a task ({known}), found {name!r}")
        if found[0].setdefault("score", score) != score:
            raise InputError(f"--{score} {name}: its task is already scored by {found[0]['score']}. Leave one of the two options out")


def write_protocol(path: str | pathlib.Path, protocol: dict[str, typing.Any]) -> None:
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(protocol, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
