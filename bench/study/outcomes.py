"""Which test samples a model is right about, by classifier: read from palimpsest predict, checked against the counts of the run."""

import collections
import csv

import numpy as np

from .children import Failed

OWN, OTHER = "correct", "class by "
# Samples that palimpsest predict may see otherwise than the run: it batches them differently, which changes the last bit of features
# and so, rarely, which of two equal scores is the greater.
ROUNDED = 2


def read(path, classes, test, names):
    """(pack indices, {classifier: whether each is right}) of the protocol's test samples: the first `test` of each class, 0 for all."""
    taken, samples, labels = collections.Counter(), [], []
    right = {name: [] for name in names}
    with open(path, newline="") as file:
        rows = csv.DictReader(file)
        others = [column for column in rows.fieldnames if column.startswith(OTHER)]
        if len(others) != len(names) - 1:
            raise Failed(f"{path}: expected the classes by {len(names) - 1} more classifiers, found {others}")
        for row in rows:
            label = row["label"]
            if label not in classes or (test and taken[label] == test):
                continue
            taken[label] += 1
            samples.append(int(row["sample"]))
            labels.append(label)
            right[names[0]].append(row[OWN] == "1")
            for name, column in zip(names[1:], others):
                right[name].append(row[column] == label)
    return np.array(samples), np.array(labels), {name: np.array(bits, bool) for name, bits in right.items()}


def check(name, labels, bits, classes, row, where):
    """Compares outcomes with a run's counts by class. Returns how many differ, which rounding explains up to ROUNDED."""
    expected = dict(zip(classes, zip(row["class_samples"], row["class_correct"])))
    found = {label: (int((labels == label).sum()), int(bits[labels == label].sum())) for label in classes}
    if any(found[label][0] != expected[label][0] for label in classes):
        raise Failed(f"{where}: expected the test samples of each class that the run had, {expected}, found {found}")
    differing = sum(abs(found[label][1] - expected[label][1]) for label in classes)
    if differing > ROUNDED:
        raise Failed(f"{where}: expected the run's counts of right test samples by {name}, {expected}, found {found} by palimpsest predict")
    return differing


def ranges_text(numbers):
    """'3-5,9' for 3, 4, 5, 9, which are in order."""
    starts = [i for i in range(len(numbers)) if i == 0 or numbers[i] != numbers[i - 1] + 1]
    pieces = [(numbers[i], numbers[j - 1]) for i, j in zip(starts, [*starts[1:], len(numbers)])]
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in pieces)


def numbers_in(text):
    pieces = [piece.split("-") for piece in text.split(",") if piece]
    return np.array([number for piece in pieces for number in range(int(piece[0]), int(piece[-1]) + 1)], int)


def hex_text(bits):
    return np.packbits(bits).tobytes().hex()


def bits_in(text, count):
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), "u1"))[:count].astype(bool)
