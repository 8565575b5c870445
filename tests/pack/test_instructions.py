"""palimpsest pack instructions: six tasks as JSON Lines, from small sources, with nothing on both sides."""

import collections
import json

import pytest
from image_support import main
from palimpsest.pack import InputError
from palimpsest.pack.instructions import TASKS, Sample, read_translations, split
from palimpsest.pack.pack_file import read_pack
from palimpsest.pack.wordnet import NAMES
from test_chat import byte_tokenizer

CLASSES = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]  # lexicographer files of nouns, of which the last has fewest
SECTIONS = [f"s{number:02}" for number in range(11)]


def gloss(number, lexicographer, word, text):
    return f"{number:08} {lexicographer:02} n 01 {word} 0 000 | {text}  \n"


def plain(number):
    """A word of the letters a to j."""
    return "x" + "".join(chr(ord("a") + int(digit)) for digit in f"{number:04}")


def make_wordnet(folder):
    folder.mkdir()
    numbers = [(lexicographer, index) for lexicographer in CLASSES for index in range(4 if lexicographer == CLASSES[-1] else 5)]
    words = [plain(10 * lexicographer + index) for lexicographer, index in numbers]
    lines = [gloss(number, each[0], words[number], f'thing {number}; "an example"') for number, each in enumerate(numbers)]
    lines += [
        gloss(9000, 5, "barks", "what barks"),
        gloss(9001, 5, "two_words", "a pair"),
        gloss(9002, 5, "Name", "a name"),
        gloss(9003, 5, "rare", "a seldom thing"),
        gloss(9004, 5, "lengthy", "long " * 20),
    ]
    (folder / "data.noun").write_text("".join(lines))
    for name in ("verb", "adj", "adv"):
        (folder / f"data.{name}").write_text("")
    named = [(word, lexicographer) for word, (lexicographer, _) in zip(words, numbers, strict=True)]
    named += [("barks", 5), ("two_words", 5), ("name", 5), ("lengthy", 5)]
    counts = [f"{word}%1:{lexicographer:02}:00:: 1 3\n" for word, lexicographer in named] + ["rare%1:05:00:: 1 2\n"]
    (folder / "cntlist.rev").write_text("".join(counts))


def make_debian(folder):
    packages, french = [], []
    for section in SECTIONS:
        for number in range(8 if section != SECTIONS[-1] else 7):
            name, md5 = f"{section}-{number}", f"{section}{number}".ljust(32, "0")
            source = f"Source: {section}-{number // 2}\n"
            packages.append(f"Package: {name}\n{source}Section: {section}\nDescription: tool {name}\nDescription-md5: {md5}\n")
            french.append(f"Package: {name}\nDescription-md5: {md5}\nDescription-fr: outil {name}\n more text\n")
    packages.append("Package: long\nSection: s00\nDescription: " + "long " * 20 + f"\nDescription-md5: {'1' * 32}\n")
    packages.append(f"Package: same\nSection: s00\nDescription: same\nDescription-md5: {'2' * 32}\n")
    packages.append(f"Package: other\nSection: s00\nDescription: not translated\nDescription-md5: {'3' * 32}\n")
    french += [f"Description-md5: {'1' * 32}\nDescription-fr: court\n", f"Description-md5: {'2' * 32}\nDescription-fr: same\n"]
    (folder / "Packages").write_text("\n".join(packages))
    (folder / "Translation-fr").write_text("\n".join(french))


@pytest.fixture
def sources(tmp_path):
    make_wordnet(tmp_path / "wordnet")
    make_debian(tmp_path)
    rows = [{"task": task, "question": f"What is {task} {number}?", "answer": str(number)} for task in ("arithmetic", "algebra") for number in range(60)]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.fixture
def instructions(sources, capsys):
    """instructions(*options, code=0): ({task: (training, test)}, each {prompt: completion}; stderr)."""

    def made(*options, out="out", code=0):
        names = {"--questions": "questions.jsonl", "--translations": "Translation-fr", "--index": "Packages", "--folder": "wordnet", "--out": out}
        paths = [word for option, name in names.items() for word in (option, str(sources / name))]
        assert main(["instructions", *paths, *(options or ("--train", "20", "--test", "10"))]) == code
        err = capsys.readouterr().err
        return ({task: tuple(read(sources / out / f"{task}.{side}.jsonl") for side in ("train", "test")) for task in TASKS} if code == 0 else None), err

    return made


def read(path):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert all(list(row) == ["prompt", "completion"] for row in rows)
    found = {row["prompt"]: row["completion"] for row in rows}
    assert len(found) == len(rows)
    return found


def test_every_task_has_all_samples_and_no_prompt_on_both_sides(instructions):
    made, _ = instructions()
    assert {task: tuple(map(len, sides)) for task, sides in made.items()} == dict.fromkeys(
        ("arithmetic", "algebra", "gloss-class", "section", "gloss-word", "french"), (20, 10)
    )
    assert not any(train.keys() & test.keys() for train, test in made.values())


