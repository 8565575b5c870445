"""palimpsest pack images: CSV as pandas, spreadsheets and people write it; nothing is cut, joined or passed over in silence."""

import pytest
from image_support import counts, folder, noise, save

HEAD = "path,label,split\n"
GOOD = HEAD + "x/0.png,a,train\nx/1.png,b,train\nx/2.png,a,test\n"
BAD = [
    (HEAD + "x/0.png,x, y,train\n", "line 2: expected 3 fields, one per column of line 1, found 4: x/0.png,x,y,train. Put a field that contains ','"),
    (HEAD + "x/0.png,a,train\nx/1.png,b\n", "line 3: expected 3 fields, one per column of line 1, found 2: x/1.png,b. Add the missing fields"),
    (HEAD + "x/0.png,a,train,\n", "line 2: expected 3 fields, one per column of line 1, found 4"),
    (HEAD + "# comment\n" + GOOD[len(HEAD) :], "line 2: expected 3 fields, one per column of line 1, found 1: # comment"),
    (HEAD + 'x/0.png,"a,train\nx/1.png,b,test\n', "line 2: expected CSV, found unexpected end of data"),
    (HEAD + 'x/0.png,"a"b,train\n', "line 2: expected CSV, found"),
    (HEAD + 'x/0.png,"a\nb",train\nx/1.png,a,test\n', r"class 'a\nb': expected a name on one line, found a line break"),
    (HEAD + "x/0.png,,train\n", "line 2: expected a path and a label, found an empty field"),
    (HEAD + "x/0.png,  ,train\n", "line 2: expected a path and a label, found an empty field"),
    (HEAD + "x/0.png,a,train\n\n,,\n", "line 4: expected a path and a label, found an empty field"),
    (HEAD + "x/0.png,a,holdout\n", "line 2: expected one of train, test, val, validation as split, found 'holdout'"),
    (HEAD + "x/0.png,a,Training\n", "found 'Training'"),
    (HEAD + "x/0.png,a,\n", "found ''"),
    ("path,Label,label\nx/0.png,a,b\n", "line 1: expected one column label, found 'Label', 'label'"),
    ("path,label,split, SPLIT\nx/0.png,a,train,test\n", "line 1: expected one column split, found 'split', 'SPLIT'"),
    ("path,label,set,phase\nx/0.png,a,train,train\n", "expected one column with sides, found 'set', 'phase'. Rename the right one to split"),
    ("x/0.png,a\nx/1.png,b\n", "found x/0.png,a. The first line must name the columns"),
    ("image_id,target\nx/0.png,b\n", "line 1: expected the columns path,label or path,label,split, found image_id,target"),
    ("sep=,\n" + GOOD, "found sep=,"),
    (HEAD + "x/0.png,a,train\nx/1.png,b\0,train\n", "line 3: expected text in UTF-8, found a NUL byte"),
    (HEAD + "x/0.png,a,train\n./x/0.png,b,train\n", "line 3: ./x/0.png: expected one label for a file, found 'b' here and 'a' in line 2"),
    ("path,label\nx/0.png,1\nx/1.png,1.0\n", "labels '1' and '1.0': expected one way of writing a number"),
    ("path,label\n~/x/0.png,a\n~/x/1.png,b\n", "line 2: ~/x/0.png: expected an image file, found nothing"),
    ("path,label\nhttps://example.org/0.png,a\n", "addresses (https://) are not supported"),
    ("path,label\nx\\0.png,a\n", "with / between folders"),
    ("path,label\ny/0.png,a\ny/1.png,a\n", "or at any other of the 2 paths. Paths must be absolute or relative to the folder of m.csv"),
]


@pytest.fixture
def table(pack, tmp_path):
    """table(text, *options, code=0, name) packs a manifest of x/0.png to x/5.png: (sides by class, stderr)."""
    folder(tmp_path, {"x": 6})

    def made(text, *options, code=0, name="m.csv"):
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
        (tmp_path / name).write_bytes(data)
        path, _, err = pack(tmp_path / name, *options, code=code)
        return counts(path) if code == 0 else None, err

    return made


