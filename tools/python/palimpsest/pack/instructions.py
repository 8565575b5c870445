"""Six instruction tasks for a decoder, each with prompts and short completions, as JSON Lines for `palimpsest pack chat`.

Made of generated questions, WordNet's glosses, Debian's package index and its French translations. No prompt is on both sides.
"""

import collections
import json
import pathlib
import re
import typing

from ..counted import counted
from ..files import atomic
from . import InputError, UsageError, debian, wordnet
from .notes import note
from .pack_file import TEST, TRAIN
from .pack_hash import sha256

CLASSES = 10  # of a task whose answers are classes; all have the same number of samples
MOST_CHARACTERS = 60  # of the text that a prompt shows
MOST_FRENCH = 35  # characters of a description in English and of its translation
LEAST_COUNT = 3  # times that a word occurs with its sense in WordNet's tagged texts
COUNTS = "cntlist.rev"  # sense keys, their order and their counts: cntlist(5WN)
NUMBER = "Answer with a number."
CLASS = "Which WordNet class is this a gloss of?"
WORD = "Which noun that begins with {} has this gloss?"
SECTION = "Which section of Debian has this package?"
FRENCH = "Translate into French."


class Sample(typing.NamedTuple):
    prompt: str
    completion: str
    group: str  # samples of a group are on one side


Sides: typing.TypeAlias = tuple[list[Sample], list[Sample]]  # [TRAIN], [TEST]


class Sources(typing.NamedTuple):
    """What the tasks are made of."""

    questions: list[dict[str, str]]  # task, question and answer
    senses: list[wordnet.Sense]
    counts: dict[str, int]  # by sense key, of WordNet's tagged texts
    packages: list[debian.Package]
    french: dict[str, str]  # short descriptions by the MD5 of the English ones


def _ask(instruction: str, text: str) -> str:
    return f"{instruction}\n{text}"


def read_questions(path: str) -> list[dict[str, str]]:
    """The lines that launch/questions.py has written."""
    try:
        found = [json.loads(line) for line in pathlib.Path(path).read_text("utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected JSON Lines written by launch/questions.py, but the file cannot be read: {error}") from None
    for number, each in enumerate(found, 1):
        if not isinstance(each, dict) or not all(isinstance(each.get(name), str) for name in ("task", "question", "answer")):
            raise InputError(f"{path}, line {number}: expected an object with the texts task, question and answer, found {str(each)[:60]}")
    return found


def read_counts(folder: str | pathlib.Path) -> dict[str, int]:
    """{sense key: how often it occurs in the tagged texts}."""
    path = pathlib.Path(folder) / COUNTS
    try:
        rows = [line.split() for line in path.read_text("utf-8").splitlines()]
        return {key: int(count) for key, _, count in rows}
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: expected lines with a sense key, an order and a count, but the file cannot be read: {error}. apt-get install wordnet-base"
        ) from None


def read_translations(path: str) -> dict[str, str]:
    """{MD5 of an English description: the French one in a line} of an unpacked Translation-fr file; of several the first."""
    try:
        text = pathlib.Path(path).read_text("utf-8", "replace")
    except OSError as error:
        raise InputError(f"{path}: expected Debian's French package descriptions, but the file cannot be read: {error.strerror}") from None
    found: dict[str, str] = {}
    for stanza in text.split("\n\n"):
        fields = debian.fields_of(stanza)
        if "Description-md5" in fields and fields.get("Description-fr"):
            found.setdefault(fields["Description-md5"], fields["Description-fr"])
    if not found:
        raise InputError(f"{path}: expected an uncompressed Translation-fr file with Description-md5: and Description-fr: lines, found none")
    return found


def split(samples: typing.Iterable[Sample], train: int, test: int) -> Sides:
    """The first `test` samples in the order of the SHA-256 of their groups, and `train` of other groups. Of equal prompts the first stays."""
    first: dict[str, Sample] = {}
    for sample in samples:
        first.setdefault(sample.prompt, sample)
    ordered = sorted(first.values(), key=lambda sample: (sha256(sample.group), sha256(sample.prompt)))
    tests = ordered[:test]
    groups = {sample.group for sample in tests}
    return [sample for sample in ordered if sample.group not in groups][:train], tests


def questions_of(task: str, sources: Sources) -> list[Sample]:
    asked = [(_ask(NUMBER, each["question"]), each["answer"]) for each in sources.questions if each["task"] == task]
    return [Sample(prompt, answer, prompt) for prompt, answer in asked]


def _short_definitions(senses: list[wordnet.Sense]) -> typing.Iterator[tuple[wordnet.Sense, str]]:
    """(a sense, its gloss without examples) of the glosses that a prompt shows."""
    for sense in senses:
        definition = wordnet.definition_of(sense.gloss)
        if len(definition) <= MOST_CHARACTERS:
            yield sense, definition


