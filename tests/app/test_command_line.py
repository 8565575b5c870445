"""Help, configuration, dry run, inspection and an installed prefix."""

import json
import os
import subprocess
import sys
import time

import pytest
from program import INSPECT, PROGRAM, ROOT


def output(*command, code=0, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_help_teaches(toy):
    assert "palimpsest train" in output(PROGRAM, "--help")
    text = output(PROGRAM, "train", "--help", "all")
    assert "scale=none, trace or secant" in text and "not in the paper" in text.lower()


def test_print_config_round_trips(toy, tmp_path):
    first = output(*toy.command("--perturbation", "sign:epsilon=0.3", "--print-config"))
    (tmp_path / "printed.cfg").write_text(first)
    assert output(PROGRAM, "train", "--config", tmp_path / "printed.cfg", "--print-config") == first
    assert "perturbation = sign:epsilon=0.3" in first


def test_dry_run_says_what_would_run_and_writes_nothing(toy):
    text = output(*toy.command("--dry-run", out="dry"))
    assert "4 tasks over 1 rank and" in text and "48 of up to 30 samples" in text
    assert not os.path.exists(toy.path("runs", "dry"))


def test_unknown_verbs_are_refused(toy):
    assert subprocess.run([PROGRAM, "trian"], capture_output=True).returncode == 2


def test_inspect_reads_runs_and_files(toy, reference_run):
    table = output(INSPECT, reference_run)
    assert "alpha" in table and "last accuracy" in table
    run = json.loads(output(INSPECT, reference_run, "--json"))
    assert len(run["alphas"]) == 4 and "summary" in run
    for file in ("tasks/task-0001.h5", "state-0003.h5"):
        path = os.path.join(reference_run, file)
        assert output(INSPECT, path)
        json.loads(output(INSPECT, path, "--json"))
    seconds = []
    for _ in range(5):
        since = time.monotonic()
        output(INSPECT, os.path.join(reference_run, "tasks", "task-0001.h5"))
        seconds.append(time.monotonic() - since)
    assert min(seconds) < 0.05, seconds  # no LibTorch, no bulk data
    assert "vocabulary" in output(INSPECT, toy.path("pack.h5"))
    output(INSPECT, toy.path("toy.cfg"), code=3)
    output(INSPECT, code=2)


def test_a_pack_of_images_has_no_vocabulary(vision_toy):
    text = output(INSPECT, vision_toy.path("pack.h5"))
    assert "kind pixels" in text and "vocabulary" not in text


def test_the_log_has_every_step_and_task(toy, reference_run):
    with open(os.path.join(reference_run, "metrics.jsonl")) as file:
        events = [json.loads(line) for line in file]
    kinds = [event["event"] for event in events]
    assert kinds.count("step") == 4 * 12 and kinds.count("merged") == 4 and kinds.count("evaluated") == 8


def test_an_installed_prefix_works(toy, tmp_path):
    build = os.path.dirname(os.path.dirname(PROGRAM))
    output("cmake", "--install", build, "--prefix", tmp_path)
    program = tmp_path / "bin" / "palimpsest"
    text = output(program, "train", "--config", toy.path("toy.cfg"), "--tasks", 1, "--out", tmp_path / "run")
    assert "last accuracy" in text
    assert "task 1" in output(tmp_path / "bin" / "palimpsest-inspect", tmp_path / "run")
    assert "debian" in output(sys.executable, tmp_path / "bin" / "palimpsest-pack", "--help")
    assert "_palimpsest" in (tmp_path / "share" / "bash-completion" / "completions" / "palimpsest").read_text()
    assert (tmp_path / "share" / "zsh" / "site-functions" / "_palimpsest").read_text().startswith("#compdef palimpsest ")


@pytest.mark.slow
def test_another_project_finds_what_is_installed(reference_run, tmp_path):
    """The example of docs/examples, from a prefix that has been moved."""
    output("cmake", "--install", os.path.dirname(os.path.dirname(PROGRAM)), "--prefix", tmp_path / "first")
    prefix = (tmp_path / "first").rename(tmp_path / "moved")
    installed = {folder.name for folder in (prefix / "include" / "palimpsest").iterdir()}
    assert "merge" in installed and not installed & {"comm", "model", "train", "continual"}
    source, build = os.path.join(ROOT, "docs", "examples", "merge-a-run"), tmp_path / "build"
    output("cmake", "-S", source, "-B", build, "-D", f"CMAKE_PREFIX_PATH={prefix};{os.environ.get('CMAKE_PREFIX_PATH', '')}")
    output("cmake", "--build", build)
    run = json.loads(output(INSPECT, reference_run, "--json"))
    lines = output(build / "merge-a-run", reference_run, "fixed:alpha=0.5").splitlines()
    assert [line.split()[-2:] for line in lines[1:]] == [[f"{alpha:.4f}", "0.5000"] for alpha in run["alphas"]]
    assert "expected" in subprocess.run([build / "merge-a-run", tmp_path, "average"], capture_output=True, text=True).stderr
    output(build / "merge-a-run", tmp_path, "average", code=3)
    output(build / "merge-a-run", reference_run, "averag", code=2)


MPIRUN = os.path.join(ROOT, "launch", "mpirun.sh")
RULE = 74 * "-"  # what Open MPI writes before and after its own words


@pytest.mark.parametrize("code", [1, 2, 3, 85])
def test_under_mpirun_the_program_alone_says_why_it_ended(code):
    done = subprocess.run([MPIRUN, "-n", "2", "bash", "-c", f"[[ $OMPI_COMM_WORLD_RANK == 0 ]] && echo why >&2; sleep 0.2; exit {code}"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (code, "why\n")


def test_lines_of_ranks_stay_around_the_words_of_mpirun():
    for _ in range(4):
        done = subprocess.run([MPIRUN, "-n", "2", "bash", "-c", "echo before >&2; echo -n partial >&2; exit 85"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 85 and done.stderr.count("before") == 2 and done.stderr.count("partial") == 2
        assert "Per user-direction" not in done.stderr, done.stderr
    script = f"echo {RULE} >&2; echo one >&2; sleep 1; echo two >&2"
    done = subprocess.run([MPIRUN, "-n", "1", "bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stderr == f"{RULE}\none\ntwo\n"


def test_what_mpirun_says_of_other_programs_stays():
    done = subprocess.run([MPIRUN, "-n", "1", "bash", "-c", f"printf 'a\\n{RULE}\\nmine\\n{RULE}\\nz\\n' >&2; exit 7"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 7 and f"a\n{RULE}\nmine\n{RULE}\nz\n" in done.stderr
    assert "Exit code:    7" in done.stderr and "Per user-direction" not in done.stderr
    done = subprocess.run([MPIRUN, "-n", "1", "/no/such/program"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "/no/such/program" in done.stderr
