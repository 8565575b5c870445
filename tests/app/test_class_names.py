"""Class names that look alike and aren't the same: what is meant is said, in bytes where letters don't show it."""

import json
import shutil
import unicodedata

import h5py
import numpy as np
import pytest
import toy as toy_module
from palimpsest.pack import pack_file
from tiers import quick

NAMES = ["café", "cat", "Straße", "が", "dog", "fox", "hen", "owl"]


@pytest.fixture(scope="module")
def pack(toy, tmp_path_factory):
    """The toy's pack with other names."""
    path = str(tmp_path_factory.mktemp("names") / "pack.h5")
    with h5py.File(toy.path("pack.h5")) as file:
        assert len(file["classes"]) == len(NAMES)
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(len(NAMES)), toy_module.TRAIN + toy_module.TEST).astype("<i4")
    tokens = [rng.integers(0, toy_module.VOCABULARY, 5).astype("<i4") for _ in labels]
    split = np.tile(np.arange(toy_module.TRAIN + toy_module.TEST) >= toy_module.TRAIN, len(NAMES)).astype("u1")
    pack_file.write_pack(path, pack_file.Pack(toy_module.VOCABULARY, NAMES, tokens, labels, split, "{}"))
    return path


def text_of(toy, pack, tmp_path, names, code):
    path = str(tmp_path / "protocol.json")
    toy_module.make_protocol(path, tasks=[{"name": "only", "classes": names}])
    text = toy.run("--pack", pack, "--protocol", path, "--epochs", 1, out="names", code=code)
    shutil.rmtree(toy.path("runs", "names"), ignore_errors=True)
    return " ".join(text.split())


@pytest.mark.parametrize("name,said", quick(2, [
    (unicodedata.normalize("NFD", "café"), [r"looks the same and isn't", r"cafe\xCC\x81 in the protocol and caf\xC3\xA9 in the pack"]),
    ("cat ", ["its 'cat' looks the same and isn't"]),
    ("\u00a0cat", [r"\xC2\xA0cat in the protocol"]),
    ("CAT", ["its 'cat' differs in capitals alone"]),
    ("Strase", ["the nearest is 'Straße'", r"Stra\xC3\x9Fe in the pack"]),
    ("cap", ["the nearest is 'cat': the protocol was made for another pack"]),
    ("zebra", ["(8 classes) doesn't have: the protocol was made for another pack"]),
]))
def test_a_name_that_the_pack_has_not(toy, pack, tmp_path, name, said):
    text = text_of(toy, pack, tmp_path, [name, "dog"], code=3)
    assert "protocol 'toy' names class '" in text
    for words in said:
        assert words in text


@pytest.mark.slow
def test_names_of_a_protocol_that_look_alike_are_said(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(pack_file, "check_names", lambda names: None)  # as packs of before, and of other programs
    twins = ["café", unicodedata.normalize("NFD", "café"), "cat", "cat "]
    path = str(tmp_path / "pack.h5")
    count = toy_module.TRAIN + toy_module.TEST
    labels = np.repeat(np.arange(4), count).astype("<i4")
    tokens = [np.arange(5, dtype="<i4") + label for label in labels]
    split = np.tile(np.arange(count) >= toy_module.TRAIN, 4).astype("u1")
    pack_file.write_pack(path, pack_file.Pack(toy_module.VOCABULARY, twins, tokens, labels, split, "{}"))
    text = text_of(toy, path, tmp_path, twins, code=0)
    assert r"classes that look alike" in text
    assert r"'caf\xC3\xA9' and 'cafe\xCC\x81', 'cat' and 'cat '" in text
    assert "look alike" not in text_of(toy, path, tmp_path, ["café", "cat"], code=0)
