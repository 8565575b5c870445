"""palimpsest pack texts --unlabelled: new texts to predict, where sample n is row n of the sources."""

import json

import pytest
from image_support import main
from text_support import read_rows, word_tokenizer

WORDS = [f"w{number}" for number in range(9)]
OPTIONS = ["--label", "--split", "--domain", "--group", "--test-share", "--minimum-per-class", "--seed"]


@pytest.fixture
def texts(tmp_path, capsys):
    """texts({name: text of the file}, options, code=0): (the texts of the pack in their order, what stderr says)."""
    folder = word_tokenizer(tmp_path / "tokenizer", WORDS)

    def packed(files, *options, code=0):
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        out = tmp_path / "pack.h5"
        sources = [str(tmp_path / name) for name in files]
        found = main(["texts", *sources, "--unlabelled", *map(str, options), "--tokenizer", str(folder), "--out", str(out)])
        streams = capsys.readouterr()
        assert found == code, streams.out + streams.err
        if code:
            return None, streams.err
        rows = read_rows(out, ["[UNK]", "[CLS]", "[SEP]", *WORDS])
        assert {row[:2] for row in rows} == {("unlabelled", True)}
        return [text for _, _, text in rows], streams.err

    return packed


def test_rows_stay_in_their_order_and_repeated_ones_stay(texts):
    rows = ["w5 w1", "w2", "w5 w1", "w0", "w2"]
    assert texts({"a.csv": "id,body\n" + "".join(f"{i},{row}\n" for i, row in enumerate(rows))}, "--text", "body") == (rows, "")
    assert texts({"a.jsonl": "".join(json.dumps({"text": row}) + "\n" for row in rows)})[0] == rows


def test_labels_and_sides_of_the_source_count_for_nothing(texts):
    files = {"test.csv": "text,label\nw3,a\nw4,b\n", "train.csv": "text,label\nw1,\nw2,a\n", "val.csv": "text\nw0\n"}
    assert texts(files) == (["w3", "w4", "w1", "w2", "w0"], "")


@pytest.mark.parametrize(
    "text, message",
    [
        ("id,text\n1,w1\n2,\n3,w3\n", "a.csv, line 3: column 'text': expected a text, found only blanks"),
        ("text\nw1\n\nw3\n\n", "a.csv, line 3: column 'text': expected a text, found only blanks"),
        ("id,text\n1,w1\n2,w1,w2\n3,w3\n", "a.csv, line 3: expected 2 fields, one per column of line 1, found 3"),
    ],
)
def test_a_row_that_cannot_be_packed_is_refused(texts, tmp_path, text, message):
    err = texts({"a.csv": text}, code=3)[1]
    assert message in err and "skipped" not in err
    assert "1 of 3 rows cannot be packed, as listed above. With --unlabelled, sample n must be row n: repair or delete these rows" in err
    assert not (tmp_path / "pack.h5").exists() and not (tmp_path / "pack.h5.partial").exists()


def test_blank_lines_of_several_columns_are_no_rows(texts):
    assert texts({"a.csv": "id,text\n1,w1\n\n2,w2\n\n"}) == (["w1", "w2"], "")
    assert texts({"a.csv": "text\nw1\nw2\n\n\n"}) == (["w1", "w2"], "")


def test_a_file_without_rows_is_refused(texts):
    assert "a.csv: expected rows with a text, found no rows" in texts({"a.csv": "text\n"}, code=3)[1]


@pytest.mark.parametrize("option", OPTIONS)
def test_options_of_labels_and_sides_are_wrong_usage(texts, option):
    value = {"--test-share": 0, "--minimum-per-class": 0, "--seed": 1}.get(option, "text")
    assert f"{option} cannot be combined with --unlabelled" in texts({"a.csv": "text\nw1\n"}, option, value, code=2)[1]
