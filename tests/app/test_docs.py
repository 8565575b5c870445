"""The code on the pages does what they say, and the page on the architecture says what the code is."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from page import code
from program import PROGRAM, ROOT


def copy_with(source, target, before, after):
    with open(os.path.join(ROOT, source)) as file:
        text = file.read()
    assert before in text
    target.write_text(text.replace(before, after, 1))


def test_the_reader_finds_every_merge_again(toy, reference_run):
    (reader,) = (text for text in code("docs/file-formats.md", "python") if text.startswith("# read_merges.py"))

    def read(run):
        done = subprocess.run([sys.executable, "-c", reader, run], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    assert len(read(reference_run)) == 4
    toy.run("--merge", "closed-form:by=module", "--tasks", 2, out="read-by-module")
    for line in read(reference_run) + read(toy.path("runs", "read-by-module")):
        assert line.endswith("True")


# page, folder of the part, file with its table, the row behind which the page's comes, number of tests
EXAMPLES = [
    ("add-a-merge-rule.md", "merge", "rules.cpp", "  ROW(closed_form_kind) \\\n", 2),
    ("architecture.md", "perturbation", "perturbations.cpp", "  ROW(sign_perturbation) \\\n", 1),
]


@pytest.mark.slow
@pytest.mark.parametrize("page, folder, table, before, tests", EXAMPLES, ids=[example[1] for example in EXAMPLES])
def test_a_kind_is_added_as_the_page_says(page, folder, table, before, tests, tmp_path):
    """With the part's folder as it is otherwise, linked before palimpsest_core, whose own is then not taken."""
    kind, row, test = code(f"docs/{page}", "cpp")
    (tmp_path / "added.cpp").write_text(kind)
    (tmp_path / "added_test.cpp").write_text(test)
    shutil.copytree(os.path.join(ROOT, "src", folder), tmp_path, dirs_exist_ok=True)
    copy_with(f"src/{folder}/{table}", tmp_path / table, before, before + row)
    folders = [os.path.join(ROOT, "include"), os.path.join(ROOT, "tests", folder)]
    flags = ["-std=c++20", "-Wall", "-Wextra", "-Wshadow", "-Werror", *(f"-I{folder}" for folder in folders)]
    if prefix := os.environ.get("CMAKE_PREFIX_PATH"):
        flags += [f"-I{prefix}/include", f"-L{prefix}/lib"]
    (tmp_path / "as_one.cc").write_text("".join(f'#include "{path}"\n' for path in sorted(tmp_path.glob("*.cpp"))))
    core = os.path.join(os.path.dirname(PROGRAM), "libpalimpsest_core.a")
    libraries = [core, "-lcrypto", "-lboost_program_options", "-lgmock_main", "-lgmock", "-lgtest", "-pthread"]
    subprocess.run([os.environ.get("CXX", "c++"), *flags, tmp_path / "as_one.cc", *libraries, "-o", tmp_path / "tests"], check=True)
    done = subprocess.run([tmp_path / "tests"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert f"[  PASSED  ] {tests} test" in done.stdout


def folders_of_the_source():
    return sorted(name for name in os.listdir(os.path.join(ROOT, "src")) if os.path.isdir(os.path.join(ROOT, "src", name)))


def test_the_picture_of_the_source_has_its_folders():
    with open(os.path.join(ROOT, "docs", "architecture.svg")) as file:
        drawn = re.findall(r'<text class="name"[^>]*>(\w+)<', file.read())
    assert sorted(drawn) == folders_of_the_source()


def included():
    """By folder: the others whose headers it includes."""
    found = {folder: set() for folder in folders_of_the_source()}
    for folder, others in found.items():
        for path in [*pathlib.Path(ROOT, "src", folder).rglob("*"), *pathlib.Path(ROOT, "include", "palimpsest", folder).rglob("*")]:
            if path.suffix in (".h", ".cpp"):
                others |= set(re.findall(r'^#include "palimpsest/(\w+)/', path.read_text(), re.MULTILINE))
        others.discard(folder)
    return found


def test_the_table_says_who_may_include_whom():
    with open(os.path.join(ROOT, "docs", "architecture.md")) as file:
        table = file.read().partition("## Who may include whom")[2].partition("\n## ")[0]
    named = {}
    for folders, may_include in re.findall(r"^\| ([\w, ]+) \| ([\w, ]+) \|", table, re.MULTILINE)[1:]:
        for folder in folders.split(", "):
            named[folder] = set() if may_include == "nothing" else set(may_include.split(", "))
    assert sorted(named) == folders_of_the_source()

    def allowed(folder):
        return named[folder].union(*(allowed(other) for other in named[folder]))

    for folder, others in included().items():
        assert others <= allowed(folder), f"{folder} includes {sorted(others - allowed(folder))}"
        assert named[folder] <= others, f"{folder} doesn't include {sorted(named[folder] - others)}"
