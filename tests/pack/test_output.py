"""The file that palimpsest pack writes: never a folder, and another pack that was there is named."""

import json

import numpy as np
import pytest
from palimpsest.pack import pack_file
from text_support import run

VERBS = ["texts x.csv --tokenizer t", "chat x.jsonl --tokenizer t", "images x", "glyphs", "debian --tokenizer t", "wordnet --tokenizer t", "protocol --pack p --name n"]


@pytest.fixture
def write(tmp_path, capsys):
    """write(first token, source): (content hash, what stderr says) of a pack of two texts, always at one path."""

    def written(token, source):
        split, tokens = np.array([0, 1], "u1"), [np.array([token], "<i4"), np.array([9], "<i4")]
        pack = pack_file.Pack(10, ["a"], tokens, np.zeros(2, "<i4"), split, source)
        return pack_file.write_pack(tmp_path / "p.h5", pack), capsys.readouterr().err

    return written


@pytest.mark.parametrize("verb", VERBS)
def test_a_folder_is_wrong_usage(tmp_path, verb):
    (tmp_path / "data").mkdir()
    _, err = run(*verb.split(), "--out", f"{tmp_path}/data/", code=2)
    assert f"--out: expected a file, found the folder {tmp_path}/data/; see palimpsest pack " in err
    assert list(tmp_path.iterdir()) == [tmp_path / "data"]


def test_another_pack_that_is_replaced_is_named(write, tmp_path):
    replaced = f"palimpsest pack: note: {tmp_path}/p.h5: replaced another pack (content "
    first, err = write(1, json.dumps({"what": "texts", "files": ["posts.csv"]}))
    assert err == ""
    assert write(1, json.dumps({"what": "texts", "files": ["a", "b", "c", "d"]})) == (first, "")  # the same content
    second, err = write(2, json.dumps({"what": "characters"}))
    assert err == f"{replaced}{first[:8]}..., of a, b, c, ...)\n"
    third, err = write(3, "{}")
    assert err == f"{replaced}{second[:8]}..., of characters)\n"
    assert write(4, "{}")[1] == f"{replaced}{third[:8]}..., of an unknown source)\n"


def test_a_file_that_is_no_pack_is_replaced(write, tmp_path):
    (tmp_path / "p.h5").write_text("no pack")
    assert write(1, "{}")[1] == ""
