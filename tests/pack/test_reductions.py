"""palimpsest pack: whatever takes less than there is names or counts what it leaves, and offers a setting."""

import gzip
import json

import h5py
import numpy as np
import pytest
from image_support import counts, folder, main, noise, save
from palimpsest.pack import InputError
from palimpsest.pack.debian import read_index
from palimpsest.pack.protocol import class_order
from text_support import token_pack, word_tokenizer

TEN = {f"class {number}": (3, 2) for number in range(10)}


@pytest.fixture
def make(tmp_path, capsys):
    """make({class: (training, test)}, *options, code=0) makes a protocol for a pack of such classes: (tasks, stderr)."""

    def make_protocol(classes, *options, code=0):
        pack, out = token_pack(tmp_path / "pack.h5", classes), tmp_path / "protocol.json"
        found = main(["protocol", "--pack", str(pack), "--name", "n", "--out", str(out), *map(str, options)])
        err = capsys.readouterr().err
        assert found == code, err
        return json.loads(out.read_text())["tasks"] if code == 0 else None, err

    return make_protocol


def test_classes_left_over_are_named(make):
    tasks, err = make(TEN, "--tasks", 3, "--classes-per-task", 3, "--train", 3, "--test", 2)
    assert [len(task["classes"]) for task in tasks] == [3, 3, 3]
    assert f"1 class is in none of the 3 tasks of 3: {class_order(TEN, 1)[9]}\n" in err
    _, err = make(TEN, "--tasks", 2, "--classes-per-task", 3, "--train", 3, "--test", 2)
    assert f"4 classes are in none of the 2 tasks of 3: {', '.join(class_order(TEN, 1)[6:])}\n" in err
    _, err = make(TEN, "--tasks", 5, "--classes-per-task", 2, "--train", 3, "--test", 2)
    assert err == ""


def test_classes_with_too_few_samples_are_named_with_their_counts(make):
    classes = TEN | {"small": (2, 2), "no test": (3, 0)}
    options = ("--tasks", 5, "--classes-per-task", 2, "--train", 3, "--test", 2)
    assert "2 classes left out, with fewer than 3 training samples or 2 test samples: small (2 and 2), no test (3 and 0)" in make(classes, *options)[1]
    _, err = make(classes, *options[:4], "--train", 4, "--test", 2, code=3)
    assert "class 0 (3 and 2)" in err and "0 of the pack's 12 classes have 4 training samples and 2 test samples" in err


def test_without_numbers_of_samples_both_sides_are_enough(make):
    options = ("--tasks", 4, "--classes-per-task", 3)
    _, err = make(TEN | {"no test": (3, 0)}, *options, "--train", 0, "--test", 0)
    assert "10 of the pack's 11 classes have samples on both sides: enough for 3 of 4 tasks of 3 classes; the protocol has 3" in err
    assert "1 class left out, without samples on both sides: no test (3 and 0)" in err
    _, err = make({"a": (1, 1)}, *options, "--train", 0, "--test", 0, code=3)
    assert "1 of the pack's 1 class has samples on both sides" in err and "or fewer samples" not in err
    _, err = make(TEN, *options, "--train", 9, code=3)
    assert "Use fewer classes per task (--classes-per-task, --base), or make a larger pack, or use fewer samples (--train 0 --test 0 takes all" in err


def test_samples_that_no_task_uses_are_counted(make):
    _, err = make(TEN | {"class 0": (9, 5)}, "--tasks", 5, "--classes-per-task", 2, "--train", 2, "--test", 2)
    assert "20 of 36 training samples are used: the first 2 of each class; --train 0 takes all" in err
    assert "20 of 23 test samples are used: the first 2 of each class; --test 0 takes all" in err
    assert "are used" not in make(TEN, "--tasks", 5, "--classes-per-task", 2, "--train", 0, "--test", 0)[1]


