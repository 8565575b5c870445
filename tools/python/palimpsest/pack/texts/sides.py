"""Which side of a pack a text is on, and what is on both."""

import hashlib

import numpy as np

from ..arrays import Bools, Ints
from ..pack_file import TEST, TRAIN


def key_of(text: str | tuple[str, str], seed: int) -> int:
    """The first 8 bytes of the SHA-256 of seed and text, so that another seed gives another split and order."""
    parts = (text,) if isinstance(text, str) else text
    return int.from_bytes(hashlib.sha256("\0".join((str(seed), *parts)).encode()).digest()[:8], "big")


def split_by_hash(labels: Ints, groups: Ints, share: float) -> Ints:
    """[texts] TRAIN or TEST, so that a group is on one side and each class gives its share to the test.

    In every class, from the smallest on, groups are test groups in the order of their keys until the class has the share, rounded, but
    at least one text where the class has two groups. A group may have texts of several classes; the first class decides.
    """
    order = np.argsort(labels, kind="stable")
    totals = np.bincount(labels)
    bounds = np.concatenate([[0], np.cumsum(totals)])
    known = np.sort(groups)  # equal ones have the place of the first
    side = np.full(len(known), -1, dtype="i1")
    split = np.empty(len(labels), dtype="u1")
    for label in np.argsort(totals, kind="stable").tolist():
        members = order[bounds[label] : bounds[label + 1]]
        keys, group_of, sizes = np.unique(groups[members], return_inverse=True, return_counts=True)
        places = np.searchsorted(known, keys)
        side[places] = _assigned(side[places], sizes, share)
        split[members] = side[places][group_of]
    return split


def _assigned(side: Ints, sizes: Ints, share: float) -> Ints:
    """The sides of a class's groups, in the order of their keys, where -1 is a group without a side yet."""
    total = int(sizes.sum())
    wanted = min(max(1, round(share * total)), total - 1) if share > 0 and len(side) > 1 else 0
    taken = int(sizes[side == TEST].sum())
    undecided = np.flatnonzero(side < 0)
    is_test = taken + np.cumsum(sizes[undecided]) <= wanted
    if wanted and not taken and len(undecided) and not is_test.any():  # the first group is larger than what is wanted
        is_test[np.argmin(sizes[undecided])] = True
    side[undecided] = np.where(is_test, TEST, TRAIN)
    return side


def trained_and_tested(split: Ints, keys: Ints) -> Bools:
    """[texts] whether it is a training text that is a test text, too."""
    tested = np.sort(keys[split == TEST])
    if not len(tested):
        return np.zeros(len(keys), dtype=bool)
    places = np.minimum(np.searchsorted(tested, keys), len(tested) - 1)
    return np.asarray((split == TRAIN) & (tested[places] == keys), dtype=bool)


def find_repeated(keys: Ints, labels: Ints) -> tuple[Ints, Ints]:
    """(positions of texts that are there before, of those the ones with another label than the first)."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    again = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1
    first = np.searchsorted(ordered, ordered[again])
    other = labels[order[again]] != labels[order[first]]
    return np.sort(order[again]), np.sort(order[again[other]])
