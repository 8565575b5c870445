"""palimpsest pack texts: one set of rows in every format gives one pack; sides, groups, pairs, domains, streams that continue."""

import codecs
import csv
import errno
import gzip
import io
import json
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
from image_support import main
from palimpsest.pack.texts import make
from palimpsest.pack.texts.sides import split_by_hash
from text_support import PROGRAM, read_rows, word_tokenizer

WORDS = [f"w{number}" for number in range(60)]
ALL_WORDS = ["[UNK]", "[CLS]", "[SEP]", *WORDS]
ROWS = [{"text": f"w{i} w{i + 1}", "label": ("cat", "dog", "bär")[i % 3], "split": ("train", "train", "test")[i // 3 % 3]} for i in range(36)]
BY_CLASS = {(row["label"], row["split"] == "test", row["text"]) for row in ROWS}


@pytest.fixture
def texts(tmp_path, capsys):
    """texts(source, ..., options, code=0) packs: ({(class, is test, text)}, what stderr says)."""
    folder = word_tokenizer(tmp_path / "tokenizer", WORDS)

    def packed(*arguments, code=0, tokenizer=folder):
        out = tmp_path / "pack.h5"
        found = main(["texts", *map(str, arguments), "--tokenizer", str(tokenizer), "--out", str(out)])
        streams = capsys.readouterr()
        assert found == code, streams.out + streams.err
        return (set(read_rows(out, ALL_WORDS)) if code == 0 else None), streams.err

    return packed


def as_csv(rows, separator=",", line_end="\n", quoting=csv.QUOTE_MINIMAL):
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), delimiter=separator, lineterminator=line_end, quoting=quoting)
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def as_json_lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_parquet(path, rows):
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=7)


def save_to_disk(folder, rows, names=("bär", "cat", "dog")):
    """As `datasets` saves a Dataset: its files in the order of state.json, labels as indices, their names in the schema."""
    pyarrow, ipc = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.ipc")
    folder.mkdir(parents=True)
    kind = {"_type": "ClassLabel", "names": list(names)}
    schema = pyarrow.schema([("text", pyarrow.string()), ("label", pyarrow.int64())], {"huggingface": json.dumps({"info": {"features": {"label": kind}}})})
    files = [f"data-0000{i}-of-00002.arrow" for i in range(2)]
    for file, part in zip(files, (rows[:5], rows[5:]), strict=True):
        values = [{"text": row["text"], "label": names.index(row["label"]) if row["label"] in names else -1} for row in part]
        with ipc.new_stream(str(folder / file), schema) as stream:
            stream.write_table(pyarrow.Table.from_pylist(values, schema), 3)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": file} for file in files]}))
    (folder / "dataset_info.json").write_text("{}")


CSV, LINES = as_csv(ROWS), as_json_lines(ROWS)
FILES = {
    "a.csv": (CSV.encode(), ""),
    "b.csv": (CSV.encode("utf-8-sig"), "UTF-8 with a byte order mark"),
    "c.csv": (CSV.encode("utf-16"), "read as UTF-16, because of its first bytes"),
    "d.csv": (CSV.encode("utf-16-le"), "read as UTF-16-LE, because every second byte is 0"),
    "e.csv": (CSV.encode("cp1252"), "read as cp1252, because no line with non-ASCII characters is UTF-8"),
    "f.csv": (as_csv(ROWS, ";", "\r\n").encode(), "separated by semicolons, not by commas"),
    "g.tsv": (as_csv(ROWS, "\t").encode(), ""),
    "h.csv.gz": (gzip.compress(CSV.encode()), ""),
    "i.csv": (as_csv(ROWS, quoting=csv.QUOTE_ALL).replace("text", "TEXT ", 1).encode(), ""),
    "j.jsonl": (LINES.encode(), ""),
    "k.jsonl": (codecs.BOM_UTF8 + LINES.replace("\n", "\r\n\n").encode(), "UTF-8 with a byte order mark"),
    "l.jsonl.gz": (gzip.compress(LINES.encode()), ""),
    "m": (LINES.encode("utf-16"), "UTF-16"),
}


@pytest.mark.parametrize("name", FILES)
def test_every_way_of_writing_is_read_alike(texts, tmp_path, name):
    data, said = FILES[name]
    (tmp_path / name).write_bytes(data)
    found, err = texts(tmp_path / name, "--split", "split")
    assert found == BY_CLASS and said in err and "skipped" not in err
    assert bool(said) == ("note:" in err)


