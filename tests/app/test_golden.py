"""A run that an earlier version began continues with this one: checkpoints_schema/golden/."""

import glob
import json
import os
import re
import shutil
import subprocess

import pytest
from program import PROGRAM, ROOT

FOLDERS = sorted(glob.glob(os.path.join(ROOT, "checkpoints_schema", "golden", "[0-9]*")))
VERIFY, DIFF = (
    os.path.join(os.path.dirname(os.environ["PALIMPSEST_INSPECT"]), f"palimpsest-{tool}") for tool in ("verify", "diff")
)
# The processor and the libraries of then need not be those of now.
COMMAND = [PROGRAM, "train", "--config", "converted.cfg", "--resume", "auto", "--allow-numerics-change"]


def files_of(run):
    with open(os.path.join(run, "manifest.json")) as file:
        return json.load(file)["files"]


@pytest.fixture(params=FOLDERS, ids=os.path.basename)
def golden(request, tmp_path):
    folder = tmp_path / "golden"
    shutil.copytree(request.param, folder)
    convert = [PROGRAM, "train", "--config", "run.cfg", "--print-config"]
    converted = subprocess.run(convert, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    (folder / "converted.cfg").write_text(converted.stdout)
    return folder


def test_a_file_in_the_spelling_of_then_trains_only_when_it_is_converted():
    command = [PROGRAM, "train", "--config", os.path.join(FOLDERS[0], "run.cfg")]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 2 and "lora-rank is the setting of an earlier version. Write adapter = lora:rank=2" in refused.stderr
    assert "--print-config converts the whole file" in refused.stderr


def test_a_run_of_every_version_continues_to_its_end(golden):
    before = files_of(golden / "run")
    done = subprocess.run(COMMAND, cwd=golden, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    after = files_of(golden / "run")
    tasks = [name for name in before if name.startswith("tasks/")]
    assert len(tasks) == 2 and all(after[name] == before[name] for name in tasks)
    assert "tasks/task-0003.h5" in after
    verified = subprocess.run([VERIFY, "run"], cwd=golden, capture_output=True, text=True)
    assert verified.returncode == 0 and "4 task records" in verified.stdout, verified.stdout


def test_states_of_two_versions_are_compared():
    states = [os.path.join(folder, "run", "state-0001.h5") for folder in FOLDERS]
    for one in states:
        done = subprocess.run([DIFF, one, states[-1]], capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 1) and "damaged" not in done.stderr, done.stderr


def test_an_earlier_versions_settings_are_compared_as_of_today():
    tasks = [os.path.join(folder, "run", "tasks", "task-0000.h5") for folder in FOLDERS[-2:]]
    done = subprocess.run([DIFF, *tasks, "--all"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    assert "/config" not in done.stdout


def test_a_version_to_come_is_refused_with_advice(golden):
    path = golden / "run" / "manifest.json"
    path.write_text(re.sub(r'"palimpsest_version": "\d+\.', '"palimpsest_version": "9.', path.read_text()))
    done = subprocess.run(COMMAND, cwd=golden, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert "manifest.json: palimpsest_version: expected version 1.x.y, 2.x.y or 3.x.y" in done.stderr, done.stderr
    assert "a program as new as the one that wrote the file" in done.stderr


def test_heads_that_an_earlier_version_aligned_answer_but_are_not_aligned_again(tmp_path):
    """A run with `classifier = local:refit=3,align=5`, whose heads are the aligned ones."""
    folder = tmp_path / "golden"
    shutil.copytree(os.path.join(ROOT, "checkpoints_schema", "golden", "2.0.0"), folder)

    def program(*arguments, code=0):
        done = subprocess.run([PROGRAM, *arguments], cwd=folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stderr
        return done

    converted = program("train", "--config", "aligned.cfg", "--print-config")
    assert "classifier = local:refit=3,align=gaussian,normalise=false" in converted.stdout
    assert "align=5 of classifier is now align=gaussian" in converted.stderr
    (folder / "converted.cfg").write_text(converted.stdout)
    events = [json.loads(line) for line in (folder / "aligned" / "metrics.jsonl").read_text().splitlines()]
    then = [event for event in events if event["event"] == "evaluated" and event["after_merge"]][-1]
    now = json.loads(program("eval", "--weights", "aligned", "--json").stdout)
    assert now["all"]["accuracy"] == sum(then["correct"]) / sum(then["samples"])
    for arguments in (["--resume", "auto"], ["--fork", "aligned", "--out", "forked"]):
        refused = program("train", "--config", "converted.cfg", "--allow-numerics-change", *arguments, code=2).stderr
        assert "expected classifier/local:refit=3,align=gaussian/0/mean in its memory, found classifier/local: it kept" in refused
    forked = program("train", "--config", "converted.cfg", "--fork", "aligned", "--out", "forked", "--classifier", "local", "--allow-numerics-change")
    assert "is dropped: classifier/local (4 arrays)" in forked.stderr
