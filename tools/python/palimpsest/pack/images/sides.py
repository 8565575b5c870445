"""Which side an image is on, and in which order: decided by the SHA-256 of its bytes."""

import collections
import hashlib

import numpy as np

from ..arrays import Ints
from ..pack_file import TEST, TRAIN


def keys_of(digests: list[str], seed: int) -> list[bytes]:
    """Sort keys: the SHA-256 of "<digest>\\0<seed>", so that another seed gives another split and order."""
    return [hashlib.sha256(f"{digest}\0{seed}".encode()).digest() for digest in digests]


def assign_sides(labels: list[int], keys: list[bytes], share: float) -> Ints:
    """TRAIN or TEST of every image, so that equal images are on one side and each class gives its share to the test.

    In every class, from the smallest on, images go to the test side in the order of their keys, copies together, until
    it has the share of the class, rounded, but at least one image where the class has two different ones.
    """
    classes: dict[int, collections.Counter[bytes]] = collections.defaultdict(collections.Counter)  # {label: {key: copies}}
    for label, key in zip(labels, keys, strict=True):
        classes[label][key] += 1
    side: dict[bytes, int] = {}
    for label in sorted(classes, key=lambda label: (classes[label].total(), label)):
        copies = classes[label]
        total = copies.total()
        wanted = min(max(1, round(share * total)), total - 1) if share > 0 and len(copies) > 1 else 0
        taken = sum(count for key, count in copies.items() if side.get(key) == TEST)
        undecided = [key for key in sorted(copies) if key not in side]
        for key in undecided:
            fits = taken + copies[key] <= wanted
            side[key] = TEST if fits else TRAIN
            taken += copies[key] if fits else 0
        if wanted and not taken and undecided:  # groups of copies larger than what was wanted
            side[min(undecided, key=lambda key: (copies[key], key))] = TEST
    return np.array([side[key] for key in keys], dtype="u1")


def order(labels: list[int], split: Ints, keys: list[bytes]) -> list[int]:
    """The positions of images by class, side and key."""
    return sorted(range(len(labels)), key=lambda i: (labels[i], split[i], keys[i]))


def on_both_sides(split: Ints, keys: list[bytes]) -> int:
    """Number of test images that are training images too."""
    training = {key for key, side in zip(keys, split, strict=True) if side == TRAIN}
    return sum(side == TEST and key in training for key, side in zip(keys, split, strict=True))
