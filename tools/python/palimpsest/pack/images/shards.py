"""Tar shards as WebDataset writes them: members of one stem are one sample, its image and its label.

An archive that is damaged or doesn't end as archives end is refused, as is an image without a label or one of two images
of a stem. Labels without an image and members that are neither are counted in notes.
"""

import json
import os
import tarfile
import typing

from ...counted import counted, form
from .. import InputError
from ..pack_file import TEST
from .archive import linked, normal_name, place, read_members
from .listing import SIDES, SUFFIXES, Listing, Sample, Unpack, endings, notes_on_tests, shown, side_in_name, side_word, side_words

IMAGES = tuple(suffix[1:] for suffix in SUFFIXES)
LABELS = ("cls", "json")


class _LeftOut(typing.NamedTuple):
    """What notes count, as text of where it is."""

    others: list[tuple[str, str]]  # (text, name) of members that are neither image nor label
    labels: list[str]  # labels without an image
    choices: list[str]  # labels in .cls that differ from those in .json
    archives: list[str]  # without images


def read(paths: list[str], unpack: Unpack, hashed: bool = False) -> Listing:
    """The samples of shards; `unpack(path)` gives an uncompressed file. A side is what the name of a shard says.

    `hashed`: the sides are not read.
    """
    samples, left_out = [], _LeftOut([], [], [], [])
    notes = [] if hashed else _check_sides(paths)
    for path in paths:
        found = _shard(path, unpack(path), side_in_name(os.path.basename(path)), left_out)
        samples += found
        left_out.archives.extend([] if found else [shown(path)])
    return Listing(samples, None, [*notes, *_notes(samples, left_out)])


def _check_sides(paths: list[str]) -> list[str]:
    """Raises InputError where names look like sides but say none; a note where there are three sides."""
    words = {path: _side_words(path) for path in paths}
    sided = {path: min(words[path]) for path in paths if len(words[path]) == 1}
    unread = [path for path in sided if side_in_name(os.path.basename(path)) is None]
    if unread and len(set(sided.values())) > 1:
        side, name = sided[unread[0]], shown(os.path.basename(unread[0]))
        raise InputError(
            f"{shown(unread[0])}: expected a side in the file's name, such as {side}-{name}, found a name that only looks like "
            f"{side}. Rename the files so, or use --split hashed to split all images again"
        )
    return notes_on_tests([f"archives named {side}" for side in sorted(set(sided.values())) if SIDES[side] == TEST])


def _side_words(path: str) -> set[str]:
    """What the name of an archive, or else the folder that it is in, seems to say of its side."""
    folder = side_word(os.path.basename(os.path.dirname(os.path.abspath(path))))
    return side_words(os.path.basename(path)) or ({folder} if folder else set())


def _notes(samples: list[Sample], left_out: _LeftOut) -> list[str]:
    def note(paths: list[str], what: str, rest: str, more: str = "") -> list[str]:
        return [f"{counted(len(paths), what)} {rest}, such as {paths[0]}{more}"] if paths else []

    names = [sample for sample in samples if not str(sample.label).isdecimal()]
    others = len(samples) - len(names)
    mixed = f"; {others} {form(others, 'other is a number', 'others are numbers')}. Without --class-names, each number is a class"
    return [
        *note(
            [text for text, _ in left_out.others],
            "member",
            f"of shards left out that {form(len(left_out.others), 'is', 'are')} neither image nor label",
            f": {endings(name for _, name in left_out.others)}",
        ),
        *note(left_out.labels, "label", f"left out that {form(len(left_out.labels), 'has', 'have')} no image in the shard"),
        *note(left_out.choices, "sample", f"{form(len(left_out.choices), 'has', 'have')} one label in .cls and another in .json; .cls counts"),
        *note(left_out.archives, "archive", "without images"),
        *(note([sample.place for sample in names], "label", form(len(names), "is a name", "are names"), mixed) if others and names else []),
    ]


