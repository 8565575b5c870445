"""Characters as a stream of images: the class is the character, each sample its image in another font.

A font is on one side of the split with all its characters. Fonts and images that are left out are counted in notes.
"""

import hashlib
import json
import pathlib
import typing
import unicodedata

import numpy as np
import PIL
from PIL import features

from ..counted import counted, form
from . import InputError, fonts
from .arrays import Ints
from .fonts import Face
from .notes import note
from .pack_file import TEST, TRAIN, PackIndex, offsets_of, write_samples
from .pack_hash import crc32c, sha256

Drawn: typing.TypeAlias = tuple[fonts.Face, dict[str, Ints]]  # a font, and its images by character
CHARACTERS = fonts.LETTERS + "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" + "\u00c6\u00e6\u00df\u00a3\u00a7\u00a9"
MOST_NAMED = 8  # in a note


def class_name(character: str) -> str:
    """ "capital a", "digit zero", "left parenthesis": Unicode's name without the words that letters have in common."""
    return unicodedata.name(character).lower().replace("latin ", "").replace("letter ", "")


def make_pack(out: str, sources: list[str], side: int, train: int, test: int) -> tuple[PackIndex, str]:
    """Writes the pack and returns (PackIndex, content_sha256)."""
    files = fonts.find_files(sources)
    drawn = _drawings(files, side)
    tests = _test_groups(drawn, train, test)
    chosen = _choose(drawn, tests, train, test)
    if len(chosen) < 2:
        raise InputError(
            f"expected at least 2 characters with {counted(train, 'training font')} and {counted(test, 'test font')} each, found {len(chosen)}. "
            f"{counted(len(files), 'font file')} gave {len(drawn) - len(tests)} training and {counted(len(tests), 'test font')}. Lower --train and --test, "
            f"or give more fonts; this command installs enough: {fonts.INSTALL}"
        )
    rows = [
        (label, split, drawn[group][1][character])
        for label, (character, sides) in enumerate(chosen.items())
        for split in (TRAIN, TEST)
        for group in sides[split]
    ]
    used = sorted({group for sides in chosen.values() for groups in sides for group in groups})
    samples = [np.repeat(image[..., None], 3, axis=2).tobytes() for _, _, image in rows]
    index = PackIndex(
        kind="pixels",
        classes=[class_name(character) for character in chosen],
        offsets=offsets_of(map(len, samples)),
        shape=np.tile(np.array([side, side, 3], "<i8"), (len(rows), 1)),
        crc32c=np.array([crc32c(data) for data in samples], "<u4"),
        labels=np.array([label for label, _, _ in rows], "<i4"),
        split=np.array([split for _, split, _ in rows], "u1"),
        source=_source([drawn[group][0] for group in used], tests, side, train, test),
    )
    return index, write_samples(out, index, samples)


def _drawings(files: list[str], side: int) -> dict[str, Drawn]:
    """{group of families: (Face, images by character)}, one Face for each, of those that have all letters and digits."""
    faces, broken = fonts.read_faces(files)
    drawn, incomplete = {}, []
    for group, candidates in fonts.by_group(faces).items():
        for face in candidates:
            images = fonts.draw(face.file, CHARACTERS, side)
            if images.keys() >= set(fonts.LETTERS):
                drawn[group] = face, images
                break
        else:
            incomplete.append(candidates[0].family)
    if broken:
        note(f"{counted(len(broken), 'file')} left out, not readable as fonts: {_named(broken)}")
    if incomplete:
        note(f"{counted(len(incomplete), 'family')} left out, without all letters and digits or with two drawn the same: {_named(incomplete)}")
    groups = list(drawn)
    like = {groups[one]: groups[other] for one, other in fonts.alike([images for _, images in drawn.values()]).items()}
    if like:
        named = [f"{drawn[one][0].family} as {drawn[other][0].family}" for one, other in like.items()]
        note(f"{counted(len(like), 'family')} left out, which {form(len(like), 'draws', 'draw')} letters and digits like another: {_named(named)}")
    different = len(drawn) - len(like)
    note(
        f"{counted(different, 'font')} from {counted(len(faces), 'file')} {form(different, 'is', 'are')} used: families whose names begin "
        "with the same word count as one font"
    )
    return {group: found for group, found in drawn.items() if group not in like}


def _named(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")


def _test_groups(drawn: dict[str, Drawn], train: int, test: int) -> set[str]:
    """The groups that are test samples: in the order of their SHA-256 the share that `test` has."""
    ordered = sorted(drawn, key=sha256)
    return set(ordered[: round(len(ordered) * test / (train + test))])


def _choose(drawn: dict[str, Drawn], tests: set[str], train: int, test: int) -> dict[str, tuple[list[str], list[str]]]:
    """{character: ([training groups], [test groups])}, of each the first in the order of the groups' SHA-256."""
    ordered = sorted(drawn, key=sha256)
    chosen, few = {}, []
    for character in CHARACTERS:
        have = [group for group in ordered if character in drawn[group][1]]
        sides = [g for g in have if g not in tests][:train], [g for g in have if g in tests][:test]
        if (len(sides[TRAIN]), len(sides[TEST])) == (train, test):
            chosen[character] = sides
        else:
            few.append(f"{class_name(character)} ({len(sides[TRAIN])} and {len(sides[TEST])})")
    if few and chosen:
        note(f"{counted(len(few), 'character')} left out, in fewer than {counted(train, 'training font')} or {counted(test, 'test font')}: {', '.join(few)}")
    return chosen


def _source(faces: list[Face], tests: set[str], side: int, train: int, test: int) -> str:
    """JSON: how the pack was made."""
    digest = hashlib.sha256(b"".join(hashlib.sha256(pathlib.Path(face.file).read_bytes()).digest() for face in faces))
    return json.dumps(
        {
            "what": "characters, each in several fonts",
            "training_families": [face.family for face in faces if face.group not in tests],
            "test_families": [face.family for face in faces if face.group in tests],
            "fonts_sha256": digest.hexdigest(),
            "side": side,
            "train": train,
            "test": test,
            "pillow": PIL.__version__,
            "freetype": features.version("freetype2"),
        }
    )
