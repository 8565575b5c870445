"""Fonts as images of characters, at one size and on one baseline; and which fonts draw like another.

Of all families whose names begin with the same word one face is taken, and of families that draw alike the first.
"""

import os
import pathlib
import re
import subprocess
import typing

import numpy as np
from PIL import ImageFont

from ..counted import form
from . import InputError
from .arrays import Ints

# Debian's packages of the stream: small ones of Latin text, handwriting and display faces, with all characters of it.
PACKAGES = (  # noqa: SIM905
    "fonts-adf-accanthis fonts-adf-baskervald fonts-adf-berenis fonts-adf-gillius fonts-adf-ikarius fonts-adf-irianis "
    "fonts-adf-libris fonts-adf-mekanus fonts-adf-oldania fonts-adf-romande fonts-adf-solothurn fonts-adf-switzera "
    "fonts-adf-tribun fonts-adf-universalis fonts-adf-verana fonts-agave fonts-anonymous-pro fonts-arapey "
    "fonts-averia-gwf fonts-b612 fonts-breip fonts-cabin fonts-cabinsketch fonts-cantarell fonts-comfortaa "
    "fonts-comic-neue fonts-courier-prime fonts-crosextra-caladea fonts-dancingscript fonts-dejavu-core "
    "fonts-dosis fonts-dustin fonts-ebgaramond fonts-essays1743 fonts-eurofurence fonts-fanwood "
    "fonts-gemunu-libre fonts-goudybookletter fonts-hermit fonts-inconsolata fonts-isabella fonts-jura "
    "fonts-kaushanscript fonts-leckerli-one fonts-lemonada fonts-liberation fonts-lindenhill "
    "fonts-manrope fonts-monofur fonts-mononoki fonts-ocr-b fonts-oldstandard fonts-opendyslexic fonts-osifont "
    "fonts-oxygen fonts-play fonts-prociono fonts-quattrocento fonts-quicksand fonts-roboto-slab fonts-routed-gothic "
    "fonts-sil-galatia fonts-sora fonts-staypuft fonts-summersby fonts-tiresias fonts-tuffy fonts-yanone-kaffeesatz"
).split()
INSTALL = "apt-get install --no-install-recommends " + " ".join(PACKAGES)
SUFFIXES = (".ttf", ".otf")
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_STYLES = ("Regular", "Book", "Normal", "Roman", "Medium")  # taken before others
_CAPITALS, _BASELINE = 0.5, 0.7  # height of H, and the baseline from the top, as shares of the side
_ALIKE = 0.85  # mean overlap of letters and digits from which two families count as one
_MISSING = "\U0010ffff"  # no character; fonts draw it as one that they don't have


class Face(typing.NamedTuple):
    file: str
    family: str
    style: str

    @property
    def group(self) -> str:
        """The first word of the family's name: "dejavu" of DejaVu Sans Mono."""
        return re.split(r"[\W_]+", self.family.lower().strip())[0]


def find_files(sources: list[str]) -> list[str]:
    """The font files in folders and files, or those of PACKAGES where `sources` is empty."""
    found = []
    for source in map(pathlib.Path, sources):
        if not source.exists():
            raise InputError(f"{source}: expected a font file or a folder of fonts, found nothing there")
        found += _fonts_of(source.rglob("*") if source.is_dir() else [source])
    return sorted(set(found)) if sources else _files_of_packages()


def _files_of_packages() -> list[str]:
    found = {package: _fonts_of(map(pathlib.Path, _listed(package))) for package in PACKAGES}
    missing = [package for package in PACKAGES if not found[package]]
    if missing:
        raise InputError(
            f"{len(missing)} of the {len(PACKAGES)} Debian packages with the fonts {form(len(missing), 'is', 'are')} not installed, such as "
            f"{missing[0]}. Give files or folders of other fonts, or install the packages: {INSTALL}"
        )
    return sorted(file for files in found.values() for file in files)