def _shard(path: str, file: str, side: int | None, left_out: _LeftOut) -> list[Sample]:
    members = read_members(path, file)
    by_name = {normal_name(member): member for member in members}
    groups: dict[str, dict[str, tarfile.TarInfo]] = {}  # {stem: {"image", "cls" or "json": member}}
    for member in members:
        stem, kind = _parts(member.name)
        field = "image" if kind in IMAGES else kind
        hidden = os.path.basename(member.name).startswith(".")
        if hidden or field not in ("image", *LABELS) or not (member.isreg() or member.islnk() or member.issym()):
            left_out.others.extend([] if member.isdir() else [(place(path, member), member.name)])
            continue
        other = groups.setdefault(stem, {}).setdefault(field, member)
        if other is not member:
            _refuse_two(path, stem, field, other, member)
    samples = []
    with open(file, "rb") as opened:
        for stem, group in groups.items():
            labels = [group[kind] for kind in LABELS if kind in group]
            if "image" not in group:
                left_out.labels.extend(place(path, member) for member in labels)
                continue
            read = (_label(path, member, opened, linked(path, member, by_name)) for member in labels)
            values = [value for value in read if value is not None]
            if not values:
                _refuse_unlabelled(path, stem, group["image"], members)
            if len({str(value) for value in values}) > 1:
                left_out.choices.append(f"{place(path, group['image'])}, {values[0]!r} and {values[1]!r}")
            image = linked(path, group["image"], by_name)
            samples.append(Sample(place(path, group["image"]), file, values[0], side, image.offset_data, image.size))
    return samples


def _parts(name: str) -> tuple[str, str]:
    """("folder/stem", "jpg"): a name ends at the first dot; of several extensions the last one counts."""
    folder, base = os.path.split(name)
    stem, _, extensions = base.partition(".")
    return os.path.join(folder, stem), extensions.lower().rpartition(".")[2]


def _refuse_two(path: str, stem: str, field: str, one: tarfile.TarInfo, other: tarfile.TarInfo) -> typing.NoReturn:
    if one.name == other.name:
        raise InputError(f"{place(path, other)}: expected one {field} of this stem, found two with the same name. Write the archive again")
    dotted = any(os.path.basename(member.name).count(".") > 1 for member in (one, other))
    remedy = (
        "Leave one out, or rename them without further dots, for example with - instead" if dotted else "Leave one out, or give it a stem and its own label"
    )
    raise InputError(
        f"{place(path, other)}: expected one {field} of this stem, found two. In WebDataset, the stem of a name ends at the first dot, so "
        f"{shown(one.name)} belongs to {shown(stem)}, too. {remedy}"
    )


def _refuse_unlabelled(path: str, stem: str, image: tarfile.TarInfo, members: list[tarfile.TarInfo]) -> typing.NoReturn:
    beside = [shown(member.name) for member in members if _parts(member.name)[0] == stem and member is not image]
    folders = not any(_parts(member.name)[1] in LABELS for member in members)
    raise InputError(
        f'{place(path, image)}: expected a label in {shown(stem)}.cls or as "label" in {shown(stem)}.json, found '
        f"{'none in ' + ', '.join(beside[:4]) if beside else 'none'}"
        + (". If the folders in the archive are the classes, unpack it and give the folder" if folders else "")
    )


def _label(path: str, member: tarfile.TarInfo, opened: typing.BinaryIO, source: tarfile.TarInfo) -> str | int | None:
    """The label in a member: text, or the field "label" of JSON; None where JSON has no such field."""
    opened.seek(source.offset_data)
    try:
        text = opened.read(source.size).decode().strip()
        value = json.loads(text).get("label") if member.name.lower().endswith("json") else text
    except (ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"{place(path, member)}: expected a label, but it cannot be read: {error}") from None
    if value is not None and (value == "" or type(value) not in (int, str) or "\n" in str(value)):
        raise InputError(f"{place(path, member)}: expected a whole number or a name, found {value!r}")
    return value
