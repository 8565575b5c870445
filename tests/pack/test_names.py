"""Class names that look alike, or that can't be printed: said with their bytes, whatever the source."""

import json
import unicodedata

import h5py
import numpy as np
import pytest
from image_support import counts, encoded, folder, idx, main, noise, shard
from palimpsest.pack import InputError, pack_file
from palimpsest.pack.names import check_names, note_odd_names, with_bytes
from text_support import token_pack

NFC, NFD = "caf\u00e9", "cafe\u0301"
SAME = [
    (NFC, NFD),
    ("\ud55c\uad6d", unicodedata.normalize("NFD", "\ud55c\uad6d")),
    ("cat", "cat "),
    ("cat", "\u00a0cat"),
    ("cat", "cat\u200b"),
    ("cat", "\ufeffcat"),
    ("cat", "c\u00adat"),
    ("\u2764", "\u2764\ufe0f"),
    ("cat", "cat\u2800"),
    ("cat", "cat\u3164"),
]
ALIKE = [("Cat", "cat"), ("hot dog", "hot  dog"), ("hot dog", "hot\u00a0dog"), ("\ufb01sh", "fish"), ("\uff12", "2"), ("STRASSE", "straße")]
ALIKE += [("cat", "c\u0430t"), ("a-b", "a\u2011b"), ("a-b", "a\u2013b"), ("O'Hara", "O\u2019Hara")]
UNPRINTABLE = ["a\nb", "a\tb", "a\0", "a\x1b[31m", "a\u2028b", "a\r"]


@pytest.mark.parametrize("first, second", SAME, ids=ascii)
def test_names_that_cant_be_distinguished_are_refused_with_their_bytes(first, second):
    with pytest.raises(InputError) as error:
        check_names(["dog", first, second])
    assert f"classes {with_bytes(first)} and {with_bytes(second)}: expected names that a reader can distinguish" in str(error.value)


@pytest.mark.parametrize("name, text", [(NFC, r"(bytes b'caf\xc3\xa9')"), (NFD, r"(bytes b'cafe\xcc\x81')"), ("cat ", "'cat '"), ("a\0", r"'a\x00'")])
def test_bytes_distinguish_them(name, text):
    assert text in with_bytes(name)


@pytest.mark.parametrize("first, second", ALIKE, ids=ascii)
def test_names_that_look_alike_are_noted(first, second, capsys):
    check_names([first, second])
    note_odd_names([first, second])
    assert f"classes {with_bytes(first)} and {with_bytes(second)} look alike" in capsys.readouterr().err


@pytest.mark.parametrize("name", UNPRINTABLE, ids=ascii)
def test_names_that_cant_be_printed_are_refused(name):
    with pytest.raises(InputError, match="expected a name on one line"):
        check_names(["dog", name])


@pytest.mark.parametrize("name", ["", " ", "\u00a0"], ids=ascii)
def test_empty_names_are_refused(name):
    with pytest.raises(InputError, match="found only blanks"):
        check_names(["dog", name])


def test_usual_names_are_taken_without_a_word(capsys):
    names = ["Große Bären 熊", "n01440764", "169.Magnolia_Warbler", "0", "10", "photo/dog", "crème brûlée", "O'Hara", 'a "b"']
    check_names(names)
    note_odd_names(names)
    assert capsys.readouterr().err == ""


def test_folders(pack, tmp_path):
    folder(tmp_path / "s", {NFC: 1, NFD: 1})
    assert r"(bytes b'caf\xc3\xa9')" in pack(tmp_path / "s", code=3)[2]
    folder(tmp_path / "blank", {"cat": 1, "cat ": 1})
    assert "'cat' and 'cat '" in pack(tmp_path / "blank", code=3)[2]
    folder(tmp_path / "line", {"a\nb": 1})
    assert r"class 'a\nb': expected a name on one line" in pack(tmp_path / "line", code=3)[2]
    folder(tmp_path / "case", {"Cat": 1, "cat": 1, "dog ": 1})
    path, _, err = pack(tmp_path / "case")
    assert set(counts(path)) == {"Cat", "cat", "dog "}
    assert "classes 'Cat' and 'cat' look alike" in err and "class names with blanks at their ends or with invisible characters: 'dog '" in err


def test_two_sources_of_one_pack(pack, tmp_path):
    folder(tmp_path / "s", {NFC: 1})
    folder(tmp_path / "t", {NFD: 1}, first=5)
    assert "expected names that a reader can distinguish" in pack(tmp_path / "s", tmp_path / "t", code=3)[2]


def test_csv(pack, tmp_path):
    folder(tmp_path, {"x": 2})
    (tmp_path / "m.csv").write_text(f"path,label\nx/0.png,{NFC}\nx/1.png,{NFD}\n", encoding="utf-8")
    assert r"(bytes b'cafe\xcc\x81')" in pack(tmp_path / "m.csv", code=3)[2]


def test_shards(pack, tmp_path):
    members = {"x.png": encoded(noise(1)), "x.json": json.dumps({"label": "cat "}).encode()}
    members |= {"y.png": encoded(noise(2)), "y.cls": b"cat"}
    path, _, err = pack(shard(tmp_path / "0.tar", members))
    assert set(counts(path)) == {"cat"} and "such as 'cat ' as 'cat'" in err
    members["y.cls"] = NFC.encode()
    members["x.json"] = json.dumps({"label": NFD}).encode()
    assert "expected names that a reader can distinguish" in pack(shard(tmp_path / "0.tar", members), code=3)[2]


