"""Debian's package index as a stream of short texts: one-line descriptions, with the section as class."""

import collections
import dataclasses
import hashlib
import json
import pathlib
import subprocess
import sys

import numpy as np
from tokenizers import Tokenizer

from . import InputError
from .pack_file import TEST, TRAIN, Pack

LEFT_OUT = {
    "debug",
    "metapackages",
    "oldlibs",
    "tasks",
}  # their descriptions say nothing about the section
MOST_TOKENS = 128


@dataclasses.dataclass(frozen=True)
class Package:
    name: str
    source: str
    section: str
    text: str


def _sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def read_index(path=None):
    """The bytes of a package index: of a file, or of `apt-cache dumpavail`."""
    if path:
        try:
            return pathlib.Path(path).read_bytes()
        except OSError as error:
            raise InputError(f"{path}: expected a package index, found {error.strerror}") from None
    try:
        return subprocess.run(["apt-cache", "dumpavail"], check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(
            f"apt-cache dumpavail failed ({error}): on a system without apt, give a mirror's unpacked "
            "Packages file with --index"
        ) from None


def _fields(stanza):
    fields = {}
    for line in stanza.split("\n"):
        name, colon, value = line.partition(":")
        if colon and not name[:1].isspace():
            fields.setdefault(name, value.strip())
    return fields


def usable_packages(index):
    """Packages with a description of their own, by name; of equal names and of equal texts the first stays."""
    by_name = {}
    for stanza in index.decode("utf-8", "replace").split("\n\n"):
        fields = _fields(stanza)
        name, text = fields.get("Package"), fields.get("Description") or fields.get(
            "Description-en"
        )
        section = fields.get("Section", "").rpartition("/")[2]
        if name and text and section and section not in LEFT_OUT:
            source = (fields.get("Source") or name).split()[0]  # "Source: name (version)"
            by_name.setdefault(name, Package(name, source, section, text))
    by_text = {}
    for name in sorted(by_name):
        by_text.setdefault(by_name[name].text, by_name[name])
    return list(by_text.values())


def deal_sources(sections, train, test):
    """The sources whose packages are test samples, so that no source stands on both sides, not even across sections.

    In every section, from the smallest on, sources go to the test side in the order of their SHA-256 until it has a
    quarter of the section: at least `test` texts, if need be fewer than a quarter so that `train` remain.
    """
    side = {}
    for section in sorted(sections, key=lambda name: (len(sections[name]), name)):
        packages = sections[section]
        sizes = collections.Counter(package.source for package in packages)
        room = len(packages) - train
        wanted = max(test, min(len(packages) // 4, room))
        taken = sum(size for source, size in sizes.items() if side.get(source) == TEST)
        for source in sorted(sizes, key=_sha256):
            if source not in side:
                fits = taken < wanted and taken + sizes[source] <= max(wanted, room)
                side[source] = TEST if fits else TRAIN
                taken += sizes[source] if fits else 0
    return {source for source, where in side.items() if where == TEST}


def choose(packages, sections, train, test):
    """{section: ([training packages], [test packages])} of the largest sections that have enough of both."""
    by_section = collections.defaultdict(list)
    for package in packages:
        by_section[package.section].append(package)
    enough = {name: found for name, found in by_section.items() if len(found) >= train + test}
    test_sources = deal_sources(enough, train, test)
    chosen = {}
    for name in sorted(enough, key=lambda name: (-len(enough[name]), name)):
        ordered = sorted(enough[name], key=lambda package: _sha256(package.name))
        sides = (
            [package for package in ordered if package.source not in test_sources][:train],
            [package for package in ordered if package.source in test_sources][:test],
        )
        if len(chosen) < sections and len(sides[TRAIN]) == train and len(sides[TEST]) == test:
            chosen[name] = sides
    return chosen


def load_tokenizer(path):
    """The tokenizer of FOLDER/tokenizer.json or of the file itself, without padding, cut at MOST_TOKENS tokens."""
    path = pathlib.Path(path)
    path = path / "tokenizer.json" if path.is_dir() else path
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # tokenizers raises plain Exception
        raise InputError(
            f"{path}: expected a tokenizer.json (palimpsest-pack backbone minilm writes one): {error}"
        ) from None
    tokenizer.no_padding()
    tokenizer.enable_truncation(MOST_TOKENS)
    return tokenizer


def make_pack(index, tokenizer, sections, train, test):
    """The pack of an index. Raises InputError when not even two sections have enough texts."""
    packages = usable_packages(index)
    chosen = choose(packages, sections, train, test)
    found = f"{len(chosen)} sections with {train} training and {test} test texts each, among {len(packages)} descriptions"
    if len(chosen) < 2:
        raise InputError(
            f"expected a package index with at least 2 sections, found {found}. apt-get update fills the "
            "index; --train and --test ask for fewer texts"
        )
    if len(chosen) < sections:
        print(
            f"palimpsest-pack: note: wanted {sections} sections, found {found}; the pack has {len(chosen)}",
            file=sys.stderr,
        )
    classes = sorted(chosen)
    rows = [
        (label, split, package)
        for label, name in enumerate(classes)
        for split in (TRAIN, TEST)
        for package in chosen[name][split]
    ]
    source = {
        "what": "one-line descriptions of Debian packages, by section",
        "index_sha256": hashlib.sha256(index).hexdigest(),
        "descriptions": len(packages),
        "sections": sections,
        "train": train,
        "test": test,
        "most_tokens": MOST_TOKENS,
        "tokenizer_sha256": _sha256(tokenizer.to_str()),
    }
    return Pack(
        vocabulary=tokenizer.get_vocab_size(),
        classes=classes,
        tokens=[
            np.array(coded.ids, dtype="<i4")
            for coded in tokenizer.encode_batch([package.text for _, _, package in rows])
        ],
        labels=np.array([label for label, _, _ in rows], dtype="<i4"),
        split=np.array([split for _, split, _ in rows], dtype="u1"),
        source=json.dumps(source),
    )
