"""Plain technical English: no file has a word of words.txt, which names what to write instead."""

import re

import pytest
from look_up import FOLDERS
from page import PAGES, ROOT

SUFFIXES = (".c", ".in", ".cfg", ".cmake", ".cpp", ".cu", ".h", ".md", ".py", ".sbatch", ".sh", ".svg", ".txt")
NO_SUFFIX = ("apt-cache", "apt-get", "cmake", "sbatch", "srun", "results-table", "palimpsest-pack", "Containerfile")
# Recorded output, and the list itself.
LEFT_OUT = ("bench/results/", "checkpoints_schema/golden/", "tests/fuzz/corpus/", "tests/docs/words.txt", "tests/docs/test_words.py")
# Uses that are not this project's words.
ALLOWED = re.compile(r"std::holds_alternative|hold-out|holds? (a|the|its) lock|stand[-_]?ins?\b|\bstandard|\.tell\(\)", re.IGNORECASE)


def read_list():
    lines = (ROOT / "tests" / "docs" / "words.txt").read_text().splitlines()
    return dict(line.split("\t") for line in lines if not line.startswith("#"))


def list_files():
    paths = [path for path in ROOT.glob("*") if path.is_file()] + [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    return [path for path in sorted(paths) if (path.suffix in SUFFIXES or path.name in NO_SUFFIX)
            and not path.relative_to(ROOT).as_posix().startswith(LEFT_OUT)]  # fmt: skip


def find_words(text, words):
    """'LINE: WORD; write REPLACEMENT' for each listed word, whole or as a part of an identifier."""
    text = ALLOWED.sub(lambda match: "." * len(match[0]), text)
    found = []
    for word, replacement in words.items():
        pattern = word.replace(" ", r"(?:[\s_]|//|#)*")
        for match in re.finditer(rf"(?<![A-Za-z])(?:{pattern})(?![A-Za-z])|(?-i:(?<=[a-z])(?=[A-Z]))(?:{pattern})(?-i:(?![a-z]))", text, re.IGNORECASE):
            if " " not in word and not re.fullmatch("[A-Z]?[a-z]+|[A-Z]+", match[0]):  # ANew
                continue
            found.append(f"{text.count(chr(10), 0, match.start()) + 1}: '{match[0]}'; write: {replacement}")
    return found


def test_every_file_is_in_plain_words():
    words = read_list()
    found = [f"{path.relative_to(ROOT)}:{problem}" for path in list_files() for problem in find_words(path.read_text(), words)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_image(page):
    assert re.findall(r"(?i)\bpictures?\b", (ROOT / page).read_text()) == []


@pytest.mark.parametrize("text", ["// It holds a value.", "int told_rows;", "const kDealtRows", "# it goes\n# on", "int numbers_dealt_;", "TEST(Run, GoesOn)", "STANDING = 1"])
def test_a_planted_word_is_found(text):
    assert len(find_words(text, read_list())) == 1


@pytest.mark.parametrize("text", ["std::holds_alternative<int>(x)", "a stand-in", "layout", "threshold", "HaveANewField", "std::this_thread::yield()"])
def test_other_words_are_not(text):
    assert find_words(text, read_list()) == []