def test_domains_labels_and_classes_left_out_are_named(make):
    classes = {f"{domain}/{label}": (3, 2) for domain in ("photo", "sketch") for label in ("cat", "dog")}
    classes |= {"photo/owl": (3, 2), "clipart/cat": (1, 2), "clipart/dog": (1, 2), "plain": (3, 2), "/x": (3, 2), "y/": (3, 2)}
    tasks, err = make(classes, "--domains", "--train", 2, "--test", 2)
    assert {task["name"] for task in tasks} == {"photo", "sketch"}
    assert "2 classes left out, with fewer than 2 training samples or 2 test samples: clipart/cat (1 and 2), clipart/dog (1 and 2)" in err
    assert "4 classes left out, not named DOMAIN/LABEL or not in every domain: photo/owl, plain, /x, y/" in err
    assert "1 domain left out, because none of its classes has enough samples: clipart" in err
    assert "8 of 12 training samples are used" in err
    classes = {f"{domain}/{label}": (1, 1) for domain, label in (("a", "caf\u00e9"), ("b", "cafe\u0301"))}
    _, err = make(classes | {f"{domain}/{label}": (1, 1) for domain in "ab" for label in "xy"}, "--domains", "--train", 1, "--test", 1)
    assert r"(bytes b'cafe\xcc\x81')" in err and r"(bytes b'caf\xc3\xa9') look alike" in err
    _, err = make({"a/x": (1, 1), "a/y": (1, 1), "b/x": (1, 1)}, "--domains", "--train", 1, "--test", 1, code=3)
    assert "at least two labels with 1 training sample and 1 test sample in every domain, found 1 label for 2 domains; a has 2; b has 1. " in err


@pytest.mark.parametrize("options", [("--classes-per-task", 1), ("--classes-per-task", "2,1"), ("--base", 1, "--increment", 2), ("--base", 2, "--increment", 1)])
def test_a_task_of_one_class_is_wrong_usage(options, tmp_path, capsys):
    pack = token_pack(tmp_path / "p.h5", dict.fromkeys("abc", (1, 1)))
    assert main(["protocol", "--pack", str(pack), "--name", "n", "--out", str(tmp_path / "o"), *map(str, options)]) == 2
    assert "expected 2 or more, found 1. A task needs at least two classes" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["protocol", "--pack", str(pack), "--name", "n", "--out", "o", "--classes-per-task", "0"])
    assert stop.value.code == 2 and "expected a positive number, found 0" in capsys.readouterr().err


def test_all_classes_below_the_minimum_are_named(pack, tmp_path):
    root = folder(tmp_path / "s", {f"c{number:02}": 1 for number in range(15)} | {"large": 3})
    path, _, err = pack(root, "--minimum-per-class", 2)
    assert set(counts(path)) == {"large"}
    named = ", ".join(f"c{number:02} (1)" for number in range(15))
    assert f"15 classes left out, with fewer images than --minimum-per-class 2: {named}\n" in err


def test_all_classes_without_test_images_are_named(pack, tmp_path):
    folder(tmp_path / "s" / "train", {f"c{number:02}": 1 for number in range(13)})
    folder(tmp_path / "s" / "test", {"c00": 1}, first=20)
    assert f"12 classes have no test images: {', '.join(f'c{n:02}' for n in range(1, 13))}\n" in pack(tmp_path / "s")[2]


def test_images_that_lose_something_are_counted(pack, tmp_path):
    root = folder(tmp_path / "s", {"a": 2})
    save(root / "a" / "large.png", noise(9, 9, 12))
    save(root / "a" / "deep.png", (noise(8)[..., 0].astype("u2") << 8))
    _, _, err = pack(root, "--short-side", 7)
    assert "1 of 4 images resized to a short side of 7\n" in err
    assert "1 of 4 images have grey values of 16 bits, whose upper 8 are packed\n" in err


# Texts

WORDS = [f"w{number}" for number in range(300)]


def stanza(name, section, text):
    return f"Package: {name}\nSection: {section}\nDescription: {text}\n\n"


@pytest.fixture
def debian(tmp_path, capsys):
    """debian(*options, code=0, config) packs an index of two sections, two texts of them long: (path, source, stderr)."""

    def made(*options, code=0, config=None, index=""):
        tokenizer = word_tokenizer(tmp_path / "model", WORDS)
        if config:
            (tokenizer / "config.json").write_text(json.dumps(config))
        texts = [f"w{number} w{number + 1}" for number in range(16)]
        texts[2], texts[3] = " ".join(WORDS[:200]), " ".join(WORDS[50:190])
        index += "".join(stanza(f"p{i}", "ab"[i % 2], text) for i, text in enumerate(texts))
        (tmp_path / "Packages").write_text(index)
        out = tmp_path / "pack.h5"
        paths = ["--tokenizer", str(tokenizer), "--index", str(tmp_path / "Packages"), "--out", str(out)]
        found = main(["debian", *paths, "--train", "4", "--test", "2", *map(str, options)])
        err = capsys.readouterr().err
        assert found == code, err
        if code:
            return None, None, err
        with h5py.File(out) as file:
            return out, json.loads(file.attrs["source"].decode()), err

    return made


