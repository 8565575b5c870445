"""From the labels that a source gives to classes and indices."""

import re

from .. import InputError
from .listing import shown


def number_classes(samples, names):
    """(classes, samples whose labels are indices into them).

    With `names`, a label is one of them or an index. Without, whole numbers are classes in numeric order, and other
    labels classes in alphabetical order.
    """
    given = names is not None
    if given and len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"expected every class name once, found {twice!r} twice")
    if not given:
        _refuse_negative(samples)
        labels = {_plain(sample.label) for sample in samples}
        numeric = all(label.isdecimal() for label in labels)
        names = sorted(labels, key=int if numeric else None)
    index = {name: number for number, name in enumerate(names)}
    for name in names:
        try:
            name.encode()
        except UnicodeError:
            raise InputError(
                f"class {shown(name)}: expected a name in UTF-8, found other bytes. Rename it"
            ) from None
    return names, [sample._replace(label=_index(sample, index, given)) for sample in samples]


def _plain(label):
    """The label as text; a whole number in its shortest form."""
    text = str(label).strip()
    return str(int(text)) if re.fullmatch(r"-?[0-9]{1,18}", text) else text


def _refuse_negative(samples):
    for sample in samples:
        if re.fullmatch(r"-[0-9]+", str(sample.label).strip()):
            raise InputError(
                f"{sample.place}: expected a label of 0 or more, or a name, found {sample.label!r}. "
                "Leave samples without a label out"
            )


def _index(sample, index, given):
    if given and sample.label in range(len(index)):
        return sample.label  # a number counts, whatever the given names are
    if isinstance(sample.label, str) and sample.label in index:
        return index[sample.label]
    text = _plain(sample.label)
    if text in index:
        return index[text]
    if text.isdecimal() and int(text) < len(index):
        return int(text)
    raise InputError(
        f"{sample.place}: expected a label from 0 to {len(index) - 1} or one of the {len(index)} class names, "
        f"found {sample.label!r}"
    )
