"""palimpsest is one command: each verb is another program. What plausible mistakes are answered with."""

import os
import pathlib
import subprocess
import sys

import pytest
from program import PROGRAM, ROOT

VERBS = ("train", "plan", "doctor", "pack", "inspect", "report", "diff", "verify", "eval", "predict", "generate", "merge", "export")


def palimpsest(*words, program=PROGRAM, **options):
    return subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=60, **options)


def refusal(*words, code=2, **options):
    done = palimpsest(*words, **options)
    assert done.returncode == code, done.stdout + done.stderr
    return " ".join(done.stderr.split())


@pytest.mark.parametrize("verb", VERBS)
def test_help_on_a_verb_is_the_verbs_help(verb):
    of_verb, on_verb = palimpsest(verb, "--help"), palimpsest("help", verb)
    assert of_verb.returncode == on_verb.returncode == 0
    assert f"palimpsest {verb}" in of_verb.stdout and of_verb.stdout == on_verb.stdout
    assert f"  {verb} " in palimpsest().stdout == palimpsest("help").stdout == palimpsest("--help").stdout


def test_it_runs_from_any_folder_and_through_a_link(tmp_path):
    link = tmp_path / "bin" / "palimpsest"
    link.parent.mkdir()
    link.symlink_to(PROGRAM)
    assert palimpsest("inspect", "--help", program=link, cwd="/").stdout.startswith("Usage: palimpsest inspect")
    in_path = os.environ | {"PATH": f"{link.parent}:{os.environ['PATH']}"}
    assert palimpsest("pack", "show", "--help", program="palimpsest", cwd=tmp_path, env=in_path).returncode == 0