def class_of_gloss(sources: Sources, train: int, test: int) -> Sides:
    """Glosses of the largest classes of WordNet, as many of each, with the name of the class as completion."""
    by_class: dict[str, dict[str, None]] = collections.defaultdict(dict)
    seen: set[str] = set()
    for sense, definition in _short_definitions(sources.senses):
        if definition not in seen:
            seen.add(definition)
            by_class[sense.name][definition] = None
    largest = sorted(by_class, key=lambda name: (-len(by_class[name]), name))[:CLASSES]
    sides = wordnet.choose({name: list(by_class[name]) for name in largest}, train // CLASSES, test // CLASSES, 1)
    return _of_classes(CLASS, {name: (list(each[TRAIN]), list(each[TEST])) for name, each in sides.items()})


def section_of_package(sources: Sources, train: int, test: int) -> Sides:
    """Descriptions of packages of the largest sections, as many of each, with the name of the section as completion."""
    short = [package for package in sources.packages if len(package.text) <= MOST_CHARACTERS]
    chosen = debian.choose(short, CLASSES, train // CLASSES, test // CLASSES)
    texts = {name: ([each.text for each in sides[TRAIN]], [each.text for each in sides[TEST]]) for name, sides in sorted(chosen.items())}
    return _of_classes(SECTION, texts)


def _of_classes(instruction: str, texts: dict[str, tuple[list[str], list[str]]]) -> Sides:
    made: Sides = [], []
    for side in (TRAIN, TEST):
        made[side].extend(Sample(_ask(instruction, text), name, text) for name, sides in texts.items() for text in sides[side])
    return made


def words_of_glosses(sources: Sources) -> list[Sample]:
    """Glosses of common nouns of one word, which the gloss doesn't contain, with the first letter in the prompt."""
    samples = []
    for sense, definition in _short_definitions(sources.senses):
        key = f"{sense.word}%1:{wordnet.NAMES.index(sense.name):02}:{sense.number:02}::"  # of a noun: senseidx(5WN)
        is_plain = sense.name.startswith("noun.") and re.fullmatch("[a-z]+", sense.word) is not None
        if is_plain and sources.counts.get(key, 0) >= LEAST_COUNT and not re.search(rf"\b{sense.word}", definition):
            samples.append(Sample(_ask(WORD.format(sense.word[0]), definition), sense.word, sense.word))
    return samples


def french_descriptions(sources: Sources) -> list[Sample]:
    """Short descriptions of packages in English and French; those of one source are on one side."""
    found = [(package, sources.french.get(package.md5, "")) for package in sources.packages]
    return [
        Sample(_ask(FRENCH, package.text), french, package.source)
        for package, french in found
        if len(package.text) <= MOST_FRENCH and 0 < len(french) <= MOST_FRENCH and french != package.text
    ]


TASKS: dict[str, typing.Callable[[Sources, int, int], Sides]] = {
    "arithmetic": lambda sources, train, test: split(questions_of("arithmetic", sources), train, test),
    "algebra": lambda sources, train, test: split(questions_of("algebra", sources), train, test),
    "gloss-class": class_of_gloss,
    "section": section_of_package,
    "gloss-word": lambda sources, train, test: split(words_of_glosses(sources), train, test),
    "french": lambda sources, train, test: split(french_descriptions(sources), train, test),
}


def write_tasks(folder: str, sources: Sources, train: int, test: int) -> dict[str, tuple[int, int]]:
    """Writes TASK.train.jsonl and TASK.test.jsonl of each task into `folder`: {task: (training samples, test samples)}.

    Raises UsageError for numbers that the classes can't share, and InputError for a task with too few samples.
    """
    for name, number in (("--train", train), ("--test", test)):
        if number % CLASSES:
            raise UsageError(f"{name}: expected a multiple of {CLASSES}, so that all classes have the same number of samples, found {number}")
    made: dict[str, Sides] = {}
    for name, make in TASKS.items():
        sides = made[name] = make(sources, train, test)
        if (len(sides[TRAIN]), len(sides[TEST])) != (train, test):
            raise InputError(
                f"task {name}: expected {counted(train, 'training sample')} and {counted(test, 'test sample')}, found {len(sides[TRAIN])} and "
                f"{len(sides[TEST])}. Lower --train and --test, or give a fuller source"
            )
    for name, sides in made.items():
        for side, word in ((TRAIN, "train"), (TEST, "test")):
            with atomic(pathlib.Path(folder) / f"{name}.{word}.jsonl") as temporary:
                lines = [json.dumps({"prompt": each.prompt, "completion": each.completion}, ensure_ascii=False) + "\n" for each in sides[side]]
                temporary.write_text("".join(lines), encoding="utf-8")
    note("prompts of gloss-word and french have several right answers, of which one is recorded: exact match is a lower bound there")
    return {name: (len(sides[TRAIN]), len(sides[TEST])) for name, sides in made.items()}