def longest(path):
    with h5py.File(path) as file:
        return int(file.attrs["longest"])


def test_texts_that_are_cut_are_counted_and_recorded(debian):
    path, source, err = debian("--sections", 2, "--train", 6)
    assert longest(path) == 128 and (source["most_tokens"], source["texts_cut"], source["longest_text"]) == (128, 2, 202)
    assert "2 of 16 texts are cut at 128 tokens; the longest has 202. --max-length sets the limit" in err


def test_the_cut_is_a_setting(debian):
    path, source, err = debian("--sections", 2, "--train", 6, "--max-length", 150)
    assert longest(path) == 150 and source["texts_cut"] == 1 and "1 of 16 texts is cut at 150 tokens" in err
    path, source, err = debian("--sections", 2, "--train", 6, "--max-length", 202)
    assert longest(path) == 202 and source["texts_cut"] == 0 and "cut at" not in err
    with h5py.File(path) as file:
        lengths = file["shape"][:, 0]
    assert sorted(lengths)[-3:] == [4, 142, 202]
    assert "--max-length: expected more than 2, the number of special tokens of a text, found 2" in debian("--max-length", 2, code=3)[2]


@pytest.mark.parametrize(
    "config, positions",
    [
        ({"max_position_embeddings": 140, "vocab_size": 400}, 140),
        ({"model_type": "roberta", "max_position_embeddings": 142, "pad_token_id": 1}, 140),
        ({"model_type": "mpnet", "max_position_embeddings": 142, "pad_token_id": 0}, 140),
        ({"max_position_embeddings": 60}, 60),
    ],
)
def test_the_positions_of_the_model_bound_the_cut(debian, config, positions):
    _, _, err = debian("--max-length", positions + 1, config=config, code=3)
    assert f"--max-length: expected at most {positions}, the number of positions in" in err and "config.json" in err
    path, *_ = debian("--sections", 2, "--train", 6, "--max-length", positions, config=config)
    assert longest(path) == positions
    path, source, _ = debian("--sections", 2, "--train", 6, config=config)
    assert longest(path) == source["most_tokens"] == min(128, positions)


def test_a_model_with_fewer_token_ids_than_the_tokenizer_is_refused(debian):
    assert "expected a vocabulary of at most 302" in debian(config={"vocab_size": 302}, code=3)[2]
    assert "expected a model's settings in JSON" in debian(config=[1], code=3)[2]


def test_sections_and_packages_left_out_are_named_or_counted(debian):
    index = "".join(stanza(f"c{i}", "c", f"w{i + 100}") for i in range(6)) + stanza("d", "small", "w290")
    index += stanza("e", "oldlibs", "w291") + "Package: f\nSection: c\n\n" + stanza("p0", "a", "again") + stanza("g", "a", "w290")
    _, _, err = debian("--sections", 2, index=index)
    assert "1 package left out without a name, section or description, and 2 repeated ones" in err
    assert "say nothing about the section: oldlibs (1)" in err
    assert "with too few descriptions for 4 training texts and 2 test texts: small (1)" in err
    assert "beyond the 2 largest: c (6)" in err
    assert "12 of the 16 descriptions of 2 sections are used" in err


@pytest.mark.parametrize("data", [gzip.compress(b"Package: a"), b"<html>"], ids=["gzip", "web page"])
def test_an_index_that_is_none_is_refused(tmp_path, data):
    (tmp_path / "Packages").write_bytes(data)
    with pytest.raises(InputError, match="Packages: expected an uncompressed Packages file with Package: lines, found a file that begins"):
        read_index(tmp_path / "Packages")


def test_cut_texts_keep_their_last_special_token(debian):
    path, *_ = debian("--sections", 2, "--train", 6, "--max-length", 5)
    with h5py.File(path) as file:
        ids, ends = file["bytes"][()].view("<i4"), file["offsets"][()] // 4
    assert (ids[ends[:-1]] == 1).all() and (ids[ends[1:] - 1] == 2).all() and np.diff(ends).max() == 5