@pytest.mark.parametrize(
    "text, message",
    [
        (f"{NFC}\n{NFD}\n", "expected names that a reader can distinguish"),
        ("cat\ncat \n", "expected every class name once, found 'cat' twice"),
        ("cat\n\ndog\n", "class '': expected a name"),
        ("cat\nd\0g\n", r"class 'd\x00g': expected a name on one line"),
    ],
)
def test_files_of_class_names(pack, tmp_path, text, message):
    (tmp_path / "names").write_text(text, encoding="utf-8")
    idx(tmp_path / "i", "train", noise(1, 2, 30).reshape(2, 9, 10), [0, 1])
    assert message in pack(tmp_path / "i", "--class-names", tmp_path / "names", code=3)[2]


def test_packs_written_by_a_script_of_ones_own(tmp_path):
    with pytest.raises(InputError, match="expected names that a reader can distinguish"):
        token_pack(tmp_path / "p.h5", {NFC: (1, 1), NFD: (1, 1)})
    twice = pack_file.Pack(9, ["a", "a"], [np.array([1], "<i4")] * 2, np.array([0, 1], "<i4"), np.array([0, 1], "u1"), "{}")
    with pytest.raises(InputError, match="expected every class name once, found 'a' twice"):
        pack_file.write_pack(tmp_path / "p.h5", twice)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change, message",
    [
        ({"tokens": [[1], [1], [], [1]]}, "text 2: expected token ids, found none. Leave empty texts out"),
        ({"tokens": [[1], [9], [1], [1]]}, "expected token ids below 9, found 9"),
        ({"tokens": [[1], [2**32 + 1], [1], [1]]}, "expected token ids below 9, found 4294967297"),
        ({"labels": [0, 0, 1, 2]}, "/labels, /split: expected indices into /classes and 0 or 1"),
        ({"labels": [0, 0, 1]}, "/offsets, dimensions"),
        ({"split": [0, 1, 0, 2]}, "/labels, /split: expected indices into /classes and 0 or 1"),
        ({"tokens": [], "labels": [], "split": []}, "expected increasing offsets"),
    ],
)
def test_a_script_cant_write_what_training_refuses(tmp_path, change, message):
    made = {"tokens": [[1]] * 4, "labels": [0, 0, 1, 1], "split": [0, 1, 0, 1]} | change
    arrays = {name: np.array(made[name], "<i8") for name in ("labels", "split")}
    with pytest.raises(InputError, match=message):
        pack_file.write_pack(tmp_path / "p.h5", pack_file.Pack(9, ["a", "b"], made["tokens"], source="{}", **arrays))
    assert list(tmp_path.iterdir()) == []


def test_packs_of_before_are_shown_and_accepted_with_a_note(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pack_file, "check_names", lambda _: None)
    path = token_pack(tmp_path / "p.h5", {NFC: (1, 1), NFD: (1, 1)})
    for command in (["show", str(path)], "protocol --name n --tasks 1 --classes-per-task 2 --train 1 --test 1".split()):
        options = ["--pack", str(path), "--out", str(tmp_path / "p.json")] if command[0] == "protocol" else []
        assert main(command + options) == 0
        assert r"(bytes b'caf\xc3\xa9') and 'café' (bytes b'cafe\xcc\x81') look alike".replace("'café'", repr(NFD)) in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", " ", "a\nb"])
def test_names_of_protocols(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["protocol", "--pack", "p", "--out", "o", "--name", name])
    assert stop.value.code == 2 and "expected a name on one line" in capsys.readouterr().err


def broken(path, **changes):
    """A sound pack of two classes, with changes to its objects, and without a new content hash."""
    token_pack(path, {"a": (2, 1), "b": (2, 1)})
    with h5py.File(path, "a") as file:
        for name, make in changes.items():
            values = file[name][()]
            del file[name]
            make(file, name, values)
    return path


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"classes": lambda f, n, v: f.create_dataset(n, data=np.array([b"a", b"a"], h5py.string_dtype("utf-8", 1)))}, "expected every class once, found 'a' twice"),
        ({"classes": lambda f, n, v: f.create_dataset(n, data=np.array([b"a\0b", b"b"], h5py.string_dtype("utf-8", 3)))}, r"expected names without NUL bytes, found 'a\x00b'"),
        ({"classes": lambda f, n, v: f.create_dataset(n, data=["a", "b"], dtype=h5py.string_dtype())}, "/classes: expected fixed-length, null-padded UTF-8"),
        ({"labels": lambda f, n, v: f.create_dataset(n, data=v, compression="gzip")}, "/labels, storage: expected contiguous, without filters"),
        ({"bytes": lambda f, n, v: f.create_dataset(n, data=v, chunks=(4,))}, "/bytes, storage: expected contiguous, without filters"),
    ],
)  # fmt: skip
def test_show_refuses_packs_that_training_refuses(tmp_path, capsys, changes, message):
    assert main(["show", str(broken(tmp_path / "p.h5", **changes))]) == 3
    assert message in capsys.readouterr().err


def test_show_refuses_token_ids_beyond_the_vocabulary(tmp_path, capsys):
    split = np.array([0, 1], "u1")
    pack = pack_file.Pack(5, ["a"], [np.array([4], "<i4"), np.array([5], "<i4")], np.zeros(2, "<i4"), split, "{}")
    pack_file.write_samples(tmp_path / "p.h5", pack.index(), pack.blocks())  # which doesn't look at tokens
    assert main(["show", str(tmp_path / "p.h5")]) == 3
    assert "expected token ids below 5, found 5" in capsys.readouterr().err