def test_the_scripts_find_the_sources_environment_but_prefer_an_active_one(tmp_path):
    lacks = tmp_path / "python3"  # an environment's that lacks everything
    lacks.write_text("#!/bin/sh\necho the active environment\n")
    lacks.chmod(0o755)
    active = os.environ | {"VIRTUAL_ENV": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert "the active environment" in palimpsest("report", "--help", env=active).stdout
    plain = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    if pathlib.Path(sys.prefix) == pathlib.Path(ROOT, ".venv"):
        assert palimpsest("report", "--help", env=plain).returncode == 0


@pytest.mark.parametrize("mistake, meant", [("trian", "train"), ("insepct", "inspect"), ("evla", "eval"), ("mereg", "merge"), ("hlep", "help"), ("reprot", "report")])
def test_an_unknown_verb_gets_the_nearest(mistake, meant):
    assert refusal(mistake) == f"palimpsest: unknown verb '{mistake}'; did you mean '{meant}'?"
    assert f"did you mean '{meant}'?" in refusal("help", mistake)


@pytest.mark.parametrize("other, here", [("evaluate", "eval"), ("test", "eval"), ("status", "inspect"), ("finetune", "train"), ("resume", "train --resume auto")])
def test_a_verb_of_other_programs_gets_this_ones(other, here):
    assert refusal(other) == f"palimpsest: unknown verb '{other}'; here: palimpsest {here}"


def test_all_helps_begin_alike():
    for verb in VERBS:
        assert palimpsest(verb, "--help").stdout.startswith(f"Usage: palimpsest {verb}"), verb
    assert palimpsest("generate", "--prompt", "x", "--help").stdout == palimpsest("help", "generate").stdout


def test_a_program_that_is_missing_is_named(tmp_path):
    alone = tmp_path / "palimpsest"
    alone.write_bytes(pathlib.Path(PROGRAM).read_bytes())
    alone.chmod(0o755)
    text = refusal("inspect", "x", program=alone, code=1)
    assert "expected the program palimpsest-inspect in" in text and str(tmp_path) in text


# By verb: words, the exit code, and a part of the message.
MISTAKES = {
    "train": [
        (["--confg", "x.cfg"], 2, "did you mean 'config'?"),
        (["--config", "missing.cfg"], 2, "missing.cfg: no such file (in "),
        (["--config", "."], 2, "this is a folder"),
        (["--batch-size", "8"], 2, "unknown setting 'batch-size': write --batch N"),
        (["--batch", "many"], 2, "batch = 'many'"),
        (["--lr", "-1"], 2, "it takes a number above 0"),
        (["--help", "bacth"], 2, "did you mean 'batch'?"),
        (["--seed", "1", "--seed", "2"], 2, "'seed' is given twice; keep one"),
        (["mine.cfg"], 2, "'mine.cfg' is no setting; did you mean --config mine.cfg?"),
        (["--device", "gpu"], 2, "device = gpu: 'gpu' is not known here. Write cuda"),
        (["--precision", "fp16"], 2, "Write bf16; there is no float16"),
        (["--adapter", "lora:r=8"], 2, "adapter = lora:r=8: 'r' is not known here. Write rank"),
        (["--classifier", "local,ranpac"], 2, "Write ridge:projection=10000"),
        (["--scenario", "CIL"], 2, "'CIL' is not known here. Write class-incremental"),
        (["--lora_rank", "8"], 2, "--lora_rank is the setting of an earlier version. Write --adapter lora:rank=8"),
        ([], 2, "missing settings: --pack --protocol --backbone"),
        (["--merge", "averge"], 2, "did you mean 'average'?"),
    ],
    "plan": [
        (["--shape", "vit-b16"], 2, "vit-b/16"),
        (["--world-sizes", "8"], 2, "did you mean 'world-size'?"),
        (["--machine", "h1000", "--shape", "vit-b/16"], 2, "--machine h1000 is not known"),
        (["--machine", "mine.cfg", "--shape", "vit-b/16"], 2, "mine.cfg: no such file"),
        (["--world-size", "0"], 2, "world-size"),
        (["--world-size", "eight"], 2, "world-size"),
        (["--out", "x"], 2, "has no meaning in palimpsest plan"),
        (["--config", "missing.cfg"], 2, "no such file"),
    ],
    "doctor": [
        (["--jsno"], 2, "did you mean 'json'?"),
        (["--config", "missing.cfg"], 2, "no such file"),
        (["--resume", "auto"], 2, "has no meaning in palimpsest doctor"),
        (["--device", "gpu"], 2, "device"),
        (["--lanes", "none"], 2, "lanes"),
        (["here"], 2, "'here' is no setting"),
        (["--config"], 2, "expected a value of '--config', found none"),
        (["--hang-seconds", "-3"], 2, "hang-seconds"),
    ],
    "pack": [
        (["protcol"], 2, "did you mean 'protocol'?"),
        (["show", "missing.h5"], 3, "missing.h5"),
        (["show", "plain.txt"], 3, "plain.txt: expected a pack"),
        (["show"], 2, "required"),
        (["images", "missing", "--out", "x.h5"], 3, "missing"),
        (["texts", "plain.txt", "--out", "x.h5"], 2, "--tokenizer"),
        (["protocol", "--pack", "missing.h5", "--name", "x", "--out", "x.json"], 3, "missing.h5"),
        (["show", "plain.txt", "--smple", "1"], 2, "did you mean '--sample'?"),
    ],
    "inspect": [
        (["missing"], 3, "missing"),
        ([], 2, "see --help"),
        (["plain.txt"], 3, "plain.txt"),
        (["."], 3, "expected a run folder"),
        (["RUN", "--jsno"], 2, "did you mean '--json'?"),
        (["RUN", "--frozen"], 2, "frozen"),
        (["RUN", "--json", "--json"], 2, "twice"),
        (["RUN/tasks"], 3, "expected"),
    ],
    "report": [
        (["missing"], 3, "missing"),
        ([], 2, "RUN"),
        (["plain.txt"], 3, "plain.txt"),
        (["RUN", "--otu", "x.html"], 2, "did you mean '--out'?"),
        (["RUN", "--out", "plain.txt/x.html"], 2, "found the file"),
        (["RUN", "--out"], 2, "--out"),
        (["RUN", "missing"], 3, "missing"),
        (["RUN", "RUN", "--json", "--csv"], 2, "found both"),
    ],
    "diff": [
        (["RUN"], 2, "see --help"),
        ([], 2, "see --help"),
        (["RUN", "missing"], 3, "missing"),
        (["RUN", "plain.txt"], 2, "expected two run folders or two files"),
        (["RUN", "RUN", "RUN"], 2, "see --help"),
        (["RUN", "RUN", "--al"], 2, "did you mean '--all'?"),
        (["RUN", "."], 3, "expected"),
        (["RUN/state-0003.h5", "RUN"], 2, "expected two run folders or two files"),
    ],
    "verify": [
        ([], 2, "see --help"),
        (["missing"], 3, "missing"),
        (["plain.txt"], 3, "plain.txt"),
        (["."], 3, "expected"),
        (["--all", "RUN"], 2, "'--all' is not an option"),
        (["RUN", "missing"], 3, "missing"),
        (["RUN/tasks"], 3, "expected"),
        (["-v", "RUN"], 2, "'-v' is not an option"),
    ],
    "eval": [
        ([], 2, "--weights"),
        (["--weights", "missing"], 3, "missing"),
        (["--weights", "plain.txt"], 3, "plain.txt"),
        (["--weights", "RUN", "--spilt", "test"], 2, "did you mean 'split'?"),
        (["--weights", "RUN", "--split", "tset"], 2, "split"),
        (["--weights", "RUN", "--lr", "1"], 2, "has no meaning in palimpsest eval"),
        (["--weights"], 2, "weights"),
        (["RUN"], 2, "'RUN' is no setting; did you mean --weights RUN?"),
        (["--weights", "RUN", "--rule", "averge"], 2, "did you mean 'average'?"),
    ],
    "predict": [
        ([], 2, "--weights"),
        (["--weights", "missing", "--pack", "p", "--out", "x"], (2, 3), "missing"),
        (["--weights", "RUN", "--pack", "missing.h5", "--out", "x.csv"], 3, "missing.h5"),
        (["--weights", "RUN", "--pack", "plain.txt", "--out", "x.csv"], 3, "plain.txt"),
        (["--wieghts", "RUN"], 2, "did you mean 'weights'?"),
        (["--weights", "RUN", "--epochs", "2"], 2, "has no meaning in palimpsest predict"),
        (["--weights", "RUN", "--out", "missing/x.csv"], (2, 3), ""),
        (["RUN"], 2, "'RUN' is no setting"),
    ],
    "generate": [
        ([], 2, "--weights"),
        (["--weights", "RUN", "--prompt"], 2, "--prompt"),
        (["--weights", "missing", "--prompt", "x"], 3, "missing"),
        (["--prompt", "x"], 2, "--weights"),
        (["--weights", "RUN", "--prompts", "missing.txt"], (1, 3), "missing.txt"),
        (["--weights", "RUN", "--out", "x.jsonl"], (2, 3), "prompts"),
        (["--weights", "RUN", "--prompt", "x", "--limit", "none"], 2, "--limit"),
        (["--weihgts", "RUN"], 2, "did you mean 'weights'?"),
    ],
    "merge": [
        ([], 2, "expected either a run folder or --adapters"),
        (["missing"], 3, "missing"),
        (["RUN", "--rule", "averge"], 2, "did you mean 'average'?"),
        (["RUN", "--rul", "average"], 2, "did you mean '--rule'?"),
        (["RUN", "--tasks", "9"], (2, 3), "9"),
        (["RUN", "--tasks", "first"], 2, "tasks"),
        (["RUN", "RUN"], 2, "expected one run folder"),
        (["RUN", "--out", "plain.txt"], 2, "plain.txt"),
    ],
    "export": [
        (["RUN"], 2, "--out FOLDER"),
        (["missing", "--out", "x"], 3, "missing"),
        (["RUN", "--out", "full"], 2, "expected a new or empty folder, found mine.txt; --force writes into it"),
        (["RUN", "--out", "x", "--format", "gguf"], 2, "safetensors"),
        (["RUN", "--out", "x", "--task", "9"], (2, 3), "9"),
        (["RUN", "--out", "x", "--rank", "2"], 2, "--format peft"),
        (["RUN", "--ou", "x"], 2, "did you mean '--out'?"),
        (["RUN", "--out", "x", "--backbone", "missing"], 3, "missing"),
    ],
}


@pytest.mark.parametrize("verb, number", [(verb, number) for verb, mistakes in MISTAKES.items() for number in range(len(mistakes))])
def test_a_mistake_is_answered_with_what_to_do(verb, number, reference_run, tmp_path):
    (tmp_path / "plain.txt").write_text("nothing of Palimpsest\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine\n")
    words, codes, named = MISTAKES[verb][number]
    words = [word.replace("RUN", reference_run) for word in words]
    done = palimpsest(verb, *words, cwd=tmp_path)
    text = " ".join((done.stderr + done.stdout).split()).replace(reference_run, "RUN")
    assert done.returncode in (codes if isinstance(codes, tuple) else (codes,)), f"exit code {done.returncode}\n{text}"
    assert named in text, text
    assert "Traceback" not in text and "terminate" not in text and len(text) < 1200, text
    assert sorted(path.name for path in tmp_path.iterdir()) in (["full", "plain.txt"], ["full", "plain.txt", "x"]), "something was written"


def test_export_writes_into_a_folder_with_files_by_force_alone(reference_run, tmp_path):
    out = tmp_path / "exported"
    assert palimpsest("export", reference_run, "--out", out).returncode == 0
    assert "--force writes into it" in refusal("export", reference_run, "--out", out)
    assert palimpsest("export", reference_run, "--out", out, "--force").returncode == 0
