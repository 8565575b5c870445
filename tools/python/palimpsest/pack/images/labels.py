"""From the labels that a source gives to classes and indices.

Labels that can't be classes are refused by name or with their place. What is taken otherwise than written (blanks at the
ends, leading zeros), and labels that read like a missing one, are counted in notes.
"""

import collections
import re

from ...counted import counted, form
from .. import InputError
from ..names import check_names, note_odd_names, with_bytes
from ..notes import note
from .listing import Sample

MISSING = {"", "?", "-", "nan", "na", "n/a", "#n/a", "<na>", "none", "null", "nil", "undefined"}


def number_classes(samples: list[Sample], names: list[str] | None) -> tuple[list[str], list[Sample]]:
    """(classes, samples whose labels are indices into them).

    With `names`, a label is one of them or an index. Without, whole numbers are classes in numeric order, and other
    labels classes in alphabetical order.
    """
    given = names is not None
    if names is None:
        names = _classes_of(samples)
    check_names(names)
    note_odd_names(names)
    index = {name: number for number, name in enumerate(names)}
    return names, [sample._replace(label=_index(sample, index, given)) for sample in samples]


def _classes_of(samples: list[Sample]) -> list[str]:
    """The classes of labels without given names."""
    _refuse_negative(samples)
    counts = collections.Counter(sample.label for sample in samples)
    plain = {label: _plain(label) for label in counts}
    changed = [label for label in counts if str(label) != plain[label]]
    if changed:
        example = f"{with_bytes(str(changed[0]))} as {plain[changed[0]]!r}"
        are = form(len(changed), "is", "are")
        note(f"{counted(len(changed), 'label')} {are} used without blanks at the ends and without leading zeros, such as {example}")
    labels = set(plain.values())
    check_decimals(labels)
    for label, count in counts.items():
        if plain[label].casefold() in MISSING:
            note(f"the label {label!r} of {counted(count, 'image')} looks like a missing value; it is used as a class name")
    numeric = all(label.isdecimal() for label in labels)
    return sorted(labels, key=int if numeric else None)


def _plain(label: str | int) -> str:
    """The label as text; a whole number in its shortest form."""
    text = str(label).strip()
    return str(int(text)) if re.fullmatch(r"-?[0-9]{1,18}", text) else text


def _refuse_negative(samples: list[Sample]) -> None:
    for sample in samples:
        if re.fullmatch(r"-[0-9]+", str(sample.label).strip()):
            raise InputError(f"{sample.place}: expected a label of 0 or more, or a name, found {sample.label!r}. Leave samples without a label out")


def check_decimals(labels: set[str]) -> None:
    """Refuses 1 beside 1.0, and notes numbers with a point: so some programs write whole numbers where some are missing."""
    decimals = sorted(label for label in labels if re.fullmatch(r"[+-]?[0-9]{1,18}\.[0-9]*", label))
    for label in decimals:
        whole = str(int(label.partition(".")[0]))
        if whole in labels and not label.partition(".")[2].strip("0"):
            raise InputError(f"labels {whole!r} and {label!r}: expected one way of writing a number, found two. Write {whole} everywhere")
    if decimals:
        are = form(len(decimals), "is a number", "are numbers")
        note(f"{counted(len(decimals), 'label')} {are} with a decimal point, such as {decimals[0]!r}; each is used as a class name")


def _index(sample: Sample, index: dict[str, int], given: bool) -> int:
    if given and isinstance(sample.label, int) and 0 <= sample.label < len(index):
        return sample.label  # a number counts, whatever the given names are
    if isinstance(sample.label, str) and sample.label in index:
        return index[sample.label]
    text = _plain(sample.label)
    if text in index:
        return index[text]
    if text.isdecimal() and int(text) < len(index):
        return int(text)
    raise InputError(f"{sample.place}: expected a label from 0 to {len(index) - 1} or one of the {len(index)} class names, found {sample.label!r}")
