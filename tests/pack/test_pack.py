"""palimpsest pack as its users meet it: the program, run on small indexes that each test makes."""

import collections
import hashlib
import json
import pathlib
import struct
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from palimpsest.pack import pack_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

PROGRAM = pathlib.Path(__file__).parents[2] / "tools" / "palimpsest-pack"
WORDS = [f"w{number}" for number in range(40)]


def run(*arguments, code=0):
    """Runs the program, checks its exit code, and returns what it printed (stdout, stderr)."""
    done = subprocess.run(
        [sys.executable, PROGRAM, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def describe(package):
    """A description of six words that no other package has, and which names the package by its hash."""
    digest = hashlib.sha256(package.encode()).digest()
    return " ".join(WORDS[byte % len(WORDS)] for byte in digest[:6])


def stanza(package, section, source=None, text=None, field="Description"):
    lines = [
        f"Package: {package}",
        f"Section: {section}",
        f"{field}: {text or describe(package)}",
        " more: text",
    ]
    if source:
        lines.insert(1, f"Source: {source} (1.0-2)")
    return "\n".join(lines) + "\n\n"


def siblings(section, sources):
    """Every source has a library, its headers and its documentation, two of them in `section`."""
    return "".join(
        stanza(f"{section}-{number}", section, f"src-{section}-{number}")
        + stanza(f"{section}-{number}-dev", f"contrib/{section}", f"src-{section}-{number}")
        + stanza(f"{section}-{number}-doc", "doc", f"src-{section}-{number}")
        for number in range(sources)
    )


INDEX = "".join(
    siblings(section, count)
    for section, count in (("libs", 60), ("net", 50), ("web", 40), ("mail", 30), ("tiny", 3))
)
SIZES = ("--train", 20, "--test", 6)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """A folder with a tokenizer.json that knows WORDS, and that pads and truncates unless it is set not to."""
    folder = tmp_path_factory.mktemp("tokenizer")
    words = Tokenizer(
        models.WordLevel(
            {word: number for number, word in enumerate(["[UNK]", "[CLS]", "[SEP]", *WORDS])},
            unk_token="[UNK]",
        )
    )
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    words.enable_padding(length=128)
    words.enable_truncation(4)
    words.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def make(tmp_path, tokenizer):
    """make(index, *options, code=0) packs the index and returns (path, stdout, stderr)."""

    def made(index=INDEX, *options, code=0, name="pack.h5"):
        (tmp_path / "Packages").write_text(index)
        out = run(
            "debian",
            "--tokenizer",
            tokenizer,
            "--index",
            tmp_path / "Packages",
            "--out",
            tmp_path / name,
            *(options or SIZES),
            code=code,
        )
        return tmp_path / name, *out

    return made


def samples(path):
    """[(class, split, token ids)] of a pack."""
    with h5py.File(path) as file:
        classes = [name.decode() for name in file["classes"]]
        ids = file["bytes"][()].view("<i4")
        ends = file["offsets"][()] // 4
        return [
            (classes[label], split, tuple(ids[begin:end].tolist()))
            for label, split, begin, end in zip(file["labels"], file["split"], ends, ends[1:])
        ]


def token_ids(text):
    return (1, *(3 + WORDS.index(word) for word in text.split()), 2)


def content_hash(path):
    """The content hash from its definition, written again without the program's code."""
    with h5py.File(path) as file:
        parts = [
            b"/@kind\0str\0\0" + b"tokens\0",
            b"/@vocabulary\0i8\0\0" + struct.pack("<q", file.attrs["vocabulary"]),
            b"/bytes\0u1\0%d\0" % len(file["bytes"]) + file["bytes"][()].tobytes(),
            b"/classes\0str\0%d\0" % len(file["classes"])
            + b"".join(bytes(name) + b"\0" for name in file["classes"]),
            b"/labels\0i4\0%d\0" % len(file["labels"]) + file["labels"][()].tobytes(),
            b"/offsets\0i8\0%d\0" % len(file["offsets"]) + file["offsets"][()].tobytes(),
            b"/shape\0i8\0%d,1\0" % len(file["shape"]) + file["shape"][()].tobytes(),
            b"/split\0u1\0%d\0" % len(file["split"]) + file["split"][()].tobytes(),
        ]
        return hashlib.sha256(b"".join(parts)).hexdigest()


def test_siblings_of_one_source_are_on_one_side(make):
    path, *_ = make()
    source_of = {}
    for section in ("libs", "net", "web", "mail"):
        for number in range(60):
            for suffix in ("", "-dev", "-doc"):
                source_of[token_ids(describe(f"{section}-{number}{suffix}"))] = (
                    f"{section}-{number}"
                )
    sides = collections.defaultdict(set)
    for _, split, ids in samples(path):
        sides[source_of[ids]].add(int(split))
    assert all(len(side) == 1 for side in sides.values())
    assert {0} in sides.values() and {1} in sides.values()


def test_every_class_has_the_texts_requested_and_the_largest_sections_win(make):
    path, *_ = make(INDEX, "--sections", 3, *SIZES)
    counts = collections.Counter((name, split) for name, split, _ in samples(path))
    assert counts == {
        (name, split): count
        for name in ("doc", "libs", "net")
        for split, count in ((0, 20), (1, 6))
    }


def test_texts_are_tokenised_whole_without_padding(make):
    path, *_ = make()
    assert {len(ids) for _, _, ids in samples(path)} == {8}


def test_equal_input_gives_equal_bytes(make):
    first, *_ = make(name="first.h5")
    time.sleep(1.1)  # HDF5 keeps times in seconds
    second, *_ = make(name="second.h5")
    assert first.read_bytes() == second.read_bytes()


def test_content_hash_is_as_defined_and_follows_the_content(make):
    path, out, _ = make()
    with h5py.File(path) as file:
        stored = file.attrs["content_sha256"].decode()
    assert stored == content_hash(path)
    assert stored in out
    other, *_ = make(INDEX.replace(" w1 ", " w2 "), name="other.h5")
    assert content_hash(other) != stored


def test_layout_can_be_mapped(make):
    path, *_ = make()
    with h5py.File(path) as file:
        offset, size = file["bytes"].id.get_offset(), file["bytes"].size
        assert offset % 4096 == 0
        assert path.read_bytes()[offset : offset + size] == file["bytes"][()].tobytes()
        for name in file:
            plist = file[name].id.get_create_plist()
            assert plist.get_layout() == h5py.h5d.CONTIGUOUS and plist.get_nfilters() == 0
        types = [file["classes"].id.get_type()] + [
            h5py.h5a.open(file.id, name.encode()).get_type()
            for name in (
                "palimpsest_type",
                "palimpsest_version",
                "writer",
                "content_sha256",
                "kind",
                "source",
            )
        ]
        for kind in types:
            assert not kind.is_variable_str()
            assert (kind.get_strpad(), kind.get_cset()) == (
                h5py.h5t.STR_NULLPAD,
                h5py.h5t.CSET_UTF8,
            )
        assert file.attrs["longest"] == 8 and file.attrs["vocabulary"] == 43


def test_crc_is_castagnoli(make):
    path, *_ = make()
    polynomial, crc = 0x82F63B78, 0xFFFFFFFF
    with h5py.File(path) as file:
        for byte in file["bytes"][: file["offsets"][1]].tolist():
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ (polynomial if crc & 1 else 0)
        assert file["crc32c"][0] == crc ^ 0xFFFFFFFF


def test_sections_that_say_nothing_are_left_out(make):
    names = ("metapackages", "tasks", "oldlibs", "debug", "non-free/oldlibs")
    path, *_ = make(
        INDEX
        + "".join(
            stanza(f"x-{name.replace('/', '-')}-{number}", name)
            for name in names
            for number in range(60)
        )
    )
    assert {name for name, _, _ in samples(path)} == {"doc", "libs", "net", "web", "mail"}


def test_names_and_descriptions_are_kept_once(make):
    again = stanza("libs-0", "libs", text="w9 w9") + stanza(
        "zz-copy", "web", text=describe("net-0")
    )
    first, *_ = make(name="first.h5")
    second, *_ = make(INDEX + again + "Package: bare\nSection: web\n\n", name="second.h5")
    assert samples(first) == samples(second)


def test_other_names_of_the_description_field_are_read(make):
    first, *_ = make(name="first.h5")
    second, *_ = make(INDEX.replace("Description:", "Description-en:"), name="second.h5")
    assert samples(first) == samples(second)


def test_too_few_sections_are_packed_and_reported(make):
    path, _, err = make()
    assert len({name for name, _, _ in samples(path)}) == 5
    assert "wanted 36 sections" in err and "the pack has 5" in err


@pytest.mark.parametrize(
    "index", ["", "Package: a\n\n", siblings("libs", 60).replace("Section: doc", "Section: tasks")]
)
def test_an_index_without_two_sections_is_refused(make, index):
    path, _, err = make(index, code=3)
    assert "at least 2 sections" in err and "apt-get update" in err
    assert not path.exists()


def test_missing_inputs_are_named(make, tmp_path):
    _, err = run("debian", "--tokenizer", tmp_path / "nowhere", "--out", tmp_path / "p.h5", code=3)
    assert "nowhere: expected a tokenizer.json" in err and "found nothing there" in err
    _, err = run("show", tmp_path / "nowhere.h5", code=3)
    assert "nowhere.h5: expected a pack (HDF5), found nothing there" in err
    (tmp_path / "tokenizer.json").write_text("{}")
    _, err = run("debian", "--tokenizer", tmp_path, "--out", tmp_path / "p.h5", code=3)
    assert "expected a tokenizer.json" in err


def test_a_missing_index_is_named(tokenizer, tmp_path):
    _, err = run(
        "debian",
        "--tokenizer",
        tokenizer,
        "--index",
        tmp_path / "none",
        "--out",
        tmp_path / "p.h5",
        code=3,
    )
    assert "none" in err and "package index" in err


def test_protocol_assigns_classes_in_the_order_of_their_hashes(make, tmp_path):
    path, *_ = make()
    out = tmp_path / "protocol.json"
    arguments = (
        "protocol",
        "--pack",
        path,
        "--name",
        "small",
        "--classes-per-task",
        2,
        "--tasks",
        2,
        *SIZES,
        "--out",
        out,
    )
    run(*arguments, "--seed", 7)
    protocol = json.loads(out.read_text())
    names = sorted(
        ("doc", "libs", "mail", "net", "web"),
        key=lambda name: hashlib.sha256(f"{name}\0" "7".encode()).hexdigest(),
    )
    assert protocol == {
        "palimpsest_type": "protocol",
        "palimpsest_version": "1.0.0",
        "name": "small",
        "order": "sha256 of class name and seed 7",
        "train_per_class": 20,
        "test_per_class": 6,
        "pack_content_sha256": content_hash(path),
        "tasks": [
            {"name": "task 1", "classes": names[:2]},
            {"name": "task 2", "classes": names[2:4]},
        ],
    }


def test_a_protocol_of_domains_has_the_labels_that_all_share(tmp_path):
    names = ["photo/dog", "photo/cat", "sketch/cat", "sketch/dog", "sketch/owl", "other", "photo/owl"]
    labels = np.repeat(np.arange(len(names), dtype="<i4"), 2)[:-1]  # photo/owl has no test sample
    split = np.array([pack_file.TRAIN, pack_file.TEST] * len(names), "u1")[:-1]
    tokens = [np.array([i + 1], "<i4") for i in range(len(labels))]
    path, out = tmp_path / "pack.h5", tmp_path / "protocol.json"
    pack_file.write_pack(path, pack_file.Pack(64, names, tokens, labels, split, "{}"))
    arguments = ("protocol", "--pack", path, "--name", "domains", "--domains", "--out", out)
    _, err = run(*arguments, "--train", 1, "--test", 1)
    assert "1 class left out, with fewer than 1 training sample or 1 test sample: photo/owl (1 and 0)" in err
    assert "2 classes left out, not named DOMAIN/LABEL or not in every domain: sketch/owl, other" in err
    tasks = json.loads(out.read_text())["tasks"]
    by_hash = lambda names: sorted(names, key=lambda name: hashlib.sha256(f"{name}\0" "1".encode()).hexdigest())
    assert [task["name"] for task in tasks] == by_hash(["photo", "sketch"])
    for task in tasks:
        assert task["labels"] == by_hash(["cat", "dog"])
        assert task["classes"] == [f"{task['name']}/{label}" for label in task["labels"]]
    out.unlink()
    _, err = run(*arguments, "--train", 2, "--test", 1, code=3)
    assert "with 2 training samples and 1 test sample in every domain, found 0 labels" in err and not out.exists()


def test_a_protocol_of_all_samples_says_0(make, tmp_path):
    path, *_ = make()
    out = tmp_path / "protocol.json"
    run("protocol", "--pack", path, "--name", "all", "--tasks", 1, "--classes-per-task", 5, "--train", 0, "--test", 0, "--out", out)
    protocol = json.loads(out.read_text())
    assert (protocol["train_per_class"], protocol["test_per_class"]) == (0, 0)
    assert sorted(protocol["tasks"][0]["classes"]) == ["doc", "libs", "mail", "net", "web"]


def test_too_few_classes_give_fewer_tasks_and_none_at_all_is_refused(make, tmp_path):
    path, *_ = make()
    out = tmp_path / "protocol.json"
    arguments = ("protocol", "--pack", path, "--name", "small", "--out", out)
    _, err = run(*arguments, "--tasks", 6, "--classes-per-task", 2, *SIZES)
    assert "enough for 2 of 6 tasks" in err
    assert len(json.loads(out.read_text())["tasks"]) == 2
    out.unlink()
    _, err = run(*arguments, "--classes-per-task", 6, *SIZES, code=3)
    assert "5 of the pack's 5 classes" in err
    _, err = run(*arguments, "--classes-per-task", 2, "--train", 21, "--test", 6, code=3)
    assert "0 of the pack's 5 classes have 21 training" in err
    assert not out.exists()


def test_show_prints_a_sound_pack_and_a_sample(make, tokenizer):
    path, *_ = make()
    out, _ = run("show", path, "--sample", 0, "--tokenizer", tokenizer)
    assert content_hash(path) in out and "sample 0, training, doc: 1 " in out
    _, err = run("show", path, "--sample", 130, code=3)
    assert "from 0 to 129" in err


def test_show_finds_one_flipped_bit(make):
    path, *_ = make()
    with h5py.File(path) as file:
        places = {
            name: file[name].id.get_offset()
            for name in ("bytes", "crc32c", "labels", "split", "classes")
        }
    sound = path.read_bytes()
    for name, place in places.items():
        damaged = bytearray(sound)
        damaged[place + 1] ^= 1
        path.write_bytes(damaged)
        _, err = run("show", path, code=3)
        assert str(path) in err and "expected" in err, name


def test_show_refuses_what_is_not_a_pack(make, tmp_path):
    path, *_ = make()
    protocol = tmp_path / "protocol.json"
    protocol.write_text("{}")
    cut = tmp_path / "cut.h5"
    cut.write_bytes(path.read_bytes()[:3000])
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file.attrs["palimpsest_type"] = "task"
    for file, word in (
        (cut, "cannot be read"),
        (protocol, "protocol.json: expected a pack (palimpsest pack makes one), found another kind of file\n"),
        (tmp_path, "expected a pack (palimpsest pack makes one), found a folder\n"),
        (other, "expected pack, found task"),
        (tmp_path / "none.h5", "none.h5"),
    ):
        _, err = run("show", file, code=3)
        assert word in err


def test_a_newer_major_version_is_refused(make):
    path, *_ = make()
    with h5py.File(path, "a") as file:
        file.attrs.modify("palimpsest_version", np.bytes_("2.0.0"))
    _, err = run("show", path, code=3)
    assert "palimpsest_version" in err and "expected 1, found 2" in err


def test_wrong_usage_is_exit_code_2(tmp_path):
    run("debian", "--out", tmp_path / "p.h5", code=2)
    run("protocol", "--pack", "p", "--name", "n", "--out", "o", "--tasks", 0, code=2)
    run("backbone", "unknown", "--out", tmp_path, code=2)


def test_backbone_is_a_plain_folder(tmp_path):
    out, _ = run("backbone", "minilm", "--out", tmp_path / "minilm")
    assert sorted(path.name for path in (tmp_path / "minilm").iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "vocab.txt",
    ]
    assert hashlib.sha256((tmp_path / "minilm" / "config.json").read_bytes()).hexdigest() in out
