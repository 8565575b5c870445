"""Debian's package index as a stream of short texts: one-line descriptions, with the section as class.

Packages without a section or a description, and repeated ones, are counted in a note; sections left out are named.
"""

import collections
import dataclasses
import hashlib
import pathlib
import subprocess
import typing

from ..counted import counted, form
from . import InputError
from .notes import note
from .pack_file import TEST, TRAIN, PackIndex
from .pack_hash import sha256
from .texts.make import Request, pack_in_order
from .texts.rows import Row

LEFT_OUT = {"debug", "metapackages", "oldlibs", "tasks"}  # their descriptions say nothing about the section


@dataclasses.dataclass(frozen=True)
class Package:
    name: str
    source: str
    section: str
    text: str
    md5: str = ""  # of the whole description, which translations name


def read_index(path: str | None = None) -> bytes:
    """The bytes of a package index: of a file, or of `apt-cache dumpavail`."""
    if path:
        try:
            index = pathlib.Path(path).read_bytes()
        except OSError as error:
            raise InputError(f"{path}: expected a package index, but the file cannot be read: {error.strerror}") from None
        if index and b"Package:" not in index:
            raise InputError(f"{path}: expected an uncompressed Packages file with Package: lines, found a file that begins with {index[:16]!r}")
        return index
    try:
        return subprocess.run(["apt-cache", "dumpavail"], check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(f"apt-cache dumpavail failed: {error}. On a system without apt, give a mirror's uncompressed Packages file with --index") from None


def fields_of(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in stanza.split("\n"):
        name, colon, value = line.partition(":")
        if colon and not name[:1].isspace():
            fields.setdefault(name, value.strip())
    return fields


def usable_packages(index: bytes) -> list[Package]:
    """Packages with their own description, by name; of equal names and of equal texts the first stays."""
    lacking, repeated = 0, 0
    by_name: dict[str, Package] = {}
    empty: collections.Counter[str] = collections.Counter()  # by section of LEFT_OUT
    for stanza in index.decode("utf-8", "replace").split("\n\n"):
        fields = fields_of(stanza)
        name, text = fields.get("Package"), fields.get("Description") or fields.get("Description-en")
        section = fields.get("Section", "").rpartition("/")[2]
        if not (name and text and section):
            lacking += bool(stanza.strip())
        elif section in LEFT_OUT:
            empty[section] += 1
        else:
            source = (fields.get("Source") or name).split()[0]  # "Source: name (version)"
            repeated += name in by_name
            by_name.setdefault(name, Package(name, source, section, text, fields.get("Description-md5", "")))
    by_text: dict[str, Package] = {}
    for name in sorted(by_name):
        by_text.setdefault(by_name[name].text, by_name[name])
    repeated += len(by_name) - len(by_text)
    if lacking or repeated:
        note(f"{counted(lacking, 'package')} left out without a name, section or description, and {repeated} repeated {form(repeated, 'one', 'ones')}")
    if empty:
        note(f"sections left out, because their descriptions say nothing about the section: {_named(empty)}")
    return list(by_text.values())


def _named(counts: typing.Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))


def split_sources(sections: dict[str, list[Package]], train: int, test: int) -> set[str]:
    """The sources whose packages are test samples, so that no source is on both sides, not even across sections.

    In every section, from the smallest on, sources go to the test side in the order of their SHA-256 until it has a
    quarter of the section: at least `test` texts, if need be fewer than a quarter so that `train` remain.
    """
    side: dict[str, int] = {}
    for section in sorted(sections, key=lambda name: (len(sections[name]), name)):
        packages = sections[section]
        sizes = collections.Counter(package.source for package in packages)
        room = len(packages) - train
        wanted = max(test, min(len(packages) // 4, room))
        taken = sum(size for source, size in sizes.items() if side.get(source) == TEST)
        for source in sorted(sizes, key=sha256):
            if source not in side:
                fits = taken < wanted and taken + sizes[source] <= max(wanted, room)
                side[source] = TEST if fits else TRAIN
                taken += sizes[source] if fits else 0
    return {source for source, where in side.items() if where == TEST}


def choose(packages: list[Package], sections: int, train: int, test: int) -> dict[str, tuple[list[Package], list[Package]]]:
    """{section: ([training packages], [test packages])} of the largest sections that have enough of both."""
    by_section: dict[str, list[Package]] = collections.defaultdict(list)
    for package in packages:
        by_section[package.section].append(package)
    enough = {name: found for name, found in by_section.items() if len(found) >= train + test}
    test_sources = split_sources(enough, train, test)
    chosen: dict[str, tuple[list[Package], list[Package]]] = {}
    beyond: dict[str, int] = {}
    few = {name: len(found) for name, found in by_section.items() if name not in enough}
    for name in sorted(enough, key=lambda name: (-len(enough[name]), name)):
        ordered = sorted(enough[name], key=lambda package: sha256(package.name))
        sides = (
            [package for package in ordered if package.source not in test_sources][:train],
            [package for package in ordered if package.source in test_sources][:test],
        )
        if len(sides[TRAIN]) < train or len(sides[TEST]) < test:
            few[name] = len(enough[name])
        elif len(chosen) < sections:
            chosen[name] = sides
        else:
            beyond[name] = len(enough[name])
    if few:
        note(f"sections left out, with too few descriptions for {counted(train, 'training text')} and {counted(test, 'test text')}: {_named(few)}")
    if beyond:
        note(f"sections left out, beyond the {sections} largest: {_named(beyond)}")
    if chosen:
        found = sum(len(enough[name]) for name in chosen)
        note(f"{len(chosen) * (train + test)} of the {found} descriptions of {len(chosen)} sections are used")
    return chosen


def make_pack(request: Request, index: bytes, sections: int, train: int, test: int) -> tuple[PackIndex, str]:
    """Writes the pack of an index: (PackIndex, content_sha256). Raises InputError when not even two sections have enough texts."""
    packages = usable_packages(index)
    chosen = choose(packages, sections, train, test)
    each = f"{counted(train, 'training text')} and {counted(test, 'test text')} each"
    found = f"{counted(len(chosen), 'section')} with {each}, among {counted(len(packages), 'description')}"
    if len(chosen) < 2:
        raise InputError(f"expected a package index with at least 2 sections, found {found}. Fill the index with apt-get update, or lower --train and --test")
    if len(chosen) < sections:
        note(f"wanted {sections} sections, found {found}; the pack has {len(chosen)}")
    classes = sorted(chosen)
    rows = [
        Row("package", package.name, package.text, name, side, package.source) for name in classes for side in (TRAIN, TEST) for package in chosen[name][side]
    ]
    source: dict[str, object] = {
        "what": "one-line descriptions of Debian packages, by section",
        "index_sha256": hashlib.sha256(index).hexdigest(),
        "descriptions": len(packages),
        "sections": sections,
        "train": train,
        "test": test,
    }
    return pack_in_order(request, classes, rows, source)
