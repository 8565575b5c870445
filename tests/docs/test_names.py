"""Every identifier that a page names is in the code: a function, type or member that is renamed must be renamed in the pages, too."""

import re
import subprocess

import pytest
from page import PAGES, ROOT, blocks, code_spans

CODE = (".h", ".cpp", ".cu", ".py", ".sh", ".sbatch", ".cfg", ".cmake", "CMakeLists.txt", "json")
IDENTIFIER = re.compile(r"(?![0-9a-f]{40})[A-Za-z_]\w*((::|\.)\w+)*(\(.*\))?")
OTHERS = {"MKL_ENABLE_INSTRUCTIONS", "cray_shasta", "mmdebstrap"}  # names of other programs


def words(text):
    return set(re.findall(r"\w+", text))


def words_of_code(folders_left_out):
    """The words of the code outside of these folders and of the names of all files, without comments."""
    paths = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    code = [path for path in paths if path.endswith(CODE) and not path.startswith(folders_left_out)]
    return words(" ".join(paths)).union(*(words(re.sub(r"(//|#).*", "", (ROOT / path).read_text())) for path in code))


@pytest.fixture(scope="module")
def code_words():
    return words_of_code(("docs/",))


def unknown_names(spans, known):
    """"place: name" of each span that reads as an identifier and has a word that isn't known."""
    names = [(place, span) for place, span in spans if IDENTIFIER.fullmatch(span)]
    return [f"{place}: {span}" for place, span in names if not words(span.partition("(")[0]) <= known]


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CHANGELOG.md"])
def test_a_name_on_a_page_is_in_the_code(page, code_words):
    of_the_page = words(" ".join(block.text for block in blocks(page)))
    assert unknown_names(code_spans(page), code_words | of_the_page | OTHERS) == []


def test_the_architecture_names_nothing_that_only_a_test_of_the_programs_has():
    known = words_of_code(("docs/", "tests/app/")) | words(" ".join(block.text for block in blocks("docs/architecture.md")))
    assert unknown_names(code_spans("docs/architecture.md"), known | {"KINDS"}) == []  # of test_parts.py


def test_a_name_that_is_gone_is_found():
    spans = [("page:1", "Lora::gone"), ("page:2", "gone_too"), ("page:3", "kept()"), ("page:4", "gone=1"), ("page:5", "GoneAsWell(x)")]
    assert unknown_names(spans, {"Lora", "kept"}) == ["page:1: Lora::gone", "page:2: gone_too", "page:5: GoneAsWell(x)"]