def test_the_ten_largest_classes_have_as_many_samples_each(instructions):
    made, _ = instructions()
    for task, names in (("gloss-class", [NAMES[number] for number in CLASSES[:10]]), ("section", SECTIONS[:10])):
        train, test = (collections.Counter(side.values()) for side in made[task])
        assert train == dict.fromkeys(names, 2) and test == dict.fromkeys(names, 1)


def test_prompts_are_an_instruction_and_a_text_without_examples(instructions):
    made, _ = instructions()
    prompts = [prompt for side in made["gloss-class"] for prompt in side]
    assert all(prompt.startswith("Which WordNet class is this a gloss of?\n") and "example" not in prompt for prompt in prompts)
    train, _ = made["arithmetic"]
    prompt, answer = next(iter(train.items()))
    assert prompt == f"Answer with a number.\nWhat is arithmetic {answer}?"


def test_a_word_is_common_plain_and_not_in_its_gloss(instructions):
    made, _ = instructions("--train", "30", "--test", "20")
    everything = {prompt: word for side in made["gloss-word"] for prompt, word in side.items()}
    assert not {"barks", "two_words", "Name", "rare", "lengthy"} & set(everything.values())
    assert all(prompt.startswith("Which noun that begins with x has this gloss?\nthing ") for prompt in everything)


def test_translations_are_short_and_those_of_a_source_on_one_side(instructions):
    made, _ = instructions("--train", "30", "--test", "20")
    train, test = made["french"]
    everything = train | test
    assert not {"court", "same"} & set(everything.values())
    assert all(french == "outil " + prompt.removeprefix("Translate into French.\ntool ") for prompt, french in everything.items())
    sources = [{(french.split("-")[0], int(french.split("-")[1]) // 2) for french in side.values()} for side in (train, test)]
    assert not sources[0] & sources[1]


def test_the_order_of_the_sources_decides_nothing(instructions, sources):
    before, _ = instructions()
    for name in ("questions.jsonl", "wordnet/data.noun", "wordnet/cntlist.rev"):
        path = sources / name
        path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    for name in ("Packages", "Translation-fr"):
        stanzas = (sources / name).read_text().split("\n\n")
        (sources / name).write_text("\n\n".join(reversed(stanzas)) + "\n")
    after, _ = instructions(out="again")
    assert after == before


def test_chat_makes_a_class_of_each_task_with_these_sides(instructions, sources):
    made, _ = instructions()
    tokenizer = byte_tokenizer(sources / "model")
    assert main(["chat", str(sources / "out"), "--tokenizer", str(tokenizer), "--out", str(sources / "pack.h5")]) == 0
    pack, _ = read_pack(sources / "pack.h5")
    counts = dict(zip(pack.classes, map(tuple, pack.counts().tolist()), strict=True))
    assert counts == {task: (len(train), len(test)) for task, (train, test) in made.items()}


def test_groups_are_on_one_side():
    samples = [Sample(f"p{number}", "c", f"g{number // 4}") for number in range(40)] + [Sample("p0", "other", "g9")]
    train, test = split(samples, 30, 5)
    assert len(test) == 5 and len(train) == 30
    assert not {each.group for each in train} & {each.group for each in test}
    assert all(each.completion == "c" for each in train + test)


def test_too_few_samples_name_the_task(instructions):
    _, err = instructions("--train", "100", "--test", "50", code=3)
    assert "task arithmetic: expected 100 training samples and 50 test samples, found 10 and 50. Lower --train and --test" in err


def test_classes_must_share_the_samples_evenly(instructions):
    _, err = instructions("--train", "25", code=2)
    assert "--train: expected a multiple of 10, so that all classes have the same number of samples, found 25" in err


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("questions.jsonl", "{}\n", "questions.jsonl, line 1: expected an object with the texts task, question and answer, found {}"),
        ("questions.jsonl", "no JSON", "expected JSON Lines written by launch/questions.py"),
        ("wordnet/cntlist.rev", "dog%1:05:00:: 1\n", "cntlist.rev: expected lines with a sense key, an order and a count"),
        ("Translation-fr", "Package: a\n", "expected an uncompressed Translation-fr file"),
    ],
)
def test_a_source_of_another_form_is_refused(instructions, sources, name, text, message):
    (sources / name).write_text(text)
    _, err = instructions(code=3)
    assert message in err


def test_the_first_translation_stays(tmp_path):
    path = tmp_path / "fr"
    path.write_text("Description-md5: a\nDescription-fr: un\n more\n\nDescription-md5: a\nDescription-fr: deux\n")
    assert read_translations(str(path)) == {"a": "un"}
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_translations(str(tmp_path / "none"))
