"""palimpsest pack texts: what is wrong with a source is said with its place; broken rows are listed and skipped, or refused with --strict."""

import json

import pytest
from image_support import main
from text_support import read_rows, word_tokenizer
from tokenizers import Tokenizer, models, pre_tokenizers

WORDS = [f"w{number}" for number in range(60)]
HEAD = "text,label\n"
GOOD = "".join(f"w{i} w{i + 1},{'ab'[i % 2]}\n" for i in range(20))
OBJECTS = "".join(json.dumps({"text": f"w{i} w{i + 1}", "label": "ab"[i % 2]}) + "\n" for i in range(20))


@pytest.fixture
def texts(tmp_path, capsys):
    """texts(name, data, options, code=0) packs a file: ([(class, is test, text)], what stderr says)."""
    folder = word_tokenizer(tmp_path / "tokenizer", WORDS)

    def packed(name, data, *options, code=0, tokenizer=folder):
        (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        out = tmp_path / "pack.h5"
        found = main(["texts", str(tmp_path / name), *map(str, options), "--tokenizer", str(tokenizer), "--out", str(out)])
        streams = capsys.readouterr()
        assert found == code, streams.out + streams.err
        return (read_rows(out, ["[UNK]", "[CLS]", "[SEP]", *WORDS]) if code == 0 else None), streams.err

    return packed


@pytest.mark.parametrize(
    "row, message",
    [
        (",a\n", "line 2: column 'text': expected a text, found only blanks"),
        ("   ,a\n", "line 2: column 'text': expected a text, found only blanks"),
        ("w1,\n", "line 2: column 'label': expected a value, found ''"),
        ("w1,NaN\n", "line 2: column 'label': expected a value, found 'NaN'"),
        ("w1,a,b\n", "line 2: expected 2 fields, one per column of line 1, found 3; put a field that contains ',' in quotes"),
        ("w1\n", "line 2: expected 2 fields, one per column of line 1, found 1"),
        ("w1\0w2,a\n", "found a NUL character"),
        (b"w\xe4 w1,a\n\xc3\xa4 w1,b\n", "line 2: column 'text': expected text in the file's encoding, found the bytes b'\\xe4'; --encoding names another"),
        (f"w1,{'a' * 501}\n", "line 2: column 'label': expected a name of at most 500 characters, found 501"),
        ('"w1"w2,a\n"w3",b\n', "line 2: expected CSV, found"),
    ],
)  # fmt: skip
def test_broken_rows_of_tables_are_listed_and_skipped(texts, row, message):
    data = (HEAD.encode() + (row if isinstance(row, bytes) else row.encode())) + GOOD.encode()
    found, err = texts("a.csv", data)
    assert "palimpsest pack: skipped " in err and message in err and f"1 of {len(found) + 1} rows skipped, as listed above" in err
    assert len(found) == data.count(b"\n") - 2
    assert message in texts("a.csv", data, "--strict", code=3)[1]


@pytest.mark.parametrize(
    "line, message",
    [
        ('{"text": "w1"}', "line 1: expected a field 'label', found the fields 'text'"),
        ('{"text": "w1", "label": null}', "line 1: column 'label': expected a value, found none"),
        ('{"text": "w1", "label": NaN}', "line 1: column 'label': expected a value, found nan"),
        ('{"text": "w1", "label": ["a"]}', "line 1: column 'label': expected a text or a number, found ['a']"),
        ('{"text": null, "label": "a"}', "line 1: column 'text': expected a text, found none"),
        ('{"text": 5, "label": "a"}', "line 1: column 'text': expected a text, found 5"),
        (r'{"text": "w1 \ud83d", "label": "a"}', r"line 1: column 'text': expected a text, found a lone surrogate, '\ud83d'"),
        (r'{"text": "w1", "label": "a\udc80"}', r"line 1: column 'label': expected a value, found a lone surrogate, '\udc80'"),
        (r'{"text": "w1 \u0000", "label": "a"}', "line 1: column 'text': expected a text, found a NUL character"),
        ('{"text": "w1", "label": "a"', "line 1: expected a JSON object, found '{\"text\": \"w1\", \"label\": \"a\"', which is not JSON at character 29"),
        ("no JSON", "line 1: expected a JSON object, found 'no JSON', which is not JSON at character 1"),
        ('{"text": "w1", "label": true}', "line 1: column 'label': expected a text or a number, found true without quotes; write a name instead"),
        ('["w1", "a"]', 'line 1: expected a JSON object, found \'["w1", "a"]\''),
    ],
)
def test_broken_lines_of_json_are_listed_and_skipped(texts, line, message):
    found, err = texts("a.jsonl", f"{line}\n{OBJECTS}")
    assert f"skipped {err.partition('skipped ')[2].partition('a.jsonl')[0]}a.jsonl, {message}" in err and "1 of 21 rows skipped" in err and len(found) == 20


def test_mixed_encodings_are_broken_rows_and_one_other_encoding_is_read(texts):
    mixed = HEAD.encode() + GOOD.encode() + "w1 ä,a\n".encode() + "w2 ä,b\n".encode("latin-1")
    found, err = texts("a.csv", mixed)
    assert len(found) == 21 and "line 23: column 'text': expected text in the file's encoding, found the bytes b'\\xe4'" in err
    found, err = texts("a.csv", mixed, "--encoding", "latin-1")
    assert len(found) == 22 and "skipped" not in err
    assert "--encoding: expected a name that Python knows" in texts("a.csv", mixed, "--encoding", "no-such", code=2)[1]


@pytest.mark.parametrize(
    "name, data, message",
    [
        ("a.csv", "review,stars\nw1,a\n", "line 1: expected a column 'text', found the columns 'review', 'stars'. The first line must name the columns"),
        ("a.csv", "Texts;label\nw1;a\n", "expected a column 'text', found the columns 'Texts', 'label' (did you mean 'Texts'?)"),
        ("a.csv", "text\nw1\n", "line 1: expected a column 'label', found the columns 'text'. The first line must name the columns; choose them with --text, --label, --split, --domain and --group; --unlabelled reads no labels"),
        ("a.csv", "w1 w2,a\nw2 w3,b\n", "expected a column 'text', found the columns 'w1 w2', 'a'"),
        ("a.csv", "text,label,Text\nw1,a,b\n", None),
        ("a.csv", "Text,label,TEXT\nw1,a,b\n", "expected one column 'text', found 2 of them. Rename the others"),
        ("a.csv", "", "found an empty file"),
        ("a.csv", "\n \n", "a.csv: expected a table whose first line names the columns, found an empty file"),
        ("a.csv", HEAD, "a.csv: expected rows with a text and a label, found no rows"),
        ("a.csv", HEAD + ",a\n", "a.csv: expected rows with a text and a label, found none among 1 row; the reasons are listed above"),
        ("a.csv", HEAD + "w1,a\nw2,a\n", "expected at least 2 classes, found 1: 'a'. Is --label the right column"),
        ("a.csv", HEAD + "w1,1\nw2,1.0\nw3,1\nw4,1.0\n", "labels '1' and '1.0': expected one way of writing a number, found two"),
        ("a.csv", HEAD + "w1,cat\nw2,cat\nw3,c\u0301at\nw4,ca\u00adt\nw5,ca\u00adt\n", "expected names that a reader can distinguish"),
        ("a.jsonl", '{"review": "w1", "label": "a"}\n', "a.jsonl: expected a column 'text', found the columns 'review', 'label'"),
        ("a.json", '[{"text": "w1", "label": "a"}]', "A file that is one JSON value cannot be read; write one object per line"),
        ("a.json", '{\n "text": "w1"\n}', "A file that is one JSON value cannot be read"),
        ("a.jsonl", "w1 w2\n", "line 1: expected one JSON object per line, found 'w1 w2'"),
        ("a.jsonl", "\n", "a.jsonl: expected one JSON object per line, found an empty file"),
        ("a.parquet", "text", "a.parquet: expected a parquet file, found one that begins with b'text'"),
        ("a.parquet", b"PAR1" + bytes(50), "a.parquet: expected a Parquet file, but it cannot be read"),
        ("a.arrow", b"\xff\xff\xff\xff" + bytes(50), "a.arrow: expected an Arrow file, but it cannot be read"),
        ("a.xlsx", b"PK\x03\x04" + bytes(9), "found a ZIP archive or a workbook. Unpack it, or save it as CSV"),
        ("a.csv.gz", b"\x1f\x8b" + bytes(50), "a.csv.gz: expected a complete gzip file, but it is damaged"),
    ],
)  # fmt: skip
def test_sources_that_are_wrong_are_refused(texts, name, data, message):
    if message is None:
        data += "".join(f"w{i},{'ab'[i % 2]},x\n" for i in range(9))
        assert len(texts(name, data)[0]) == 10  # the name as written counts
    else:
        assert message in texts(name, data, code=3)[1]


def test_folders_and_paths_without_data(texts, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"x")
    expected = {"empty": "found no files", "pictures": "found 1 file: 1 .png", "none": "found nothing there", "*.tsv": "found none that match"}
    for source, message in expected.items():
        assert message in texts("a.csv", HEAD + GOOD, tmp_path / source, code=3)[1]
    assert "expected every file once, found it twice" in texts("a.csv", HEAD + GOOD, tmp_path / "a.csv", code=3)[1]


def test_quoted_line_breaks_are_read_and_lines_counted(texts):
    found, err = texts("a.csv", HEAD + GOOD + '"w1\nw2",a\nw3,a,b\n"w5\n\nw6\n')
    assert len(found) == 21 and "line 24: expected 2 fields" in err and "line 25: expected CSV, found unexpected end of data (to line 27)" in err


def test_quotes_that_enclose_nothing_are_characters(texts):
    rows = "".join(f'"w{i}" w{i + 1}\t{"ab"[i % 2]}\n' for i in range(20))
    found, err = texts("a.tsv", "text\tlabel\n" + rows)
    assert len(found) == 20 and "quotes are read as part of the texts" in err and "skipped" not in err


def test_many_broken_rows_are_counted(texts):
    _, err = texts("a.csv", HEAD + GOOD + ",a\n" * 150)
    assert err.count("skipped /") == 100 and "150 of 170 rows skipped, of which the first 100 are listed above" in err


def test_texts_on_both_sides_are_left_out_of_training(texts):
    rows = "".join(f"w{i},{'ab'[i % 2]},{('train', 'test')[i // 2 % 2]}\n" for i in range(20))
    found, err = texts("a.csv", "text,label,split\n" + rows + "w2,a,train\nw2,b,train\nw0,a,train\n", "--split", "split")
    assert "2 training texts left out, which are test texts as well" in err and [row[2] for row in found].count("w2") == 1
    assert "3 texts occur again (lines 22, 23, 24); 1 of them with another label (line 23); each is a separate sample" in err


def test_one_is_singular(texts):
    rows = "".join(f"w{i},{'ab'[i % 2]},{('train', 'test')[i // 2 % 2]}\n" for i in range(20))
    _, err = texts("a.csv", "text,label,split\n" + rows + "w2,a,train\nw1,none,train\n", "--split", "split")
    assert "1 training text left out, which is a test text as well" in err and "the label 'none' of 1 text looks" in err
    assert "1 class has texts on one side only" in err and "a protocol leaves it out: none (1 and 0)" in err


def test_classes_on_one_side_are_named(texts):
    rows = "".join(f"w{i} w{i},{'ab'[i % 2]},{('train', 'test')[i // 2 % 2]}\n" for i in range(20))
    _, err = texts("a.csv", "text,label,split\n" + rows + "w1,c,train\nw2,d,test\n", "--split", "split")
    assert "2 classes have texts on one side only, training and test texts in brackets; a protocol leaves them out: c (1 and 0), d (0 and 1)" in err
    assert "expected classes with training and test texts" in texts("a.csv", "text,label,split\nw1,c,train\nw2,d,test\n", "--split", "split", code=3)[1]
    assert "expected classes with training and test texts" in texts("a.csv", HEAD + "w1,c\nw2,d\n", code=3)[1]
    _, err = texts("a.csv", HEAD + GOOD + "w1,c\n", "--minimum-per-class", 2)
    assert "1 class left out, with fewer than 2 texts: c (1 and 0)" in err


def test_unknown_sides_are_broken_rows(texts):
    rows = "".join(f"w{i},{'ab'[i % 2]},{('train', 'test')[i // 2 % 2]}\n" for i in range(20))
    _, err = texts("a.csv", "text,label,split\n" + rows + "w30,a,holdout\nw31,a,\n", "--split", "split")
    assert "line 22: column 'split': expected one of train, training, test, val" in err and "found 'holdout'" in err and "2 of 22 rows skipped" in err


@pytest.mark.parametrize(
    "options, message",
    [
        (["--split", "label"], "expected a different column for each option, found 'label' twice"),
        (["--split", "s", "--test-share", 0.5], "--test-share cannot be combined with --split"),
        (["--split", "s", "--group", "g"], "--group cannot be combined with --split"),
        (["--text", "text,text"], "--text: expected one column, or two different columns, found text, text"),
        (["--encoding", "klingon"], "--encoding: expected a name that Python knows, such as utf-8, cp1252 or utf-16, found 'klingon'"),
    ],
)
def test_options_that_contradict_each_other(texts, options, message):
    assert message in texts("a.csv", HEAD + GOOD, *options, code=2)[1]


def test_a_domain_has_no_slash(texts):
    _, err = texts("a.csv", "text,label,domain\n" + "".join(f"w{i},{'ab'[i % 2]},x\n" for i in range(9)) + "w30,a,x/y\n", "--domain", "domain")
    assert "line 11: expected a domain without a slash, found 'x/y'" in err


def test_labels_that_read_like_missing_ones_are_said(texts):
    _, err = texts("a.csv", HEAD + GOOD + "w1,none\nw2,none\nw3,-1\nw4,-1\n")
    assert "the label 'none' of 2 texts looks like a missing value" in err and "the label '-1' of 2 texts looks like a missing value" in err


def save(tmp_path, model, name="other"):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    (tmp_path / name).mkdir()
    tokenizer.save(str(tmp_path / name / "tokenizer.json"))
    return tmp_path / name


def test_a_tokenizer_without_a_token_for_unknown_words_is_refused_by_place(texts, tmp_path):
    folder = save(tmp_path, models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    err = texts("a.csv", HEAD + GOOD + "w1 unknown,a\n", tokenizer=folder, code=3)[1]
    assert "a.csv, line 22: the tokenizer can't encode this text: " in err and "Use a tokenizer with a token for unknown words ([UNK])" in err
    assert len(texts("a.csv", HEAD + GOOD, tokenizer=folder)[0]) == 20  # no [PAD] is needed: packs have none


def test_a_tokenizer_that_drops_unknown_characters_is_said_and_its_empty_texts_are_skipped(texts, tmp_path):
    folder = save(tmp_path, models.BPE({"w": 0, **{str(i): i + 1 for i in range(10)}}, []))
    found, err = texts("a.csv", HEAD + GOOD + "???,a\n", tokenizer=folder)
    assert "the tokenizer has no token for unknown characters; texts are packed without them" in err and len(found) == 20
    assert "line 22: expected a text with tokens, found one for which the tokenizer gives only special tokens" in err and "1 of 21 rows skipped" in err
    with_special = word_tokenizer(tmp_path / "special", WORDS)
    made = json.loads((with_special / "tokenizer.json").read_text())
    made["model"] = {"type": "BPE", "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "w": 3, **{str(i): i + 4 for i in range(10)}}, "merges": []}
    (with_special / "tokenizer.json").write_text(json.dumps(made))
    assert "1 of 21 rows skipped" in texts("a.csv", HEAD + GOOD + "???,a\n", tokenizer=with_special)[1]


@pytest.mark.slow
def test_a_hundred_thousand_classes(texts):
    rows = "".join(f"w{i % 60} w{j} w{i // 60 % 60} w{i // 3600},class {i}\n" for i in range(100_000) for j in range(2))
    found, err = texts("a.csv", HEAD + rows)
    assert len(found) == 200_000 and len({name for name, _, _ in found}) == 100_000 and "one side" not in err
