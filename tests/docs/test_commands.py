"""Every command of the documentation is run as it is written, in a stand-in for the repository with toy data; what can't be run is named
below with the reason, and looked up: its programs, options and files.
"""

import re

import pytest
import sources
from look_up import problems
from page import LANGUAGES, PAGES, ROOT, anchors, blocks, code_spans, command_blocks, links
from stand_in import StandIn
from tiers import quick

# How a command begins (as a regular expression) that can't be run by this test, and why. What runs it instead is named where there is something.
CANNOT_RUN = {
    "tests/run.sh": "runs this test",
    "tests/nightly.sh": "takes an hour and a half",
    "bench/(run|minutes|long).sh": "sets up, builds and measures, for minutes or hours",
    "launch/results.sh": "trains for hours",
    r"\.venv/bin/python bench/study": "trains for hours, or writes docs/results.md; tests/study runs it on a toy stream",
    "launch/bundle.sh": "needs a network; tests/launch/offline.sh runs it",
    "launch/setup.sh --(offline|torch)": "would make another .venv; tests/launch has tests of both",
    "launch/setup.sh --smollm2": "downloads a package of 93 MB",
    "launch/quickstart.sh --language": "the same, and trains a decoder for minutes",
    "build/release/src/palimpsest pack backbone smollm2": "needs that package; tests/pack/test_smollm2.py makes one, and a small decoder is there instead",
    "cmake --preset": "would build again what is under test; tests/run.sh runs it",
    "cmake --build": "the same",
    "cmake -S": "the same, with another MPI",
    "build/merge-a-run": "isn't built by this test; tests/app/test_command_line.py builds and runs it",
    "launch/mpirun.sh -n 2 build/mpich": "needs MPICH",
    "build/release/src/palimpsest train --config configs/quickstart.cfg --merge bounded": "the rule of docs/add-a-merge-rule.md isn't built; tests/app/test_docs.py compiles it",
    "build/release/src/palimpsest merge runs/quickstart --rule bounded": "the same",
    "build/dev/": "the kind of docs/architecture.md isn't built; tests/app/test_docs.py compiles it",
    "ctest": "the same",
    "docker": "needs Docker",
    "apptainer": "needs Apptainer",
    ".venv/bin/hf download": "needs a network",
    ".venv/bin/tensorboard": "serves until it is ended; tests/app/test_tensorboard.py reads the events with TensorBoard's reader",
}
# Commands whose exit code means something, and isn't 0.
EXIT_CODES: dict[str, int] = {}
# Finished runs that a page requires, as folders of runs/.
RUNS = {
    "docs/evaluate.md": {"mine": "seed 1", "quickstart": "seed 1"},
    "docs/export.md": {"quickstart": "seed 1", "mine": "seed 1"},
    "docs/file-formats.md": {"quickstart": "seed 1"},
    "docs/merge-laboratory.md": {"mine": "seed 1"},
    "docs/report.md": {"quickstart": "seed 1", "a-seed1": "seed 1", "a-seed2": "seed 2", "b-seed1": "average, seed 1", "b-seed2": "average, seed 2"},
}
# Files that a page requires, besides data/ as the quickstart leaves it.
SOURCES = {
    "docs/language-models.md": sources.make_prompts,
    "docs/merge-laboratory.md": sources.make_adapters,
    "docs/reproduce-the-paper.md": sources.make_paper_sources,
    "docs/tutorial.md": sources.make_photos,
    "docs/your-backbone.md": sources.make_backbones,
    "docs/your-data.md": sources.make_own_data,
}
WHAT_TO_DO = """
{place}: {what}
Every command of a page is run in the folder that tests/docs/stand_in.py makes. Fix the command; or give the page what it needs (RUNS,
SOURCES in tests/docs/test_commands.py); or, if it can't be run, say there why (CANNOT_RUN). Output is fenced as ```text.

{output}"""


def reason_not_to_run(command):
    return next((why for begin, why in CANNOT_RUN.items() if re.match(begin, command)), None)


def script_of(commands):
    """One script, in which a command may end with the exit code that is expected."""
    lines = []
    for command in commands:
        code = next((code for begin, code in EXIT_CODES.items() if command.startswith(begin)), None)
        lines += [command] if code is None else ["code=0", "{", command, "} || code=$?", f"[[ $code == {code} ]]"]
    return "\n".join(lines) + "\n"


def save_named_files(page, folder):
    for block in blocks(page):
        if block.name:
            (folder / block.name).write_text(block.text)


@pytest.mark.parametrize("page", quick(1, [page for page in PAGES if command_blocks(page)]))
def test_commands_of_a_page_run(page, store, tmp_path):
    stand_in = StandIn(tmp_path)
    store.copy_data(tmp_path)
    store.copy_runs(tmp_path, RUNS.get(page, {}))
    SOURCES.get(page, lambda folder: None)(tmp_path)
    save_named_files(page, tmp_path)
    assignments = []
    for block in command_blocks(page):
        commands = [command for command in block.commands() if not reason_not_to_run(command)]
        done = stand_in.run(script_of(assignments + commands))
        assert done.code == 0, WHAT_TO_DO.format(place=block.place, what=f"ended with exit code {done.code}", output=done.output[-6000:])
        assignments += block.assignments()


@pytest.mark.parametrize("page", PAGES)
def test_commands_options_and_files_of_a_page_exist(page):
    """Of every command, also of those that are run, and of those within the text."""
    assignments = [line for block in command_blocks(page) for line in block.assignments()]
    found = []
    for block in command_blocks(page):
        found += [f"{block.place}: {problem}" for command in block.commands() for problem in problems(command, assignments)]
    for place, span in code_spans(page):
        found += [f"{place}: {problem}" for problem in problems(span, assignments)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere_and_fences_say_what_they_contain(page):
    assert [block.place for block in blocks(page) if block.language not in LANGUAGES] == [], f"expected one of {', '.join(LANGUAGES)}"
    for place, link in links(page):
        target, _, anchor = link.partition("#")
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.exists(), f"{place}: there is no {target}"
        assert not anchor or anchor in anchors(path), f"{place}: {target} has no heading #{anchor}"


def test_every_reason_not_to_run_is_needed():
    commands = [command for page in PAGES for block in command_blocks(page) for command in block.commands()]
    for begin in [*CANNOT_RUN, *EXIT_CODES]:
        assert any(re.match(begin, command) for command in commands), f"{begin}: no page has such a command any more"
