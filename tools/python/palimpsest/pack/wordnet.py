"""WordNet's glosses as a stream of short texts: the definition of each sense, with its lexicographer file as class.

Example sentences, which contain the word, are left out and counted in a note, as are definitions that occur again.
"""

import collections
import hashlib
import pathlib
import re
import typing

from ..counted import counted, form
from . import InputError
from .notes import note
from .pack_file import TEST, TRAIN, PackIndex
from .pack_hash import sha256
from .texts.make import Request, pack_in_order
from .texts.rows import Row

FOLDER = "/usr/share/wordnet"
FILES = ("data.noun", "data.verb", "data.adj", "data.adv")
# Lexicographer files by number, from lexnames(5WN).
NAMES = (  # noqa: SIM905
    "adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body noun.cognition "
    "noun.communication noun.event noun.feeling noun.food noun.group noun.location noun.motive noun.object noun.person "
    "noun.phenomenon noun.plant noun.possession noun.process noun.quantity noun.relation noun.shape noun.state "
    "noun.substance noun.time verb.body verb.change verb.cognition verb.communication verb.competition "
    "verb.consumption verb.contact verb.creation verb.emotion verb.motion verb.perception verb.possession verb.social "
    "verb.stative verb.weather adj.ppl"
).split()
_EXAMPLES = re.compile(r'[;:,]\s*"')  # where the first begins


class Sense(typing.NamedTuple):
    name: str  # the lexicographer file
    word: str  # the first of the synonyms, with _ for blanks; empty where the line has none
    number: int  # lex_id, which distinguishes senses of a word in a lexicographer file
    gloss: str


def read_database(folder: str | pathlib.Path = FOLDER) -> dict[str, bytes]:
    """The bytes of the four files of data."""
    try:
        return {name: (pathlib.Path(folder) / name).read_bytes() for name in FILES}
    except OSError as error:
        raise InputError(
            f"{error.filename}: expected a file of WordNet's database, but it cannot be read: {error.strerror}. apt-get install wordnet-base "
            f"installs the database in {FOLDER}; --folder names another folder"
        ) from None


def read_senses(database: dict[str, bytes]) -> list[Sense]:
    """All senses in the order of the files."""
    senses = []
    for name, data in database.items():
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            if line.startswith("  "):  # the licence
                continue
            head, _, gloss = line.partition(" | ")
            fields = head.split(maxsplit=6)
            if not gloss.strip() or len(fields) < 3 or not fields[1].isdecimal() or int(fields[1]) >= len(NAMES):
                raise InputError(
                    f"{name}, line {number}: expected an offset, a lexicographer file from 00 to {len(NAMES) - 1}, more fields "
                    f"and a gloss after a bar, found {line[:60]!r}. Install wordnet-base again"
                )
            word, digit = fields[4:6] if len(fields) >= 6 else ("", "0")
            senses.append(Sense(NAMES[int(fields[1])], word, int(digit, 16), gloss.strip()))
    return senses


def read_glosses(database: dict[str, bytes]) -> list[tuple[str, str]]:
    """[(class, gloss)] in the order of the files."""
    return [(sense.name, sense.gloss) for sense in read_senses(database)]


def definition_of(gloss: str) -> str:
    """A gloss without the example sentences, which are in quotes behind a semicolon, colon or comma."""
    return _EXAMPLES.split(gloss, maxsplit=1)[0].strip()


def texts_by_class(glosses: list[tuple[str, str]], examples: bool) -> dict[str, list[str]]:
    """{class: its texts}, each text once, in the class in which it is first. `examples`: texts are whole glosses."""
    first: dict[str, str] = {}
    shared: set[str] = set()
    for name, gloss in glosses:
        text = gloss if examples else definition_of(gloss)
        if first.setdefault(text, name) != name:
            shared.add(text)
    cut = 0 if examples else sum(definition_of(gloss) != gloss for _, gloss in glosses)
    if cut:
        note(f"{cut} of {counted(len(glosses), 'gloss')} {form(cut, 'is', 'are')} packed without their example sentences; --examples keeps them")
    again = len(glosses) - len(first)
    if again:
        note(
            f"{again} of {counted(len(glosses), 'text')} left out, because {form(again, 'it repeats an earlier text', 'they repeat earlier ones')}; "
            f"{counted(len(shared), 'text')} {form(len(shared), 'is', 'are')} in several classes and {form(len(shared), 'stays', 'stay')} in the first"
        )
    by_class: dict[str, list[str]] = collections.defaultdict(list)
    for text, name in first.items():
        by_class[name].append(text)
    return by_class


def choose(by_class: dict[str, list[str]], train: int, test: int, minimum: int) -> dict[str, tuple[list[str], list[str]]]:
    """{class: ([training texts], [test texts])}, in the order of the texts' SHA-256.

    A class with fewer than train + test texts gives the same share of them to the test. Classes below `minimum` are left out.
    """
    chosen: dict[str, tuple[list[str], list[str]]] = {}
    few: dict[str, int] = {}
    short: dict[str, tuple[int, int]] = {}
    for name in filter(by_class.get, NAMES):
        texts = sorted(by_class[name], key=sha256)
        whole = len(texts) >= train + test
        tests = test if whole else len(texts) * test // (train + test)
        sides = texts[tests : tests + train], texts[:tests]
        if len(texts) < minimum or not (sides[TRAIN] and sides[TEST]):
            few[name] = len(texts)
            continue
        chosen[name] = sides
        if not whole:
            short[name] = len(sides[TRAIN]), len(sides[TEST])
    if few:
        left = ", ".join(f"{name} ({count})" for name, count in few.items())
        note(f"{counted(len(few), 'class')} left out, with fewer than {counted(minimum, 'text')} or none on a side: {left}")
    if short:
        named = ", ".join(f"{name} ({counts[TRAIN]} and {counts[TEST]})" for name, counts in short.items())
        note(
            f"{counted(len(short), 'class')} with fewer than {counted(train, 'training text')} or {counted(test, 'test text')}: {named}; "
            "protocol --train 0 --test 0 uses all that a class has"
        )
    used = sum(len(side) for sides in chosen.values() for side in sides)
    note(f"{used} of the {sum(len(by_class[name]) for name in chosen)} texts of {counted(len(chosen), 'class')} are used")
    return chosen


def make_pack(request: Request, database: dict[str, bytes], train: int, test: int, minimum: int, examples: bool) -> tuple[PackIndex, str]:
    """Writes the pack of WordNet's database: (PackIndex, content_sha256). Raises InputError when not even two classes have enough texts."""
    glosses = read_glosses(database)
    chosen = choose(texts_by_class(glosses, examples), train, test, minimum)
    if len(chosen) < 2:
        raise InputError(
            f"expected at least 2 classes of {counted(minimum, 'text')}, found {len(chosen)} among {counted(len(glosses), 'gloss')}. Lower --minimum-per-class"
        )
    rows = [Row("gloss", repr(text[:60]), text, name, side) for name, sides in chosen.items() for side in (TRAIN, TEST) for text in sides[side]]
    source: dict[str, object] = {
        "what": "WordNet's glosses" + ("" if examples else " without example sentences") + ", by lexicographer file",
        "database_sha256": hashlib.sha256(b"".join(database[name] for name in FILES)).hexdigest(),
        "glosses": len(glosses),
        "train": train,
        "test": test,
        "minimum_per_class": minimum,
    }
    return pack_in_order(request, list(chosen), rows, source)
