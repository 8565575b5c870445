"""Every program and script explains itself: --help has a line of usage, every option, an example, and exit codes or where they are."""

import re
import subprocess
import sys

import pytest
from look_up import PACK_VERBS, VERBS
from page import ROOT
from stand_in import BUILD

SCRIPTS = [f"launch/{name}.sh" for name in ("bundle", "data", "mpirun", "quickstart", "results", "setup", "sweep")]
SCRIPTS += ["tests/run.sh", "tests/nightly.sh", "tests/fuzz/nightly.sh", "bench/run.sh", "bench/minutes.sh", "bench/long.sh", "bench/kills.sh", "tools/results-table"]
COMMANDS = {
    "palimpsest": [BUILD / "src" / "palimpsest"],
    **{f"palimpsest {verb}": [BUILD / "src" / "palimpsest", verb] for verb in VERBS if verb != "help"},
    "palimpsest generate with a prompt": [BUILD / "src" / "palimpsest", "generate", "--prompt", "text"],
    "bench/study": [sys.executable, ROOT / "bench" / "study"],
    **{f"palimpsest pack {verb}": [BUILD / "src" / "palimpsest", "pack", verb] for verb in PACK_VERBS},
    **{script: [sys.executable, ROOT / script] if script == "tools/results-table" else [ROOT / script] for script in SCRIPTS},
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_help_is_complete(name, tmp_path):
    done = subprocess.run([*COMMANDS[name], "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert re.search(rf"^\s*(usage: )?({re.escape(name.removesuffix(' with a prompt'))}|{name.rpartition('/')[2]})\b", done.stdout, re.MULTILINE | re.IGNORECASE), "no line of usage"
    assert re.search(r"\bexamples?\b.*:|\bexample, ", done.stdout, re.IGNORECASE), "no example"
    assert re.search(r"\bexit codes?:", done.stdout, re.IGNORECASE), "no exit codes"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [script for script in SCRIPTS if script.endswith(".sh") and "mpirun" not in script])
def test_a_script_explains_every_option_it_reads(name):
    text = (ROOT / name).read_text()
    done = subprocess.run([ROOT / name, "--help"], capture_output=True, text=True, timeout=60, check=True)
    labels = re.findall(r"^\s*((?:--?[a-z-]+ \| )*--?[a-z-]+)\)", text, re.MULTILINE)  # of case ... in
    read = {option for label in labels for option in re.findall(r"--[a-z-]+", label)}
    assert {option for option in read - {"--help"} if option not in done.stdout} == set()
