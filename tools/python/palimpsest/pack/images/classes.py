"""Which classes a pack gets, and what is wrong with the others. Classes left out are named, each with its images."""

import typing

import numpy as np

from ...counted import counted, form
from .. import InputError
from ..arrays import Ints
from ..notes import note
from ..pack_file import TEST, TRAIN
from .listing import Sample, index_of


def large_enough(classes: list[str], samples: list[Sample], minimum: int, what: str) -> tuple[list[str], list[int], list[Sample]]:
    """(classes, indices of their samples, the same with new labels) without classes of fewer than `minimum` samples.

    An empty class is an error unless `minimum` says that small ones may go. `what` says what was counted.
    """
    labels = [index_of(sample) for sample in samples]
    counts = np.bincount(labels, minlength=len(classes))
    small = [(name, int(count)) for name, count in zip(classes, counts, strict=True) if count < max(1, minimum)]
    if small and minimum < 1:
        raise InputError(
            f"class {small[0][0]!r}: expected {what}, found none. Add some, remove the class, or leave out empty classes with --minimum-per-class 1"
        )
    if small:
        named = ", ".join(f"{name} ({count})" for name, count in small)
        note(f"{counted(len(small), 'class')} left out, with fewer {what} than --minimum-per-class {minimum}: {named}")
    kept = [name for name, count in zip(classes, counts, strict=True) if count >= max(1, minimum)]
    if not kept:
        raise InputError(f"expected classes with at least {minimum} {what}, found {counts.max()} in the largest. Lower --minimum-per-class")
    position = {name: number for number, name in enumerate(kept)}
    label = {number: position[name] for number, name in enumerate(classes) if name in position}
    chosen = [i for i, number in enumerate(labels) if number in label]
    return kept, chosen, [samples[i]._replace(label=label[labels[i]]) for i in chosen]


def expect_training(classes: list[str], labels: typing.Sequence[int] | Ints, split: typing.Sequence[int] | Ints) -> None:
    """Raises InputError for a class whose images are all test images."""
    for name, row in zip(classes, _counts(classes, labels, split), strict=True):
        if row[TRAIN] == 0:
            raise InputError(
                f"class {name!r}: expected training images, found only {counted(row[TEST], 'test image')}. Add training "
                "images, remove the class, or split all images by hash with --split hashed"
            )


def note_without_test(classes: list[str], labels: typing.Sequence[int] | Ints, split: typing.Sequence[int] | Ints) -> None:
    counts = _counts(classes, labels, split)
    without = [name for name, row in zip(classes, counts, strict=True) if row[TEST] == 0]
    if len(without) == len(classes):
        note("there are no test images; --split hashed moves some of the training images to the test")
    elif without:
        note(f"{counted(len(without), 'class')} {form(len(without), 'has', 'have')} no test images: {', '.join(without)}")


def _counts(classes: list[str], labels: typing.Sequence[int] | Ints, split: typing.Sequence[int] | Ints) -> Ints:
    """Images by class and side: [classes, 2]."""
    counts = np.zeros((len(classes), 2), dtype=np.int64)
    np.add.at(counts, (np.asarray(labels), np.asarray(split)), 1)
    return counts
