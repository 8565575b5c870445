"""What the tests of pages share: the program, runs of every format version, and runs of as many tasks as are wanted."""

import contextlib
import html
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from made_records import long_run
from tiers import quick

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "checkpoints_schema" / "golden"
START = [sys.executable, "-c", "from palimpsest.pages.program import run; run()"]


@pytest.fixture(scope="session")
def start_report():
    """start_report(arguments...): palimpsest report as a process."""

    def start(*arguments):
        environment = os.environ | {"PYTHONPATH": str(ROOT / "tools" / "python")}
        return subprocess.Popen([*START, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    return start


@pytest.fixture(scope="session")
def report():
    """report(arguments..., code=0): what palimpsest report writes, as one text; its exit code is checked. In this process, which has matplotlib already."""
    from palimpsest.pages.cli import main

    def run(*arguments, code=0):
        written = io.StringIO()
        with contextlib.redirect_stdout(written), contextlib.redirect_stderr(written):
            try:
                found = main([str(argument) for argument in arguments])
            except SystemExit as stop:
                found = stop.code
        assert found == code, f"exit code {found}, expected {code}:\n{written.getvalue()}"
        return written.getvalue()

    return run


@pytest.fixture
def golden(tmp_path):
    """A copy of a golden run of two tasks."""
    return shutil.copytree(GOLDEN / "3.0.0" / "run", tmp_path / "golden")


@pytest.fixture(scope="session", params=quick(1, sorted((str(path.parent.relative_to(GOLDEN)) for path in GOLDEN.glob("*/*/run.json")), reverse=True)))
def golden_of_version(request):
    return GOLDEN / request.param


@pytest.fixture
def make_long_run(tmp_path):
    """make(tasks, name, options of long_run): the folder of a run of so many tasks of two classes."""

    def make(tasks, name="long", **options):
        long_run(GOLDEN / "3.0.0" / "run", tmp_path / name, tasks, **options)
        return tmp_path / name

    return make


@pytest.fixture
def show(report, tmp_path):
    """show(runs..., options...): a page without its style; no number in it is NaN or None."""

    def make(*arguments):
        report(*arguments, "--out", tmp_path / "page.html")
        text = html.unescape(re.sub("<style>.*?</style>", "", (tmp_path / "page.html").read_text(), flags=re.DOTALL))
        assert not re.search(r"\b(nan|None)\b", re.sub("None: no number is published", "", text))
        return text

    return make
