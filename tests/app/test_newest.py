"""Where a newest state is chosen, it is that one or none: a reader refuses a damaged one by name, and a resume alone goes back."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys

import h5py
import pytest
from program import MPIRUN, PROGRAM, REPORT, ROOT
from tiers import quick

TOOLS = os.path.join(os.path.dirname(os.path.dirname(PROGRAM)), "tools")
NEWEST, OLDER = "state-0003.h5", "state-0002.h5"
TASK = os.path.join("tasks", "task-0003.h5")


def call(*command, code=0):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
    assert done.returncode == code, f"exit code {done.returncode}, expected {code}: {command}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def tool(name):
    return os.path.join(TOOLS, f"palimpsest-{name}")


def flip(path):
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


def cut(path):
    os.truncate(path, os.path.getsize(path) // 2)


def empty(path):
    os.truncate(path, 0)


def swap(path):
    """Whole, but that of another task."""
    shutil.copy(path.replace("0003", "0002"), path)


def another(toy):
    """A run that differs in its seed alone."""
    run = toy.path("runs", "reference-seed-2")
    if not os.path.exists(run):
        toy.run("--seed", 2, out="reference-seed-2")
    return run


DAMAGES = [flip, cut, empty, os.remove, swap]
# The readers of a run's newest state, and what each does with an undamaged run.
READERS = {
    "eval": lambda toy, run, out: [PROGRAM, "eval", "--weights", run, "--out", out],
    "eval --sweep": lambda toy, run, out: [PROGRAM, "eval", "--sweep", run, "--split", "test", "--points", 2, "--out", out],
    "predict": lambda toy, run, out: [PROGRAM, "predict", "--weights", run, "--out", out],
    "train --fork": lambda toy, run, out: [*toy.command("--fork", run), "--out", out],
    "train --fork --dry-run": lambda toy, run, out: [*toy.command("--fork", run, "--dry-run"), "--out", out],
    "inspect": lambda toy, run, out: [tool("inspect"), run],
    "inspect --cosines": lambda toy, run, out: [tool("inspect"), run, "--cosines"],
    "inspect of several": lambda toy, run, out: [tool("inspect"), run, run],
    "merge": lambda toy, run, out: [tool("merge"), run, "--rule", "average"],
    "merge --out": lambda toy, run, out: [tool("merge"), run, "--out", out],
    "merge --audit": lambda toy, run, out: [tool("merge"), run, "--audit"],
    "export": lambda toy, run, out: [tool("export"), run, "--out", out],
    "report": lambda toy, run, out: [*REPORT, run, "--out", out],
    "report of several": lambda toy, run, out: [*REPORT, run, another(toy)],
    "diff": lambda toy, run, out: [tool("diff"), run, toy.path("runs", "reference")],
    "verify": lambda toy, run, out: [tool("verify"), run],
}


@pytest.fixture
def run(toy, reference_run, tmp_path):
    return shutil.copytree(reference_run, tmp_path / "mine")


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_takes_a_whole_run(toy, run, tmp_path, reader):
    call(*READERS[reader](toy, run, tmp_path / "out"))


@pytest.mark.parametrize("damage", quick(1, DAMAGES), ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("reader", quick(1, ["eval", "predict", "inspect"]))
def test_any_damage_of_the_newest_state_is_refused(toy, run, tmp_path, reader, damage):
    damage(str(run / NEWEST))
    text = call(*READERS[reader](toy, run, tmp_path / "out"), code=3)
    assert f"its newest state, {NEWEST} (after 4 tasks), can't be used" in text, text
    assert f"give an older state itself, {run / OLDER} (after 3 tasks)" in text and "--resume auto" in text, text


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_refuses_a_damaged_newest_state_and_writes_nothing(toy, run, tmp_path, reader):
    flip(run / NEWEST)
    assert NEWEST in call(*READERS[reader](toy, run, tmp_path / "out"), code=3)
    written = {path.name for path in tmp_path.rglob("*")} - {path.name for path in run.rglob("*")} - {"mine", ".lock", "out"}
    assert written == set() and not (tmp_path / "out").is_file()


@pytest.mark.parametrize("damage", quick(1, DAMAGES), ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("reader", quick(1, ["inspect", "merge", "export", "report", "train --fork"]))
def test_who_reads_tasks_refuses_a_damaged_newest_one(toy, run, tmp_path, reader, damage):
    damage(str(run / TASK))
    assert "task-0003.h5" in call(*READERS[reader](toy, run, tmp_path / "out"), code=3)
    call(*READERS["eval"](toy, run, tmp_path / "state.json"))  # reads the state alone, which is whole


@pytest.mark.slow
def test_an_earlier_task_in_the_place_of_another_runs_is_refused(toy, run, tmp_path):
    shutil.copy(os.path.join(another(toy), "tasks", "task-0001.h5"), run / "tasks" / "task-0001.h5")
    for reader in ("inspect", "inspect --cosines", "merge", "report"):
        text = call(*READERS[reader](toy, run, tmp_path / "out"), code=3)
        assert "task-0001.h5" in text and "manifest.json" in text, text


@pytest.mark.slow
def test_an_older_state_given_itself_is_taken(run, tmp_path):
    flip(run / NEWEST)
    assert "after 3 tasks" in call(PROGRAM, "eval", "--weights", run / OLDER)
    call(PROGRAM, "predict", "--weights", run / OLDER, "--out", tmp_path / "out.csv")
    call(tool("inspect"), run / OLDER)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [flip, swap], ids=lambda damage: damage.__name__)
def test_a_state_given_itself_is_the_one_that_the_manifest_names(toy, run, tmp_path, damage):
    damage(str(run / NEWEST))
    state = run / NEWEST
    for command in ([PROGRAM, "eval", "--weights", state], [PROGRAM, "predict", "--weights", state, "--out", tmp_path / "out"],
                    [*toy.command("--fork", state), "--out", tmp_path / "out"], [tool("inspect"), state], [tool("verify"), state],
                    [tool("diff"), state, run / OLDER]):  # fmt: skip
        text = call(*command, code=3)
        # palimpsest verify finds flipped bits by the file's own checksums first.
        assert NEWEST in text and ("(manifest.json)" in text or "flipped bits" in text), text
    alone = shutil.copy(run / OLDER, tmp_path / "alone.h5")  # no manifest beside it knows the name
    call(tool("inspect"), alone)


def test_a_resume_alone_goes_back_and_says_so(toy, run):
    flip(run / NEWEST)
    text = call(*toy.command("--resume", "auto"), "--out", run)
    assert f"resuming from {OLDER}, and repeating what came after it" in text and NEWEST in text, text
    call(PROGRAM, "eval", "--weights", run)


@pytest.mark.parametrize("reader", quick(1, ["eval", "inspect", "merge", "train --fork"]))
def test_nobody_is_sent_to_a_resume_that_has_nothing_to_go_back_to(toy, tmp_path, reader):
    run = tmp_path / "one"
    call(*toy.command("--tasks", 1), "--out", run)
    cut(str(run / "state-0000.h5"))
    text = call(*READERS[reader](toy, run, tmp_path / "out"), code=3)
    assert "the run keeps no older state" in text and "--resume" not in text, text
    text = call(*toy.command("--tasks", 1, "--resume", "auto"), "--out", run, code=3)
    assert "Bring a file back from a copy" in text, text


def test_a_state_in_the_working_folder_is_one_of_its_run(run):
    done = subprocess.run([PROGRAM, "eval", "--weights", OLDER], cwd=run, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "after 3 tasks" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("reader", quick(1, ["eval", "predict", "inspect", "train --fork", "train --resume"]))
def test_a_file_that_another_program_has_open_is_not_called_damaged(toy, run, tmp_path, reader):
    before = (run / "manifest.json").read_bytes()
    resume = [*toy.command("--resume", "auto"), "--out", run]
    with h5py.File(run / NEWEST, "r+"):
        if reader == "inspect":
            text = call(tool("inspect"), run / NEWEST, code=3)
        else:
            text = call(*(resume if reader == "train --resume" else READERS[reader](toy, run, tmp_path / "out")), code=3)
    assert NEWEST in text and "Another program has it open" in text and "h5py" in text, text
    assert "HDF5_USE_FILE_LOCKING" not in text and "damaged" not in text and "resuming from" not in text, text
    assert (run / "manifest.json").read_bytes() == before


def test_a_pack_that_another_program_has_open(toy, tmp_path):
    pack = shutil.copy(toy.path("pack.h5"), tmp_path / "pack.h5")
    with h5py.File(pack, "r+"):
        text = call(*toy.command("--pack", pack), "--out", tmp_path / "run", code=3)
    assert "Another program has it open" in text and "HDF5_USE_FILE_LOCKING" not in text, text


@pytest.mark.parametrize("reader", quick(1, [name for name in READERS if name not in ("eval --sweep",)]))
@pytest.mark.parametrize("where", ["parent", "tasks", "nothing"])
def test_a_folder_beside_the_run_is_named_as_what_it_is(toy, run, tmp_path, reader, where):
    given, words = {
        "parent": (tmp_path, f"a folder of 1 run: give {run}"),
        "tasks": (run / "tasks", f"a part of the run folder {run}: give that"),
        "nothing": (tmp_path / "none", "nothing there|cannot be read|cannot read"),
    }[where]
    done = subprocess.run(list(map(str, READERS[reader](toy, given, tmp_path / "out"))), capture_output=True, text=True, timeout=60)
    text = done.stdout + done.stderr
    assert done.returncode in ((2, 3) if where == "nothing" else (3,)), text
    assert re.search(words if where == "nothing" else re.escape(words), text), text


def test_a_lost_manifest_is_named(run):
    os.remove(run / "manifest.json")
    text = call(PROGRAM, "eval", "--weights", run, code=3)
    assert "a run.json without a manifest.json" in text, text


@pytest.mark.parametrize("content", quick(1, [b"", b"{", b"[]"]), ids=["empty", "cut", "a list"])
@pytest.mark.parametrize("reader", quick(1, ["eval", "predict", "inspect", "report"]))
def test_a_damaged_run_json_is_named_and_a_missing_one_is_no_error(toy, run, tmp_path, reader, content):
    (run / "run.json").write_bytes(content)
    text = call(*READERS[reader](toy, run, tmp_path / "out"), code=3)
    assert "run.json: expected a JSON object" in text, text
    os.remove(run / "run.json")
    if reader == "inspect":
        assert "run.json is missing" in call(*READERS[reader](toy, run, tmp_path / "out"))


def test_a_report_counts_the_lines_of_the_log_that_it_can_not_read(run, tmp_path):
    page = tmp_path / "page.html"
    call(*REPORT, run, "--out", page)
    assert "can't be read" not in page.read_text()
    lines = (run / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    steps = [i for i, line in enumerate(lines) if json.loads(line)["event"] == "step"]
    lines[steps[3]] = lines[steps[3]][:20] + b"\n"
    lines[steps[5]] = b"\0\0\0\n"
    (run / "metrics.jsonl").write_bytes(b"".join(lines))
    call(*REPORT, run, "--out", page)
    assert re.search(r"2 lines of metrics\.jsonl can.{1,6}t be read", page.read_text())


@pytest.mark.parametrize("damage", quick(1, [flip, os.remove, swap]), ids=lambda damage: damage.__name__)
def test_a_table_of_results_takes_the_runs_own_tasks_alone(run, damage):
    table = [sys.executable, os.path.join(ROOT, "tools", "results-table"), run]
    before = call(*table)
    shutil.copy(run / TASK, run / "tasks" / "task-0004.h5")  # of a state that was given up: no part of the run
    assert call(*table) == before
    damage(str(run / TASK))
    assert "task-0003.h5" in call(*table, code=1)


def test_verify_says_that_a_run_is_writing_what_it_reads(run):
    os.remove(run / OLDER)  # as a run removes a state once the next is saved
    with open(run / ".lock") as lock:
        assert "a run is writing to this folder" not in call(tool("verify"), run, code=3)
        fcntl.flock(lock, fcntl.LOCK_EX)
        text = call(tool("verify"), run, code=3)
        assert OLDER in text and "verify it when the run has ended" in text, text
        call(PROGRAM, "eval", "--weights", run)  # reads what is whole


@pytest.mark.slow
def test_more_ranks_refuse_alike(run):
    flip(run / NEWEST)
    text = call(MPIRUN, "-n", 2, PROGRAM, "eval", "--weights", run, code=3)
    assert text.count("can't be used") == 1, text
