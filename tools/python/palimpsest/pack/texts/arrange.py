"""Which samples of texts a pack has, on which side and in which order, when their source doesn't say all of it."""

import typing

import numpy as np

from ...counted import counted, form
from .. import InputError
from ..arrays import Bools, Ints
from ..images.labels import MISSING, check_decimals
from ..names import note_odd_names, with_bytes
from ..notes import note
from ..pack_file import TEST, TRAIN
from . import sides
from .places import Places
from .spool import Records

MOST_NAMED = 40  # classes in a note


class Texts(typing.NamedTuple):
    """The texts that have tokens: arrays are [texts]. Some 33 bytes a text, of which sorting needs a copy."""

    names: list[str]  # by label
    labels: Ints
    split: Ints | None  # None: by hash
    keys: Ints  # of the text
    groups: Ints | None  # of what is on one side; None: keys
    places: Places | None  # of the rows, as long as messages need them
    records: Records
    begins: Ints  # where its bytes begin in the file of tokens
    numbers: Ints | None = None  # in the order of the source, where something else is stored by them

    def at(self, chosen: Ints | Bools) -> "Texts":
        split = None if self.split is None else self.split[chosen]
        groups = None if self.groups is None else self.groups[chosen]
        places = None if self.places is None else self.places.at(chosen)
        numbers = None if self.numbers is None else self.numbers[chosen]
        return Texts(self.names, self.labels[chosen], split, self.keys[chosen], groups, places, self.records[chosen], self.begins[chosen], numbers)


class Rules(typing.NamedTuple):
    """What decides sides and classes, and how messages call them."""

    test_share: float
    minimum_per_class: int = 0
    least_classes: int = 2
    noun: str = "text"
    remedy: str = "Is --label the right column?"  # where classes aren't as expected


def arrange(rules: Rules, texts: Texts) -> Texts:
    """The texts by class, side and hash, without those that are left out. Raises InputError where too little is left."""
    texts = _chosen(rules, _numbered(rules, texts))
    assert texts.split is not None
    return texts.at(np.lexsort((texts.keys, texts.split, texts.labels)))


def _numbered(rules: Rules, texts: Texts) -> Texts:
    """With the classes in their order: numbers by size, else by name."""
    check_decimals(set(texts.names))
    numeric = all(name.isdecimal() for name in texts.names)
    order = sorted(range(len(texts.names)), key=lambda i: (int(texts.names[i]) if numeric else 0, texts.names[i]))
    number = np.empty(len(order), dtype="i4")
    number[order] = np.arange(len(order), dtype="i4")
    names = [texts.names[i] for i in order]
    counts = np.bincount(number[texts.labels], minlength=len(names))
    for name, count in zip(names, counts, strict=True):
        if name.casefold() in MISSING or (not numeric and name == "-1"):
            note(f"the label {name!r} of {counted(count, rules.noun)} looks like a missing value; it is used as a class name")
    return texts._replace(names=names, labels=number[texts.labels])


def _chosen(rules: Rules, texts: Texts) -> Texts:
    """Texts with sides and classes, without what the minimum per class and texts on both sides leave out."""
    noun = rules.noun
    repeated, contrary = sides.find_repeated(texts.keys, texts.labels)
    if len(repeated):
        assert texts.places is not None
        others = f"; {len(contrary)} of them with another label ({texts.places.named(contrary)})" if len(contrary) else ""
        again = f"{counted(len(repeated), noun)} {form(len(repeated), 'occurs', 'occur')} again ({texts.places.named(repeated)})"
        note(f"{again}{others}; each is a separate sample")
    split = texts.split
    if split is None:
        split = sides.split_by_hash(texts.labels, texts.keys if texts.groups is None else texts.groups, rules.test_share)
    both = sides.trained_and_tested(split, texts.keys)
    texts = texts._replace(split=split, groups=None, places=None)
    if both.any():
        same = form(both.sum(), f"is a test {noun}", f"are test {noun}s")
        note(f"{counted(both.sum(), f'training {noun}')} left out, which {same} as well")
        texts = texts.at(~both)
    counts = _counts(texts)
    small = counts.sum(axis=1) < max(1, rules.minimum_per_class)
    if small.any():
        least = counted(max(1, rules.minimum_per_class), noun)
        note(f"{counted(small.sum(), 'class')} left out, with fewer than {least}: {_named(texts.names, small, counts)}")
        position = np.cumsum(~small) - 1
        texts = texts.at(~small[texts.labels])
        texts = texts._replace(names=[texts.names[i] for i in np.flatnonzero(~small)], labels=position[texts.labels].astype("i4"))
    _check_classes(rules, texts, counts[~small])
    return texts


def _counts(texts: Texts) -> Ints:
    """[classes, 2]: texts by class and side."""
    counts = np.zeros((len(texts.names), 2), dtype="i8")
    assert texts.split is not None
    np.add.at(counts, (texts.labels, texts.split), 1)
    return counts


def _check_classes(rules: Rules, texts: Texts, counts: Ints) -> None:
    noun = rules.noun
    if len(texts.names) < rules.least_classes:
        found = ", ".join(map(with_bytes, texts.names)) or "none"
        low = " Is --minimum-per-class low enough?" if rules.minimum_per_class else ""
        raise InputError(f"expected at least {rules.least_classes} classes, found {len(texts.names)}: {found}. {rules.remedy}{low}")
    one_sided = (counts == 0).any(axis=1)
    if one_sided.all():
        classes = counted(len(texts.names), "class")
        raise InputError(
            f"expected classes with training and test {noun}s, found none among {classes} with {counted(counts.sum(), noun)}: "
            f"{_named(texts.names, one_sided, counts)}. {rules.remedy} A class needs two different {noun}s, and with --split both sides"
        )
    if one_sided.any():
        note(
            f"{counted(one_sided.sum(), 'class')} {form(one_sided.sum(), 'has', 'have')} {noun}s on one side only, training and test {noun}s in brackets; "
            f"a protocol leaves {form(one_sided.sum(), 'it', 'them')} out: "
            f"{_named(texts.names, one_sided, counts)}"
        )
    note_odd_names(texts.names)


def _named(names: list[str], chosen: Bools, counts: Ints) -> str:
    places = np.flatnonzero(chosen)
    listed = ", ".join(f"{names[i]} ({counts[i, TRAIN]} and {counts[i, TEST]})" for i in places[:MOST_NAMED])
    return listed + (f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else "")
