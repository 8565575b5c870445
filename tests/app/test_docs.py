"""The code on docs/add-a-merge-rule.md and docs/file-formats.md does what the pages say."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from program import PROGRAM, ROOT


def blocks(page, language):
    with open(os.path.join(ROOT, "docs", page)) as file:
        return re.findall(rf"^```{language}\n(.*?)^```", file.read(), re.MULTILINE | re.DOTALL)


def copy_with(source, target, before, after):
    with open(os.path.join(ROOT, source)) as file:
        text = file.read()
    assert before in text
    target.write_text(text.replace(before, after, 1))


def test_the_reader_finds_every_merge_again(toy, reference_run):
    (reader,) = (code for code in blocks("file-formats.md", "python") if code.startswith("# read_merges.py"))

    def read(run):
        done = subprocess.run([sys.executable, "-c", reader, run], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    assert len(read(reference_run)) == 4
    toy.run("--merge", "closed-form:by=module", "--tasks", 2, out="read-by-module")
    for line in read(reference_run) + read(toy.path("runs", "read-by-module")):
        assert line.endswith("True")


@pytest.mark.slow
def test_the_rule_is_added_as_the_page_says(tmp_path):
    """With src/merge as it is otherwise, linked before palimpsest_core, whose own is then not taken."""
    rule, row, test = blocks("add-a-merge-rule.md", "cpp")
    (tmp_path / "bounded.cpp").write_text(rule)
    (tmp_path / "bounded_test.cpp").write_text(test)
    shutil.copytree(os.path.join(ROOT, "src", "merge"), tmp_path, dirs_exist_ok=True)
    copy_with("src/merge/rules.cpp", tmp_path / "rules.cpp", "  ROW(magmax)", row + "  ROW(magmax)")
    folders = [os.path.join(ROOT, "include"), os.path.join(ROOT, "tests", "merge")]
    flags = ["-std=c++20", "-Wall", "-Wextra", "-Wshadow", "-Werror", *(f"-I{folder}" for folder in folders)]
    if prefix := os.environ.get("CMAKE_PREFIX_PATH"):
        flags += [f"-I{prefix}/include", f"-L{prefix}/lib"]
    (tmp_path / "as_one.cc").write_text("".join(f'#include "{path}"\n' for path in sorted(tmp_path.glob("*.cpp"))))
    core = os.path.join(os.path.dirname(PROGRAM), "libpalimpsest_core.a")
    libraries = [core, "-lcrypto", "-lgmock_main", "-lgmock", "-lgtest", "-pthread"]
    subprocess.run([os.environ.get("CXX", "c++"), *flags, tmp_path / "as_one.cc", *libraries, "-o", tmp_path / "tests"], check=True)
    done = subprocess.run([tmp_path / "tests"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "[  PASSED  ] 2 tests." in done.stdout


def test_the_picture_of_the_source_has_its_folders():
    with open(os.path.join(ROOT, "docs", "architecture.svg")) as file:
        drawn = re.findall(r'<text class="name"[^>]*>(\w+)<', file.read())
    assert sorted(drawn) == sorted(name for name in os.listdir(os.path.join(ROOT, "src")) if os.path.isdir(os.path.join(ROOT, "src", name)))
