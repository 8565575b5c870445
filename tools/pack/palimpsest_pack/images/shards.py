"""Tar shards as WebDataset writes them: members of one stem are one sample, its image and its label."""

import json
import os
import tarfile

from .. import InputError
from .listing import SUFFIXES, Listing, Sample, shown, side_in_name

IMAGES = tuple(suffix[1:] for suffix in SUFFIXES)


def read(paths, unpack):
    """The samples of shards; `unpack(path)` gives an uncompressed file. A side is what the name of a shard says."""
    samples, other = [], 0
    for path in paths:
        found, ignored = _shard(path, unpack(path), side_in_name(os.path.basename(path)))
        samples += found
        other += ignored
    notes = [f"{other} members of shards left out that are neither image nor label"] if other else []
    return Listing(samples, None, notes)


def _shard(path, file, side):
    """(samples, number of members left out)."""
    groups, other = {}, 0
    try:
        with tarfile.open(file, "r:") as tar:
            for member in tar:
                stem, kind = _parts(member.name)
                hidden = os.path.basename(member.name).startswith(".")
                if hidden or not member.isreg() or kind not in (*IMAGES, "cls", "json"):
                    other += member.isreg()
                    continue
                _check_member(path, file, member)
                group = groups.setdefault(stem, {})
                field = "image" if kind in IMAGES else kind
                if field in group:
                    raise InputError(
                        f"{_place(path, member.name)}: expected one {field} of this stem, found two"
                    )
                group[field] = (
                    member if field == "image" else _label(path, member, tar.extractfile(member).read())
                )
    except tarfile.TarError as error:
        raise InputError(
            f"{shown(path)}: expected a tar file, found {error}. Get the file again"
        ) from None
    return [
        _sample(path, file, side, stem, group) for stem, group in groups.items() if "image" in group
    ], other


def _parts(name):
    """("folder/stem", "jpg"): a name ends at the first dot; of several extensions the last one counts."""
    folder, base = os.path.split(name)
    stem, _, extensions = base.partition(".")
    return os.path.join(folder, stem), extensions.lower().rpartition(".")[2]


def _check_member(path, file, member):
    if member.issparse() or member.offset_data + member.size > os.path.getsize(file):
        raise InputError(
            f"{_place(path, member.name)}: expected {member.size} bytes, found the end of the file. Get it again"
        )


def _label(path, member, data):
    """The label in a member: text, or the field "label" of JSON; None where JSON has no such field."""
    place = _place(path, member.name)
    try:
        text = data.decode().strip()
        value = json.loads(text).get("label") if member.name.lower().endswith("json") else text
    except (ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"{place}: expected a label, found {error}") from None
    if value is not None and (value == "" or type(value) not in (int, str)):
        raise InputError(f"{place}: expected a whole number or a name, found {value!r}")
    return value


def _sample(path, file, side, stem, group):
    member = group["image"]
    label = group.get("cls")
    label = group.get("json") if label is None else label
    if label is None:
        raise InputError(
            f"{_place(path, member.name)}: expected a label in {shown(stem)}.cls or as \"label\" in "
            f"{shown(stem)}.json, found none"
        )
    return Sample(
        _place(path, member.name), file, label, side, offset=member.offset_data, size=member.size
    )


def _place(path, name):
    return f"{shown(path)}, {shown(name)}"