def _listed(package: str) -> list[str]:
    """The paths of a package's files; none where it isn't installed."""
    try:
        done = subprocess.run(["dpkg-query", "--listfiles", package], capture_output=True, text=True)
    except OSError as error:
        raise InputError(f"dpkg-query cannot be run: {error.strerror}. On a system without dpkg, give files or folders of fonts") from None
    return done.stdout.splitlines()


def _fonts_of(paths: typing.Iterable[pathlib.Path]) -> list[str]:
    return [os.fspath(path) for path in paths if path.suffix.lower() in SUFFIXES and path.is_file()]


def read_faces(files: list[str]) -> tuple[list[Face], list[str]]:
    """(Faces, files that can't be read as fonts)."""
    faces, broken = [], []
    for file in files:
        try:
            family, style = ImageFont.truetype(file, 50).getname()
            faces.append(Face(file, family or "", (style or "").strip()))
        except OSError:
            broken.append(file)
    return faces, broken


def by_group(faces: list[Face]) -> dict[str, list[Face]]:
    """{first word of the family: its faces, those to take first in front}."""
    groups: dict[str, list[Face]] = {}
    for face in faces:
        groups.setdefault(face.group, []).append(face)
    return {name: sorted(groups[name], key=_rank) for name in sorted(groups)}


def _rank(face: Face) -> tuple[int, int, str, str, str]:
    style = _STYLES.index(face.style) if face.style in _STYLES else len(_STYLES)
    return style, len(face.family), face.family, face.style, os.path.basename(face.file)


def draw(file: str, characters: typing.Iterable[str], side: int) -> dict[str, Ints]:
    """{character: uint8 [side, side], black on white, centred} of those that the font has, and that fit.

    Characters that the font draws in the same way (small letters as capitals) are left out, all of them.
    """
    height = -_font(file, 100).getbbox("H", anchor="ls")[1]
    if height <= 0:
        return {}
    font = _font(file, 100 * _CAPITALS * side / height)
    missing = _drawn(font, _MISSING, side)
    images = {character: _drawn(font, character, side) for character in characters}
    times: dict[bytes | None, int] = {}
    for image in images.values():
        times[image] = times.get(image, 0) + 1
    return {
        character: np.frombuffer(image, "u1").reshape(side, side) for character, image in images.items() if image not in (None, missing) and times[image] == 1
    }


def _font(file: str, size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, size, layout_engine=ImageFont.Layout.BASIC)


def _drawn(font: ImageFont.FreeTypeFont, character: str, side: int) -> bytes | None:
    """The bytes of its image; None of one without ink or larger than the image."""
    mask, (_, above) = font.getmask2(character, mode="L", anchor="ls")
    ink = np.array(mask, "u1").reshape(mask.size[::-1])
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return None
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = ink.shape
    top, left = round(_BASELINE * side) + above + rows[0], (side - width) // 2
    if top < 0 or top + height > side or left < 0:
        return None
    image = np.full((side, side), 255, "u1")
    image[top : top + height, left : left + width] -= ink
    return image.tobytes()


def alike(drawn: list[dict[str, Ints]]) -> dict[int, int]:
    """{number of a font: the earlier one that it draws like}, of fonts as draw() gives them with all LETTERS.

    How alike two fonts are is the mean over LETTERS of their ink's overlap: of x and y, xy / (x^2 + y^2 - xy).
    """
    overlap = np.zeros((len(drawn), len(drawn)))
    for letter in LETTERS:
        ink = 1 - np.stack([images[letter] for images in drawn]).reshape(len(drawn), -1) / 255.0
        product = ink @ ink.T
        square = np.diag(product)
        overlap += product / (square[:, None] + square - product)
    first = {}
    for number in range(len(drawn)):
        likes = [other for other in range(number) if other not in first and overlap[number, other] > _ALIKE * len(LETTERS)]
        if likes:
            first[number] = likes[0]
    return first