@pytest.mark.parametrize("text, message", BAD, ids=range(len(BAD)))
def test_what_does_not_fit_is_refused_with_its_line(table, text, message):
    assert message in table(text, code=3)[1]


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace(HEAD, "Path,LABEL,Split\n"),
        GOOD.replace(HEAD, " path , label , split \n"),
        GOOD.replace(",", ", "),
        GOOD.replace("train", " Train ").replace("test", "TEST"),
        GOOD.replace("\n", "\r\n") + "\r\n\r\n",
        "\n" + GOOD.replace("\n", "\n\n"),
        GOOD.replace("x/", '"x/').replace(".png", '.png"'),
        GOOD.encode("utf-8-sig"),
    ],
    ids=["plain", "case", "blanks in line 1", "blanks after commas", "case of sides", "Windows", "blank lines", "quotes", "mark"],
)
def test_other_ways_of_writing_are_read_alike(table, text):
    assert table(text) == ({"a": (1, 1), "b": (1, 0)}, "palimpsest pack: note: 1 class has no test images: b\n")


@pytest.mark.parametrize("separator, name", [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_another_separator_is_read_and_said(table, separator, name):
    found, err = table(GOOD.replace(",", separator))
    assert found == {"a": (1, 1), "b": (1, 0)} and f"fields are separated by {name}, not by commas" in err
    found, err = table(GOOD, name="m.tsv")
    assert found == {"a": (1, 1), "b": (1, 0)} and "separated by commas, not by tabs" in err
    assert "separated" not in table(GOOD.replace(",", "\t"), name="m.tsv")[1]


@pytest.mark.parametrize("column", ["set", "subset", "Partition", "usage"])
def test_a_column_of_sides_under_another_name_is_read_and_said(table, column):
    found, err = table(GOOD.replace("split", column))
    assert found == {"a": (1, 1), "b": (1, 0)} and f"the column '{column.lower()}' contains sides and is read as split" in err


@pytest.mark.parametrize("names", [("train.csv", "test.csv"), ("cub_train.csv", "cub_val.csv"), ("training.csv", "dev.csv")])
def test_a_table_for_each_side_is_refused_unless_all_is_split_again(pack, tmp_path, names):
    folder(tmp_path, {"x": 4})
    paths = [tmp_path / name for name in names]
    for number, path in enumerate(paths):
        path.write_text("path,label\n" + "".join(f"x/{2 * number + i}.png,a\n" for i in range(2)))
    err = pack(*paths, code=3)[2]
    assert "found sources that look like sides. Join the tables into one with a column split; or use --split hashed" in err
    assert counts(pack(*paths, "--split", "hashed")[0]) == {"a": (3, 1)}
    for side, path in zip(("train", "test"), paths):
        path.write_text(path.read_text().replace("label\n", "label,split\n").replace(",a\n", f",a,{side}\n"))
    assert counts(pack(*paths)[0]) == {"a": (2, 2)}


@pytest.mark.parametrize("sides", [("train", "test"), ("data/Training", "data/valid"), ("x/train/images", "x/test/images")])
def test_paths_that_name_sides_need_a_column(pack, tmp_path, sides):
    for number, side in enumerate(sides):
        folder(tmp_path / side, {"train": 2, "bus": 2}, first=9 * number)
    rows = [(f"{side}/{name}/{i}.png", name, word) for side, word in zip(sides, ("train", "test")) for name in ("train", "bus") for i in range(2)]
    (tmp_path / "m.csv").write_text("path,label\n" + "".join(f"{path},{name}\n" for path, name, _ in rows))
    err = pack(tmp_path / "m.csv", code=3)[2]
    assert "m.csv, line 2: " in err and "expected sides, found only paths that look like sides, here and in" in err
    assert "m.csv, line 6: " in err and "Add a column split, or use --split hashed to split all images again" in err
    assert counts(pack(tmp_path / "m.csv", "--split", "hashed")[0]) == {"train": (3, 1), "bus": (3, 1)}
    (tmp_path / "m.csv").write_text("path,label,split\n" + "".join(f"{','.join(row)}\n" for row in rows))
    assert counts(pack(tmp_path / "m.csv")[0]) == {"train": (2, 2), "bus": (2, 2)}
    (tmp_path / "m.csv").write_text("path,label\n" + "".join(f"{path},{name}\n" for path, name, _ in rows[:4]))
    assert counts(pack(tmp_path / "m.csv")[0]) == {"train": (1, 1), "bus": (1, 1)}


def test_columns_that_are_not_read_are_named(table):
    text = ",path,label,Fold,is_valid\n0,x/0.png,a,0,False\n1,x/1.png,a,1,True\n"
    found, err = table(text)
    assert found == {"a": (1, 1)}
    assert "columns not read: '', 'Fold', 'is_valid'; sides are read from a column split" in err
    assert "columns not read: 'width'\n" in table("path,label,width\nx/0.png,a,3\n")[1]


def test_three_sides_are_said(table):
    text = HEAD + "x/0.png,a,train\nx/1.png,a,val\nx/2.png,a,test\nx/3.png,a,test\n"
    found, err = table(text)
    assert found == {"a": (1, 3)}
    assert "1 image of val and 2 images of test together are the test side; leave one kind out to test on the other" in err
    assert "together" not in table(text, "--split", "hashed")[1]
    assert "together" not in table(text.replace("val", "test"))[1]


@pytest.mark.parametrize("encoding, word", [("utf-16", "found UTF-16"), ("utf-16-le", "found a NUL byte"), ("latin-1", "found bytes that are not UTF-8")])
def test_other_encodings_are_named(table, encoding, word):
    assert word in table(GOOD.replace(",b,", ",bär,").encode(encoding), code=3)[1]


def test_file_names_that_are_not_utf8_are_read(table, tmp_path):
    (tmp_path / "x" / "0.png").rename(tmp_path / "x" / "\udcff.png")
    assert table("path,label\nx/\udcff.png,a\nx/1.png,a\n")[0] == {"a": (1, 1)}


def test_a_missing_file_among_others_is_listed(table):
    found, err = table("path,label\nx/0.png,a\nx/none.png,a\nx/1.png,a\n")
    assert found == {"a": (1, 1)} and "line 3: x/none.png: No such file" in err and "1 of 3 images skipped" in err


def test_repeated_rows_are_counted(table):
    found, err = table("path,label\nx/0.png,a\nx/0.png,a\nx/1.png,a\n")
    assert sum(found["a"]) == 3 and "1 row names a file of an earlier row; each is a separate image" in err


@pytest.mark.parametrize(
    "labels, classes, said",
    [
        (("007", "7"), {"7"}, "1 label is used without blanks at the ends and without leading zeros, such as '007' as '7'"),
        (("cat ", "cat"), {"cat"}, "such as 'cat ' as 'cat'"),
        (("nan", "cat"), {"nan", "cat"}, "the label 'nan' of 1 image looks like a missing value"),
        (("NA", "cat"), {"NA", "cat"}, "the label 'NA' of 1 image looks like a missing value"),
        (("1.0", "2.0"), {"1.0", "2.0"}, "2 labels are numbers with a decimal point, such as '1.0'"),
        (("0.25", "-1.5"), {"0.25", "-1.5"}, "2 labels are numbers with a decimal point, such as '-1.5'"),
    ],
)
def test_labels_that_may_be_meant_otherwise_are_said(table, labels, classes, said):
    found, err = table("path,label\n" + "".join(f"x/{i}.png,{label}\n" for i, label in enumerate(labels)))
    assert set(found) == classes and said in err


def test_home_in_options_is_expanded(pack, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / "s" / "a" / "x.png", noise(1))
    path, *_ = pack("~/s")
    assert counts(path) == {"a": (1, 0)}
