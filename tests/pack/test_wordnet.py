"""palimpsest pack wordnet: definitions by lexicographer file, each text once, split by hash."""

import json

import h5py
import pytest
from image_support import main
from palimpsest.pack.wordnet import NAMES, definition_of
from text_support import word_tokenizer

WORDS = [f"w{number}" for number in range(200)]
LICENCE = "  1 This is a licence, which has a | bar\n"


def line(number, lexicographer, gloss):
    return f"{number:08} {lexicographer:02} n 01 word 0 001 @ 00000001 n 0000 | {gloss}  \n"


def glosses(lexicographer, count, first):
    return "".join(line(first + i, lexicographer, f'w{first + i} w{i}; "w1 w2"') for i in range(count))


@pytest.fixture
def database(tmp_path):
    """nouns of 05 (12) and 06 (9), verbs of 38 (6), adjectives of 44 (2)."""
    folder = tmp_path / "wordnet"
    folder.mkdir()
    parts = {"noun": glosses(5, 12, 0) + glosses(6, 9, 20), "verb": glosses(38, 6, 40), "adj": glosses(44, 2, 60), "adv": ""}
    for name, text in parts.items():
        (folder / f"data.{name}").write_text(LICENCE + text)
    return folder


@pytest.fixture
def wordnet(tmp_path, database, capsys):
    """wordnet(*options, code=0) packs the database: ({class: (training texts, test texts)}, source, stderr)."""

    def made(*options, code=0, name="pack.h5"):
        tokenizer = word_tokenizer(tmp_path / "model", WORDS)
        sizes = options or ("--train", 6, "--test", 3, "--minimum-per-class", 4)
        paths = ["--tokenizer", str(tokenizer), "--folder", str(database), "--out", str(tmp_path / name)]
        found = main(["wordnet", *paths, *map(str, sizes)])
        err = capsys.readouterr().err
        assert found == code, err
        return (*texts(tmp_path / name), err) if code == 0 else err

    return made


def texts(path):
    with h5py.File(path) as file:
        ids, ends = file["bytes"][()].view("<i4"), file["offsets"][()] // 4
        found = {}
        for label, side, begin, end in zip(file["labels"], file["split"], ends, ends[1:]):
            words = " ".join(WORDS[number - 3] for number in ids[begin + 1 : end - 1])
            found.setdefault(file["classes"][label].decode(), ([], []))[side].append(words)
        return found, json.loads(file.attrs["source"].decode())


@pytest.mark.parametrize(
    "gloss, definition",
    [
        ("a thing", "a thing"),
        ('move fast; "he ran"; "run!"', "move fast"),
        ('cause to speak, "Can you draw her out"', "cause to speak"),
        ('of old: "the old one"', "of old"),
        ('a place; as in the expression "on the job"', 'a place; as in the expression "on the job"'),
    ],
)
def test_examples_are_behind_a_semicolon_colon_or_comma(gloss, definition):
    assert definition_of(gloss) == definition


def test_classes_are_lexicographer_files_with_definitions_as_texts(wordnet):
    found, source, err = wordnet()
    assert {name: tuple(map(len, sides)) for name, sides in found.items()} == {
        "noun.animal": (6, 3),
        "noun.artifact": (6, 3),
        "verb.motion": (4, 2),
    }
    assert all(len(text.split()) == 2 for sides in found.values() for side in sides for text in side)
    assert source["glosses"] == 29 and source["what"] == "WordNet's glosses without example sentences, by lexicographer file"
    assert "29 of 29 glosses are packed without their example sentences; --examples keeps them" in err
    assert "1 class left out, with fewer than 4 texts or none on a side: adj.ppl (2)" in err
    assert "1 class with fewer than 6 training texts or 3 test texts: verb.motion (4 and 2)" in err
    assert "24 of the 27 texts of 3 classes are used" in err


def test_whole_glosses_are_an_option(wordnet):
    found, source, err = wordnet("--train", 6, "--test", 3, "--minimum-per-class", 4, "--examples")
    assert source["what"] == "WordNet's glosses, by lexicographer file" and "example sentences" not in err
    assert all(len(text.split()) > 2 for sides in found.values() for side in sides for text in side)


def test_a_text_is_kept_once_in_the_class_where_it_is_first(wordnet, database):
    before, _, _ = wordnet()
    with open(database / "data.verb", "a") as file:
        file.write(line(90, 38, "w40 w0") + line(91, 38, 'w3 w3; "w9"'))  # as in the verbs, as in noun.animal
    after, _, err = wordnet(name="second.h5")
    assert after == before
    assert "2 of 31 texts left out, because they repeat earlier ones; 1 text is in several classes and stays in the first" in err
    everything = [text for sides in after.values() for side in sides for text in side]
    assert len(set(everything)) == len(everything)


def test_the_split_depends_on_the_texts_alone(wordnet, database):
    before, _, _ = wordnet()
    for path in database.iterdir():
        licence, *lines = path.read_text().splitlines(keepends=True)
        path.write_text(licence + "".join(reversed(lines)))
    after, _, _ = wordnet(name="second.h5")
    assert after == before


def test_a_missing_database_names_the_debian_package(wordnet, database):
    (database / "data.verb").unlink()
    err = wordnet(code=3)
    assert "data.verb: expected a file of WordNet's database, but it cannot be read: No such file" in err and "apt-get install wordnet-base" in err


@pytest.mark.parametrize("bad", ["00000001 45 n 01 word 0 000 | gloss", "00000001 05 n 01 word 0 000", "no line of WordNet"])
def test_a_line_that_does_not_fit_is_refused_by_number(wordnet, database, bad):
    with open(database / "data.adj", "a") as file:
        file.write(bad + "\n")
    assert "data.adj, line 4: expected an offset, a lexicographer file from 00 to 44" in wordnet(code=3)


def test_too_few_classes_are_refused(wordnet):
    err = wordnet("--minimum-per-class", 10, code=3)
    assert "expected at least 2 classes of 10 texts, found 1 among 29 glosses. Lower --minimum-per-class" in err


def test_names_are_those_of_the_documentation():
    assert len(NAMES) == 45 and NAMES[3] == "noun.Tops" and NAMES[5] == "noun.animal" and NAMES[38] == "verb.motion" and NAMES[44] == "adj.ppl"
