"""palimpsest pack glyphs: one font of those that draw alike, split so that the test is on unseen ones."""

import collections
import json
import shlex

import h5py
import numpy as np
import pytest
from font_support import save_font
from image_support import counts, main, samples
from palimpsest.pack import fonts
from palimpsest.pack.glyphs import CHARACTERS, class_name

SIZES = ("--train", 3, "--test", 2, "--side", 40)
NAMES = ["Ash Sans", "Birch", "Cedar", "Douglas", "Elm", "Fir Mono"]


@pytest.fixture
def glyphs(tmp_path, capsys):
    """glyphs(*options, code=0) packs the fonts in tmp_path/fonts: (path, stderr)."""

    def made(*options, code=0, sources=None, name="pack.h5"):
        sources = [tmp_path / "fonts"] if sources is None else sources
        found = main(["glyphs", *map(str, sources), "--out", str(tmp_path / name), *map(str, options or SIZES)])
        err = capsys.readouterr().err
        assert found == code, err
        return tmp_path / name, err

    return made


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        save_font(tmp_path / "fonts" / "deep" / f"{name}.ttf", name)
    return tmp_path / "fonts"


def source_of(path):
    with h5py.File(path) as file:
        return json.loads(file.attrs["source"].decode())


def test_every_character_has_its_fonts_and_no_font_is_on_both_sides(glyphs, folder):
    path, _ = glyphs()
    assert counts(path) == {class_name(character): (3, 2) for character in CHARACTERS}
    source = source_of(path)
    families = source["training_families"], source["test_families"]
    assert (len(families[0]), len(families[1])) == (3, 2) and set(families[0]) | set(families[1]) < set(NAMES)
    sides = collections.defaultdict(set)
    for name, side, data, _ in samples(path):
        sides[data].add(side)
    assert len(sides) == 5 * len(CHARACTERS) and all(len(side) == 1 for side in sides.values())


def test_images_are_black_on_white_with_capitals_of_one_height(glyphs, folder):
    path, _ = glyphs()
    for name, _, data, shape in samples(path):
        assert shape == (40, 40, 3)
        pixels = np.frombuffer(data, "u1").reshape(shape)
        assert (pixels == pixels[..., :1]).all()
        rows, columns = (np.flatnonzero((pixels[..., 0] < 255).any(axis=axis)) for axis in (1, 0))
        assert abs(rows[0] - 8) <= 1 and abs(rows[-1] - 27) <= 1 and abs(columns[0] + columns[-1] - 39) <= 1, name


def test_equal_fonts_give_equal_bytes_wherever_they_are(glyphs, folder, tmp_path):
    first, _ = glyphs()
    folder.rename(tmp_path / "elsewhere")
    files = sorted((tmp_path / "elsewhere").rglob("*.ttf"), reverse=True)
    second, _ = glyphs(sources=files, name="second.h5")
    assert first.read_bytes() == second.read_bytes()


def test_one_face_is_drawn_of_families_with_the_same_first_word(glyphs, folder):
    alone, _ = glyphs()
    for name, style in (("Ash Sans", "Bold"), ("Ash Sans Mono", "Regular"), ("Ash-Serif Wide", "Book")):
        save_font(folder / f"{name}-{style}.ttf", name, style, seed=f"{name} {style}")
    path, err = glyphs(name="second.h5")
    assert path.read_bytes() == alone.read_bytes()
    assert "6 fonts from 9 files are used" in err


def test_families_that_draw_alike_count_as_one(glyphs, folder):
    save_font(folder / "copy.otf", "Zinc", seed="Birch")
    _, err = glyphs()
    assert "1 family left out, which draws letters and digits like another: Zinc as Birch" in err
    assert "6 fonts from 7 files are used" in err


def test_fonts_without_all_letters_and_files_that_are_none_are_named(glyphs, folder):
    save_font(folder / "few.ttf", "Grove", lacking="k")
    save_font(folder / "capitals.ttf", "Heath", drawn_as={small: small.upper() for small in "abc"})
    (folder / "broken.ttf").write_bytes(b"no font")
    (folder / "readme.txt").write_text("no font")
    _, err = glyphs()
    assert "2 families left out, without all letters and digits or with two drawn the same: Grove, Heath" in err
    assert "1 file left out, not readable as fonts" in err and "broken.ttf" in err
    assert "6 fonts from 8 files are used" in err


def test_a_face_that_is_whole_is_taken_where_the_first_is_not(glyphs, folder):
    save_font(folder / "few.ttf", "Grove", "Regular", lacking="k")
    save_font(folder / "whole.ttf", "Grove", "Bold")
    _, err = glyphs()
    assert "7 fonts from 8 files are used" in err and "families left out" not in err


def test_characters_that_too_few_fonts_have_are_named(glyphs, folder):
    for name in NAMES[:4]:
        save_font(folder / "deep" / f"{name}.ttf", name, lacking="\u00df", drawn_as={"{": "["})
    path, err = glyphs()
    classes = counts(path)
    assert len(classes) == 97 and "small sharp s" not in classes
    assert "3 characters left out, in fewer than 3 training fonts or 2 test fonts: left square bracket (" in err


def test_too_few_fonts_are_refused_with_what_to_install(glyphs, folder):
    path, err = glyphs(code=3, *("--train", 30, "--test", 20))
    assert "found 0. 6 font files gave 4 training and 2 test fonts." in err and "apt-get install --no-install-recommends fonts-" in err
    assert not path.exists()
    _, err = glyphs(code=3, sources=[folder / "nowhere"])
    assert "nowhere: expected a font file or a folder of fonts" in err


@pytest.fixture
def dpkg(tmp_path, monkeypatch):
    """dpkg({package: files}) replaces dpkg-query."""

    def replaced(packages):
        program = tmp_path / "bin" / "dpkg-query"
        program.parent.mkdir(exist_ok=True)
        cases = "".join(f"  {name}) printf '%s\\n' {shlex.join(map(str, files))} ;;\n" for name, files in packages.items())
        program.write_text(f"#!/bin/sh\ncase $2 in\n{cases}  *) exit 1 ;;\nesac\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent))

    return replaced


def test_without_sources_the_fonts_of_debian_packages_are_taken(glyphs, folder, dpkg, monkeypatch, tmp_path):
    monkeypatch.setattr(fonts, "PACKAGES", ["fonts-one", "fonts-two"])
    files = sorted(folder.rglob("*.ttf"))
    dpkg({"fonts-one": ["/usr/share/doc/fonts-one", *files[:3]], "fonts-two": files[3:]})
    save_font(folder / "other.ttf", "Other")
    path, _ = glyphs(sources=[])
    assert counts(path)["digit one"] == (3, 2)
    dpkg({"fonts-one": files, "fonts-two": ["/etc/fonts/conf.avail/two.conf"]})  # removed, with its configuration left
    _, err = glyphs(code=3, sources=[])
    assert "1 of the 2 Debian packages with the fonts is not installed, such as fonts-two. " in err and "install the packages: apt-get install" in err
    monkeypatch.setenv("PATH", str(tmp_path))
    _, err = glyphs(code=3, sources=[])
    assert "On a system without dpkg, give files or folders of fonts" in err
