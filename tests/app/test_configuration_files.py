"""Configuration files and command lines, through the program: both mean the same, and nothing in them is left aside."""

import json
import os
import shutil
import subprocess

import pytest
from program import PROGRAM, ROOT
from tiers import quick

TOOLS = os.path.dirname(os.environ["PALIMPSEST_INSPECT"])
FILES = "pack = p\nprotocol = q\nbackbone = b\n"


def call(*command, code=0, home=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60,
                          env=os.environ | ({"HOME": str(home)} if home else {}))
    text = done.stdout + done.stderr
    assert done.returncode == code, f"exit code {done.returncode}, expected {code}:\n{text}"
    return text


def printed(tmp_path, text, *arguments, code=0):
    path = tmp_path / "run.cfg"
    path.write_bytes((FILES + text).encode())
    return call(PROGRAM, "train", "--config", path, *arguments, "--print-config", code=code, home=tmp_path)


def lines_of(text):
    return dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)


@pytest.mark.parametrize("line,expected", quick(1, [
    ("out = runs/exp#2", "runs/exp#2"),
    ("out = runs/exp # the second", "runs/exp"),
    ("out = 'runs/exp #2'", "runs/exp #2"),
    ("out = \"my runs/x\"", "my runs/x"),
    ("out = '$HOME/x'", "$HOME/x"),
    ("out = runs/x\r", "runs/x"),
]))
def test_what_a_file_says_is_what_runs_and_prints_back(tmp_path, line, expected):
    text = printed(tmp_path, line + "\n")
    assert lines_of(text)["out"].strip("'") == os.path.join(tmp_path, expected)
    again = tmp_path / "printed.cfg"
    again.write_text(text)
    assert call(PROGRAM, "train", "--config", again, "--print-config") == text


