"""Every protocol that palimpsest pack makes can be trained: the dry run of a protocol goes through, or there is no protocol."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest
from palimpsest.pack import pack_file
from program import ROOT
from tiers import quick
from toy import VOCABULARY

PACKER = [sys.executable, f"{ROOT}/tools/palimpsest-pack"]
FOUR = dict.fromkeys("abcd", (3, 2))
DOMAINS = {f"{domain}/{label}": (2, 2) for domain in "pqr" for label in "xyz"}
MADE = {  # classes with their training and test samples, options of the packer, options of the trainer
    "as asked": (FOUR, "--tasks 2 --classes-per-task 2 --train 3 --test 2", ()),
    "all samples": (FOUR | {"e": (1, 0), "f": (0, 1)}, "--tasks 2 --classes-per-task 2 --train 0 --test 0", ()),
    "one task": (FOUR, "--tasks 1 --classes-per-task 4 --train 1 --test 1", ()),
    "fewer tasks": (FOUR | {"e": (1, 1)}, "--tasks 9 --classes-per-task 2 --train 1 --test 1", ()),
    "odd names": ({'a"b': (1, 1), "c\\d": (1, 1), "é 熊": (1, 1), "x/y ": (1, 1)}, "--tasks 2 --classes-per-task 2 --train 1 --test 1", ()),
    "unequal tasks": (FOUR | {"e": (2, 1), "f": (2, 1)}, "--base 4 --increment 2 --train 0 --test 0", ()),
    "domains": (DOMAINS | {"s/x": (1, 1), "t": (2, 2)}, "--domains --train 2 --test 2", ("--scenario", "domain-incremental")),
    "one domain": ({f"p/{label}": (2, 2) for label in "xyz"}, "--domains --train 2 --test 2", ("--scenario", "domain-incremental")),
    "nested domains": ({f"{d}/{l}/k": (2, 2) for d in "pq" for l in "xy"}, "--domains --train 0 --test 0", ("--scenario", "domain-incremental")),
}  # fmt: skip
REFUSED = {  # with the exit code
    "one class a task": (FOUR, "--tasks 4 --classes-per-task 1 --train 1 --test 1", 2),
    "no test samples": (dict.fromkeys("abcd", (3, 0)), "--tasks 2 --classes-per-task 2 --train 0 --test 0", 3),
    "one class": ({"a": (3, 2)}, "--tasks 1 --classes-per-task 2 --train 0 --test 0", 3),
    "one label": ({"p/x": (1, 1), "q/x": (1, 1)}, "--domains --train 1 --test 1", 3),
}


def packed(folder, counts):
    rows = [(label, side) for label, sides in enumerate(counts.values()) for side in (0, 1) for _ in range(sides[side])]
    labels, split = np.array([label for label, _ in rows], "<i4"), np.array([side for _, side in rows], "u1")
    tokens = [np.array([number % VOCABULARY], "<i4") for number in range(len(rows))]
    pack_file.write_pack(folder / "pack.h5", pack_file.Pack(VOCABULARY, list(counts), tokens, labels, split, "{}"))
    return folder / "pack.h5"


def make(folder, counts, options):
    paths = ["--pack", packed(folder, counts), "--out", folder / "protocol.json"]
    return subprocess.run([*PACKER, "protocol", *paths, "--name", "n", *options.split()], capture_output=True, text=True)


@pytest.mark.parametrize("name", quick(1, MADE))
def test_a_protocol_can_be_trained(toy, tmp_path, name):
    counts, options, more = MADE[name]
    done = make(tmp_path, counts, options)
    assert done.returncode == 0, done.stderr
    toy.run("--pack", tmp_path / "pack.h5", "--protocol", tmp_path / "protocol.json", "--dry-run", *more, out=f"made {name}")


@pytest.mark.parametrize("name", quick(2, REFUSED))
def test_what_could_not_be_trained_is_not_made(tmp_path, name):
    counts, options, code = REFUSED[name]
    done = make(tmp_path, counts, options)
    assert done.returncode == code, done.stderr
    assert not (tmp_path / "protocol.json").exists()


@pytest.mark.parametrize("change", quick(1, ["a class twice", "a filter"]))
def test_show_and_training_refuse_the_same_packs(toy, tmp_path, change):
    path = packed(tmp_path, FOUR)
    assert make(tmp_path, FOUR, "--tasks 2 --classes-per-task 2 --train 3 --test 2").returncode == 0
    with h5py.File(path, "a") as file:
        if change == "a class twice":
            file["classes"][1] = b"a"
        else:
            labels = file["labels"][()]
            del file["labels"]
            file.create_dataset("labels", data=labels, compression="gzip")
    assert subprocess.run([*PACKER, "show", path], capture_output=True).returncode == 3
    toy.run("--pack", path, "--protocol", tmp_path / "protocol.json", "--dry-run", out="broken", code=3)


def test_a_name_in_another_unicode_form_is_shown_with_its_bytes(toy, tmp_path):
    path = packed(tmp_path, {"caf\u00e9": (1, 1), "bar": (1, 1)})
    protocol = {"palimpsest_type": "protocol", "palimpsest_version": "1.0.0", "name": "by hand", "train_per_class": 1, "test_per_class": 1}
    protocol["tasks"] = [{"name": "t", "classes": ["cafe\u0301", "bar"]}]
    (tmp_path / "protocol.json").write_text(json.dumps(protocol))
    text = toy.run("--pack", path, "--protocol", tmp_path / "protocol.json", "--dry-run", out="form", code=3)
    assert r"in bytes, cafe\xCC\x81 in the protocol and caf\xC3\xA9 in the pack" in text and "NFD" in text