def test_parquet_and_arrow_are_read_alike(texts, tmp_path):
    as_parquet(tmp_path / "a.parquet", ROWS)
    assert texts(tmp_path / "a.parquet", "--split", "split") == (BY_CLASS, "")
    for side in ("train", "test"):
        save_to_disk(tmp_path / "saved" / side, [row for row in ROWS if row["split"] == side])
    (tmp_path / "saved" / "dataset_dict.json").write_text('{"splits": ["train", "test", "unsupervised"]}')
    found, err = texts(tmp_path / "saved")
    assert found == BY_CLASS and "splits left out, whose names give no side: unsupervised" in err
    assert texts(tmp_path / "saved" / "train", tmp_path / "saved" / "test")[0] == BY_CLASS
    save_to_disk(tmp_path / "lost", [*ROWS, {"text": "w1", "label": None}])
    assert "row 32: column 'label': expected a value, found none" in texts(tmp_path / "lost")[1]


def test_pyarrow_is_named_where_it_is_missing(texts, tmp_path, monkeypatch):
    as_parquet(tmp_path / "a.parquet", ROWS)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "reading Parquet needs pyarrow. Install it: pip install 'palimpsest[parquet]'" in texts(tmp_path / "a.parquet", code=3)[1]


@pytest.mark.parametrize("names", [("train.csv", "test.csv"), ("my_train.csv", "my_dev.csv"), ("data/train-0.csv", "data/validation-0.csv")])
def test_file_names_say_sides(texts, tmp_path, names):
    for name, side in zip(names, ("train", "test"), strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(as_csv([row for row in ROWS if row["split"] == side]))
    sources = ["data"] if "data" in names[0] else names
    found, err = texts(*(tmp_path / name for name in sources))
    assert found == BY_CLASS and "the names of the sources give the sides: 1 training file and 1 test file" in err
    found, err = texts(*(tmp_path / name for name in sources), "--test-share", "0.5")
    assert found != BY_CLASS and len(found) == 36 and "names of the sources" not in err
    assert "--group: expected a split by hash, found sides" in texts(*(tmp_path / name for name in sources), "--group", "split", code=3)[1]


def test_validation_files_beside_test_files_are_left_out(texts, tmp_path):
    for side in ("train", "test", "val"):
        (tmp_path / f"{side}.csv").write_text(as_csv([row for row in ROWS if row["split"] == side.replace("val", "test")]))
    found, err = texts(tmp_path / "*.csv")
    assert found == BY_CLASS and "validation files are left out, because there are test files: " in err
    (tmp_path / "more.csv").write_text(CSV)
    assert "more.csv: expected a name with one side" in texts(tmp_path / "*.csv", code=3)[1]


def test_val_and_test_rows_are_said_to_be_one_side(texts, tmp_path):
    rows = [row | {"split": "val"} if i == 6 else row for i, row in enumerate(ROWS)]
    (tmp_path / "a.csv").write_text(as_csv(rows))
    found, err = texts(tmp_path / "a.csv", "--split", "split")
    assert found == BY_CLASS and "1 text of val and 11 texts of test together are the test side" in err


def test_a_split_by_hash_gives_each_class_its_share_and_depends_on_no_order(texts, tmp_path):
    (tmp_path / "a.csv").write_text(as_csv(ROWS))
    (tmp_path / "b.csv").write_text(as_csv(ROWS[::-1]))
    found, _ = texts(tmp_path / "a.csv", "--test-share", 0.25)
    in_order = read_rows(tmp_path / "pack.h5", ALL_WORDS)
    assert {name: sum(row[:2] == (name, True) for row in found) for name in ("cat", "dog", "bär")} == {"cat": 3, "dog": 3, "bär": 3}
    assert texts(tmp_path / "b.csv", "--test-share", 0.25)[0] == found
    assert read_rows(tmp_path / "pack.h5", ALL_WORDS) == in_order
    assert texts(tmp_path / "a.csv", "--test-share", 0.25, "--seed", 2)[0] != found


def test_rows_of_a_group_and_equal_texts_are_on_one_side(texts, tmp_path):
    rows = [row | {"author": f"author {i // 4}"} for i, row in enumerate(ROWS)]
    (tmp_path / "a.csv").write_text(as_csv(rows))
    found, _ = texts(tmp_path / "a.csv", "--group", "author", "--test-share", "0.3")
    tested = {text for _, is_test, text in found if is_test}
    sides = {author: {row["text"] in tested for row in rows if row["author"] == author} for author in {row["author"] for row in rows}}
    assert all(len(each) == 1 for each in sides.values()) and len(found) == 36
    assert {frozenset(each) for each in sides.values()} == {frozenset([False]), frozenset([True])}
    (tmp_path / "b.csv").write_text(as_csv(ROWS + ROWS[:10]))
    found, err = texts(tmp_path / "b.csv", "--test-share", "0.5")
    assert len({row[2] for row in found}) == len(found) == 36
    assert "10 texts occur again (lines 38, 39, 40 and 7 more); each is a separate sample" in err


def test_a_large_group_does_not_empty_the_test_side():
    groups = np.array([1] * 8 + [2, 2] + [3] * 7, "u8")
    labels = np.array([0] * 10 + [1] * 7, "i4")
    split = split_by_hash(labels, groups, 0.2)
    assert split.tolist() == [0] * 8 + [1, 1] + [0] * 7  # class 1 has a single group, which stays in training


def test_pairs_are_encoded_as_the_tokenizer_does(texts, tmp_path):
    from tokenizers import Tokenizer, processors

    folder = word_tokenizer(tmp_path / "pairs", WORDS)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    special = [("[CLS]", 1), ("[SEP]", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=special)
    tokenizer.save(str(folder / "tokenizer.json"))
    rows = [{"premise": f"w{i} w1", "hypothesis": f"w{i + 1}", "label": i % 2} for i in range(20)]
    (tmp_path / "a.jsonl").write_text(as_json_lines(rows))
    found, _ = texts(tmp_path / "a.jsonl", "--text", "premise,hypothesis", tokenizer=folder)
    assert {(name, text) for name, _, text in found} == {(str(row["label"]), f"{row['premise']} [SEP] {row['hypothesis']}") for row in rows}
    assert texts(tmp_path / "a.jsonl", "--text", "premise", "--text", "hypothesis", tokenizer=folder)[0] == found
    assert "--text: expected one column, or two different columns, found a, b, c" in texts(tmp_path / "a.jsonl", "--text", "a,b,c", code=2)[1]
    _, err = texts(tmp_path / "a.jsonl", "--text", "premise,hypothesis", "--max-length", 5, tokenizer=folder)
    assert "20 of 20 texts are cut at 5 tokens; the longest has 6. --max-length sets the limit" in err


def test_domains_name_the_classes(texts, tmp_path):
    rows = [row | {"domain": ("books", "films")[i // 3 % 2]} for i, row in enumerate(ROWS)]
    (tmp_path / "a.csv").write_text(as_csv(rows))
    found, _ = texts(tmp_path / "a.csv", "--domain", "domain")
    assert {name for name, _, _ in found} == {f"{domain}/{label}" for domain in ("books", "films") for label in ("cat", "dog", "bär")}


def test_numbers_are_classes_in_their_order(texts, tmp_path):
    (tmp_path / "a.jsonl").write_text(as_json_lines([{"text": row["text"], "label": float(i % 11)} for i, row in enumerate(ROWS)]))
    texts(tmp_path / "a.jsonl")
    with h5py.File(tmp_path / "pack.h5") as file:
        assert [name.decode() for name in file["classes"]] == [str(i) for i in range(11)]
        source = json.loads(file.attrs["source"].decode())
    assert source["files"] == ["a.jsonl"] and source["texts"] == 36 and source["split"] == "hash" and source["test_share"] == 0.2


def test_an_interrupted_call_continues_where_it_was(texts, tmp_path, monkeypatch):
    rows = [*ROWS[:4], {"text": "w1", "label": None, "split": "train"}, *ROWS[4:]]
    (tmp_path / "a.jsonl").write_text(as_json_lines(rows))
    monkeypatch.setattr(make, "BATCH", 10)
    whole, err = texts(tmp_path / "a.jsonl", "--split", "split")
    content = (tmp_path / "pack.h5").read_bytes()
    (tmp_path / "pack.h5").unlink()
    encoded = []

    def encode(tokenizer, batch, original=make.encode):
        if len(encoded) == 2:
            raise KeyboardInterrupt
        encoded.append(len(batch))
        return original(tokenizer, batch)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(make, "encode", encode)
        texts(tmp_path / "a.jsonl", "--split", "split")
    assert encoded == [10, 10] and not (tmp_path / "pack.h5").exists()
    with open(tmp_path / "pack.h5.partial" / "records", "ab") as file:
        file.write(b"torn")
    encoded[:] = [0]
    monkeypatch.setattr(make, "encode", lambda tokenizer, batch, original=make.encode: encoded.append(len(batch)) or original(tokenizer, batch))
    found, err_again = texts(tmp_path / "a.jsonl", "--split", "split")
    assert encoded == [0, 10, 6] and found == whole and (tmp_path / "pack.h5").read_bytes() == content
    assert "resuming after 20 texts of an earlier call" in err_again and "1 of 37 rows skipped" in err and "1 of 37 rows skipped" in err_again
    assert not (tmp_path / "pack.h5.partial").exists()


def test_damaged_tokens_of_an_earlier_call_are_refused(texts, tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text(CSV)
    monkeypatch.setattr(make, "BATCH", 9)
    with monkeypatch.context() as patch:
        patch.setattr(make, "write_samples", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            texts(tmp_path / "a.csv", "--split", "split")
    tokens = tmp_path / "pack.h5.partial" / "tokens"
    tokens.write_bytes(bytes(tokens.stat().st_size))
    assert "pack.h5.partial: expected the tokens that were written before, found others. Repeat the command" in texts(tmp_path / "a.csv", "--split", "split", code=3)[1]


@pytest.mark.parametrize(
    "rows, message",
    [
        ([("w1", "a"), ("w2", "a")], "expected at least 2 classes"),
        ([("w1", "a"), ("w2", "b")], "expected classes with training and test texts"),
        ([("w1", "a\nb"), ("w2", "a\nb"), ("w3", "c"), ("w4", "c")], "expected a name on one line"),
    ],
)
def test_tokens_that_no_call_can_use_do_not_stay(texts, tmp_path, rows, message):
    (tmp_path / "a.csv").write_text(as_csv([{"text": text, "label": label} for text, label in rows]))
    err = texts(tmp_path / "a.csv", code=3)[1]
    assert message in err and "stay in" not in err and not (tmp_path / "pack.h5.partial").exists()


def test_tokens_stay_after_an_error_that_the_same_command_gets_past(texts, tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text(CSV)

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(make, "write_samples", fail)
        _, err = texts(tmp_path / "a.csv", "--split", "split", code=1)
    assert f"the tokens of 36 texts stay in {tmp_path}/pack.h5.partial; the same command continues there" in err and "No space left" in err
    assert texts(tmp_path / "a.csv", "--split", "split")[0] == BY_CLASS


def test_texts_that_occur_again_are_named_by_file_and_line(texts, tmp_path):
    (tmp_path / "a.csv").write_text(CSV + "w1 w2,cat,train\n")
    (tmp_path / "b.csv").write_text("text,label,split\nw0 w1,dog,train\n")
    a, b = tmp_path / "a.csv", tmp_path / "b.csv"
    assert "1 text occurs again (line 38); 1 of them with another label (line 38); each is" in texts(a)[1]
    again = f"2 texts occur again ({a}, line 38; {b}, line 2); 2 of them with another label ({a}, line 38; {b}, line 2)"
    assert again in texts(a, b)[1]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_size_of_the_texts(tmp_path):
    folder, peaks = word_tokenizer(tmp_path / "tokenizer", WORDS), []
    for length in (30, 6000):
        with open(tmp_path / "a.csv", "w") as file:
            file.write("text,label\n")
            file.writelines(f"w{i % 60} {'x' * length}{i},{i % 9}\n" for i in range(20_000))
        command = [sys.executable, str(PROGRAM), "texts", str(tmp_path / "a.csv"), "--tokenizer", str(folder), "--out", str(tmp_path / "p.h5")]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, code, usage = os.wait4(process.pid, 0)
        assert code == 0
        peaks.append(usage.ru_maxrss)  # KiB
    assert peaks[1] - peaks[0] < 40 * 1024, peaks  # the files differ by 119 MB


def test_what_is_left_by_another_command_is_not_used(texts, tmp_path):
    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "pack.h5.partial").mkdir()
    (tmp_path / "pack.h5.partial" / "key").write_text("another")
    (tmp_path / "pack.h5.partial" / "records").write_bytes(bytes(12 * 1024))
    assert texts(tmp_path / "a.csv", "--split", "split")[0] == BY_CLASS


def test_the_old_name_of_max_length_is_hinted_at(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["texts", "a.csv", "--tokenizer", "t", "--out", "o", "--max-tokens", "9"])
    assert stop.value.code == 2 and "--max-tokens was renamed. Use --max-length" in capsys.readouterr().err