def test_what_a_conversion_leaves_out_is_named(tmp_path):
    path = tmp_path / "run.cfg"
    path.write_text(FILES + "perturbation = none\nepsilon = 0.5\nmerge = average\nlora-rank = 4\n")
    done = subprocess.run([PROGRAM, "train", "--config", path, "--print-config"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"palimpsest: configuration {path}: line 5: epsilon is left out: perturbation = none has no key epsilon\n"
    assert lines_of(done.stdout)["adapter"].startswith("lora:rank=4,")
    assert "line 4: perturbation 'sign': epsilon = 'much' is not possible" in printed(tmp_path, "epsilon = much\nperturbation = none\n", code=2)


def test_a_file_in_the_working_folder_includes_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "part.cfg").write_text("seed = 7\n")
    (tmp_path / "run.cfg").write_text(FILES + "include = part.cfg\n")
    assert lines_of(call(PROGRAM, "train", "--config", "run.cfg", "--print-config"))["seed"] == "7"
    for missing in ("other.cfg", "configs"):
        (tmp_path / "run.cfg").write_text(FILES + f"include = {missing}\n")
        assert f"include = {missing}: expected a file in . or in configs/" in call(PROGRAM, "train", "--config", "run.cfg", "--print-config", code=2)


def test_paths_start_at_the_file_and_on_the_command_line_at_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "configs" / "base.cfg").write_text("pack = ../data/p.h5\nbackbone = b\nprotocol = /q.json\n")
    (tmp_path / "mine.cfg").write_text("include = configs/base.cfg\nout = runs/mine\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = lines_of(call(PROGRAM, "train", "--config", "../mine.cfg", "--general", "g.h5", "--print-config"))
    places = {name: os.path.relpath(found[name], tmp_path) for name in ("pack", "backbone", "out", "general")}
    assert places == {"pack": "data/p.h5", "backbone": "configs/b", "out": "runs/mine", "general": "elsewhere/g.h5"}
    assert found["protocol"] == "/q.json"


def test_a_path_as_earlier_versions_had_it_is_refused_with_the_right_one(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    (tmp_path / "p").touch()
    (tmp_path / "configs" / "run.cfg").write_text(FILES)
    monkeypatch.chdir(tmp_path)
    command = [PROGRAM, "train", "--config", "configs/run.cfg", "--print-config"]
    text = call(*command, code=2)
    assert "configs/run.cfg: line 1: pack = p: expected configs/p, found nothing there" in text and "write pack = ../p" in text
    assert "pack = " in call(*command, "--pack", "p")


def test_a_path_behind_a_link_stays_what_it_is(tmp_path, monkeypatch):
    (tmp_path / "project" / "configs").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "link").symlink_to(tmp_path / "project" / "configs")
    (tmp_path / "project" / "pack.h5").touch()
    (tmp_path / "project" / "configs" / "run.cfg").write_text("pack = ../pack.h5\nprotocol = q\nbackbone = b\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = lines_of(call(PROGRAM, "train", "--config", "link/run.cfg", "--general", "link/../pack.h5", "--print-config"))
    assert os.path.exists(found["pack"]) and os.path.exists(found["general"])


def test_the_run_folder_of_an_old_file_is_not_left_aside(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "configs" / "run.cfg").write_text("pack = /p\nprotocol = /q\nbackbone = /b\nout = runs/mine\n")
    monkeypatch.chdir(tmp_path)
    assert "write out = ../runs/mine" in call(PROGRAM, "train", "--config", "configs/run.cfg", "--print-config", code=2)


@pytest.mark.slow
def test_home_folders_in_both(tmp_path):
    for text, arguments in (("out = ~/x\n", ()), ("", ("--out=~/x",)), ("", ("--out", "~/x"))):
        assert lines_of(printed(tmp_path, text, *arguments))["out"] == f"{tmp_path}/x"
    assert "~nobody-of-this-name is no user" in printed(tmp_path, "", "--out=~nobody-of-this-name/x", code=2)


@pytest.mark.parametrize("line,message", quick(2, [
    ("out = $HOME/runs", "line 4: '$HOME/runs': variables are not replaced"),
    ("lora_rank = 4", "line 4: lora_rank is the setting of an earlier version. Write adapter = lora:rank=4"),
    ("head_lrr = 4", "line 4: unknown setting 'head_lrr'; did you mean 'head-lr'?"),
    ("LR = 1", "did you mean 'lr'?"),
    ("--lr = 1", "did you mean 'lr'?"),
    ("lr: 1", "write = instead of the colon"),
    ("[train]", "there are no sections"),
    ("lr = 1\nlr = 2", "line 5: 'lr' is given twice (first in line 4)"),
    ("lr = 1e-3, ", "ends with ,"),
    ("lr = 1_000", "lr = '1_000' is not possible: it takes a number above 0"),
    ("lr =", "lr = '' is not possible"),
    ("joint = yes", "joint = 'yes' is not possible: it takes true or false"),
    ("out = runs/x ; mine", "a comment begins with #"),
    ("out = runs/x // mine", "a comment begins with #"),
    ("out = \u201cruns/x\u201d", "quotes are"),
    ("out = runs/x --seed 3", "a line has one setting"),
    ("out = runs/`date`", "commands are not replaced"),
    ("config = other.cfg", "write include = other.cfg"),
]))
def test_what_a_file_cannot_say(tmp_path, line, message):
    assert message in printed(tmp_path, line + "\n", code=2)


@pytest.mark.parametrize("arguments,message", quick(2, [
    (["--lr", "1", "--lr", "2"], "'lr' is given twice"),
    (["--config=a", "--config=b"], "'config' is given twice"),
    (["--lr"], "'--lr'"),
    (["--lr="], "lr = '' is not possible"),
    (["--lr", "--batch", "3"], "expected a value of --lr, found --batch"),
    (["--epoch", "3"], "did you mean 'epochs'?"),
    (["--lora_rank=3"], "--lora_rank is the setting of an earlier version. Write --adapter lora:rank=3"),
    (["runs/mine"], "'runs/mine' is no setting"),
]))
def test_what_a_command_line_cannot_say(arguments, message):
    assert message in call(PROGRAM, "train", *arguments, "--print-config", code=2)


@pytest.mark.slow
def test_a_run_records_the_folders_that_were_meant(toy, tmp_path):
    command = toy.command("--tasks", 1, "--epochs", 1, "--out=~/runs/exp#2")
    call(*command, home=tmp_path)
    with open(tmp_path / "runs" / "exp#2" / "run.json") as file:
        assert json.load(file)["config"]["out"] == f"{tmp_path}/runs/exp#2"
    merged = tmp_path / "merged.h5"
    call(os.path.join(TOOLS, "palimpsest-merge"), "~/runs/exp#2", "--out=~/merged.h5", home=tmp_path)
    assert merged.exists()
    call(PROGRAM, "eval", "--weights=~/merged.h5", "--out=~/result.json", "--pack", toy.path("pack.h5"),
         "--protocol", toy.path("protocol.json"), "--backbone", toy.path("backbone"), home=tmp_path)
    assert (tmp_path / "result.json").exists()
    exported = tmp_path / "my model"
    call(os.path.join(TOOLS, "palimpsest-export"), tmp_path / "runs" / "exp#2", f"--out={exported}")
    assert (exported / "model.safetensors").exists()


def settings_started_with(run):
    with open(run / "run.json") as file:
        return json.load(file)


@pytest.mark.slow
def test_a_run_knows_its_inputs_from_any_folder_and_after_a_move(toy, tmp_path):
    place, export = tmp_path / "here", os.path.join(TOOLS, "palimpsest-export")
    for name in ("pack.h5", "protocol.json", "backbone"):
        os.makedirs(place / "data", exist_ok=True)
        (shutil.copytree if name == "backbone" else shutil.copy)(toy.path(name), place / "data" / name)
    flags = ["--pack", "data/pack.h5", "--protocol", "data/protocol.json", "--backbone", "data/backbone", "--out", "runs/mine"]
    done = subprocess.run(list(map(str, toy.command("--tasks", 1, "--epochs", 1, *flags))), cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    started = settings_started_with(place / "runs" / "mine")
    assert started["config"]["pack"] == str(place / "data" / "pack.h5") and started["relative_paths"]["pack"] == "../../data/pack.h5"
    expected = call(PROGRAM, "eval", "--weights", place / "runs" / "mine", "--json")
    moved = tmp_path / "there"
    place.rename(moved)
    assert call(PROGRAM, "eval", "--weights", moved / "runs" / "mine", "--json") == expected.replace(str(place), str(moved))
    call(export, moved / "runs" / "mine", "--out", tmp_path / "exported")
    (moved / "data").rename(tmp_path / "lost")
    for command in ([PROGRAM, "eval", "--weights", moved / "runs" / "mine"], [export, moved / "runs" / "mine", "--out", tmp_path / "again"]):
        text = call(*command, code=3)
        assert f"at {place}/data/" in text and "found nothing there. Give its new place with --" in text


@pytest.mark.slow
def test_machine_files_are_read_in_the_same_way(tmp_path):
    with open(os.path.join(ROOT, "configs", "machines", "cpu-ethernet-10g.cfg")) as file:
        good = file.read()
    path = tmp_path / "mine.cfg"
    path.write_text(good + "share: 0.5\n")
    command = [PROGRAM, "plan", "--shape", "vit-b/16", "--machine", path]
    assert "write = instead of the colon" in call(*command, code=2)
    path.write_text(good + "memory = 1e9 # bytes\n")
    call(*command)


def test_all_programs_have_the_version_of_the_project():
    with open(os.path.join(ROOT, "CMakeLists.txt")) as file:
        version = file.read().split("VERSION ")[2].split()[0]
    assert call(PROGRAM, "--version") == f"palimpsest {version}\n"
    with open(os.path.join(ROOT, "tools", "python", "palimpsest", "__init__.py")) as file:  # installed without CMakeLists.txt
        assert f'__version__ = "{version}"' in file.read()
    with open(os.path.join(ROOT, "CITATION.cff")) as file:
        assert f"\nversion: {version}\n" in file.read()
