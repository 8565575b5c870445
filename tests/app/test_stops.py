"""Asked to stop, every program ends soon, with its ranks and its own exit code; and what a verb has no use for, it refuses."""

import json
import os
import re
import signal
import subprocess
import time

import pytest
import toy as toy_module
from program import MPIRUN, PROGRAM, ROOT
from tiers import quick

TOOLS = os.path.join(os.path.dirname(os.path.dirname(PROGRAM)), "tools")
TERM, INT, HUP, USR1, QUIT = signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT
CODES = {TERM: 143, INT: 130, HUP: 129, USR1: 143}
LONG = 60  # seconds; what is stopped would take far longer


def until(what, seconds=LONG):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "that never came"
        time.sleep(0.02)


def said(path):
    return path.read_text(errors="replace") if path.exists() else ""


def processes(mark):
    """The processes that have `mark` in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if mark.encode() in file.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found


def catches(pid, by):
    with open(f"/proc/{pid}/status") as file:
        caught = re.search(r"^SigCgt:\s*(\w+)", file.read(), re.M)[1]
    return int(caught, 16) >> (by - 1) & 1


class Job:
    """A command, stopped once it is at work; knows its heartbeats."""

    def __init__(self, folder, *command, ranks=None, **variables):
        self.beats = folder / "beats"
        self.mark = str(folder)
        launcher = [MPIRUN, "-n", str(ranks)] if ranks else []
        environment = os.environ | {"PALIMPSEST_HEARTBEATS": str(self.beats)} | variables
        # As a terminal or a job script starts it; not in the tests' own group, which a script may signal.
        self.process = subprocess.Popen([*launcher, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=environment, start_new_session=True)

    def at(self, phase):
        until(lambda: phase in said(self.beats / "rank-0000") or self.process.poll() is not None)
        assert self.process.poll() is None, self.process.communicate()
        return self

    def asked(self, by, code, within=15):
        since = time.monotonic()
        self.process.send_signal(by)
        output, errors = self.process.communicate(timeout=LONG)
        assert self.process.returncode == code, f"exit code {self.process.returncode}, expected {code}:\n{output}{errors}"
        assert time.monotonic() - since < within
        assert not processes(self.mark), "ranks are left"
        return output + errors


@pytest.fixture(scope="module")
def long_pack(toy):
    """A pack on which a pass takes minutes, a sample at a time."""
    path = toy.path("long.h5")
    toy_module.make_pack(path, test=4000)
    return path


def commands(toy, run, pack, out):
    slow = ["--evaluation-batch", 1, "--pack", pack]
    return {
        "eval": [PROGRAM, "eval", "--weights", run, *slow, "--protocol", toy.path("long.json"), "--out", out],
        "eval --sweep": [PROGRAM, "eval", "--sweep", run, "--split", "test", "--points", 9999, "--evaluation-batch", 1, "--out", out, "--csv", f"{out}.csv"],
        "predict": [PROGRAM, "predict", "--weights", run, *slow, "--out", out],
    }


@pytest.fixture(scope="module")
def started(toy, reference_run, long_pack):
    toy_module.make_protocol(toy.path("long.json"), test_per_class=4000)

    def start(verb, folder, ranks=None, **variables):
        return Job(folder, *commands(toy, reference_run, long_pack, folder / "out")[verb], ranks=ranks, **variables)

    return start


@pytest.mark.parametrize("by", quick(1, [TERM, INT, HUP, USR1]), ids=lambda by: by.name)
@pytest.mark.parametrize("verb, phase", [("eval", "evaluation"), ("predict", "prediction")])
def test_what_saves_nothing_ends_at_the_next_chunk(started, tmp_path, verb, phase, by):
    text = started(verb, tmp_path).at(phase).asked(by, CODES[by], within=5)
    assert text.count("nothing was written") == 1 and by.name in text and phase in text, text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beats"]


@pytest.mark.slow
def test_a_sweep_ends_likewise(started, tmp_path):
    started("eval --sweep", tmp_path).at("evaluation").asked(TERM, 143, within=5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beats"]


@pytest.mark.parametrize("by, code", quick(1, [(TERM, 143), (INT, 130), (HUP, 129), (USR1, 143), (QUIT, 131)]), ids=lambda by: getattr(by, "name", by))
@pytest.mark.parametrize("verb, phase", quick(1, [("eval", "evaluation"), ("predict", "prediction")]))
def test_all_ranks_end_together(started, tmp_path, verb, phase, by, code):
    text = started(verb, tmp_path, ranks=2).at(phase).asked(by, code)
    assert text.count("nothing was written") == 1 and "was killed" not in text, text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beats"]


def test_a_verb_that_agrees_on_nothing_ends_after_a_second(toy, tmp_path):
    """What waits within one call: a file that never comes."""
    os.mkfifo(tmp_path / "protocol.json")
    job = Job(tmp_path, *toy.command("--dry-run", "--protocol", tmp_path / "protocol.json"), "--out", tmp_path / "run")
    until(lambda: said(job.beats / "rank-0000"))
    text = job.asked(TERM, 143, within=5)
    assert "nothing was written" in text and not (tmp_path / "run").exists(), text


def test_a_second_signal_ends_at_once(toy, tmp_path):
    os.mkfifo(tmp_path / "protocol.json")
    job = Job(tmp_path, PROGRAM, "plan", "--config", toy.path("toy.cfg"), "--protocol", tmp_path / "protocol.json")
    until(lambda: said(job.beats / "rank-0000"))
    job.process.send_signal(INT)
    time.sleep(0.1)
    job.asked(INT, 130, within=0.8)


def training(toy, folder, *settings, **options):
    return Job(folder, *toy.command("--epochs", 100000, "--checkpoint-minutes", 0, *settings), "--out", folder / "run", **options)


@pytest.mark.parametrize("by", quick(1, [TERM, HUP, USR1, QUIT]), ids=lambda by: by.name)
def test_training_under_the_launcher_saves_and_ends(toy, tmp_path, by):
    text = training(toy, tmp_path, ranks=2).at("training step").asked(by, 85)
    assert "stopped on request with 0 tasks done" in text, text
    assert list((tmp_path / "run").glob("step-0000-*.h5"))


@pytest.mark.slow
def test_training_alone_takes_a_hangup_as_a_request(toy, tmp_path):
    training(toy, tmp_path).at("training step").asked(HUP, 85)
    assert list((tmp_path / "run").glob("step-0000-*.h5"))


@pytest.mark.slow
def test_a_hangup_that_nohup_has_ignored_stays_ignored(toy, tmp_path):
    command = toy.command("--epochs", 300, "--tasks", 1, "--out", tmp_path / "run")
    process = subprocess.Popen(["nohup", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    until(lambda: '"task_started"' in said(tmp_path / "run" / "metrics.jsonl"))
    process.send_signal(HUP)
    assert process.wait(timeout=LONG) == 0


@pytest.mark.slow
def test_a_request_before_anything_is_saved_is_answered(toy, tmp_path):
    """A frozen backbone saves whole tasks: until the first is saved the run continues, and says so."""
    frozen = ["--adapter", "none", "--merge", "none", "--perturbation", "none", "--epochs", 3000]
    job = Job(tmp_path, *toy.command(*frozen), "--out", tmp_path / "run")
    until(lambda: '"task_started"' in said(tmp_path / "run" / "metrics.jsonl"))
    text = job.asked(TERM, 85, within=LONG)
    assert "asked to stop: the run saves its next step" in text and "with 1 task done" in text, text


def test_many_requests_end_nothing_before_the_ranks_have_saved(tmp_path):
    launcher = tmp_path / "mpirun"
    launcher.write_text(f"""#!/bin/bash
        [[ $1 != --version ]] || exit 0
        trap '' USR1
        touch {tmp_path}/started
        sleep 1
        exit 85""")
    launcher.chmod(0o755)
    job = Job(tmp_path, "program", ranks=2, PALIMPSEST_MPIRUN=str(launcher))
    until((tmp_path / "started").exists)
    for by in 20 * [USR1, TERM, HUP]:
        job.process.send_signal(by)
    job.asked(TERM, 85)


@pytest.mark.parametrize("by, code", quick(1, [(TERM, 143), (HUP, 129)]), ids=["TERM", "HUP"])
def test_a_request_that_comes_while_mpirun_starts_the_ranks_is_not_lost(tmp_path, by, code):
    """mpirun passes nothing to ranks that it has yet to start; and such ranks have no heartbeat that says why they end."""
    launcher = tmp_path / "mpirun"
    launcher.write_text(f"""#!/bin/bash
        [[ $1 != --version ]] || exit 0
        trap 'trap "exit 143" USR1' USR1
        touch {tmp_path}/started
        while true; do sleep 0.05; done""")
    launcher.chmod(0o755)
    job = Job(tmp_path, "program", ranks=2, PALIMPSEST_MPIRUN=str(launcher))
    until((tmp_path / "started").exists)
    job.asked(by, code)


@pytest.mark.slow
def test_ranks_end_where_the_launcher_was_killed(started, tmp_path):
    job = started("predict", tmp_path, ranks=2).at("prediction")
    job.process.kill()
    until(lambda: not processes(job.mark), seconds=15)


@pytest.mark.parametrize("by", quick(1, [TERM, INT, HUP]), ids=lambda by: by.name)
def test_a_tool_ends_with_the_code_of_a_shell(tmp_path, by):
    os.mkfifo(tmp_path / "protocol.json")
    process = subprocess.Popen([os.path.join(TOOLS, "palimpsest-verify"), tmp_path / "protocol.json"], stderr=subprocess.PIPE, text=True)
    until(lambda: catches(process.pid, HUP))  # the last one that it sets
    process.send_signal(by)
    _, text = process.communicate(timeout=LONG)
    assert process.returncode == CODES[by] and "palimpsest verify: stopped by a signal" in text, text


# Scripts.


@pytest.mark.parametrize("by", quick(1, [TERM, INT, HUP, USR1]), ids=lambda by: by.name)
def test_a_sweep_of_runs_ends_with_its_run(toy, tmp_path, by):
    command = [os.path.join(ROOT, "launch", "sweep.sh"), "--seeds", "1,2", "-n", 2, "--config", toy.path("toy.cfg"), "--epochs", 100000,
               "--out", tmp_path / "sweep"]
    job = Job(tmp_path, *command).at("training step")
    text = job.asked(by, 85)
    assert "the same command resumes it" in text and not (tmp_path / "sweep" / "seed-2").exists(), text


CHILD = "source launch/children.sh; run_child bash -c 'tail -f {mark} /dev/null; true'; echo came back with $?; stop_if_asked; echo continued"


@pytest.mark.parametrize("by", quick(1, [TERM, INT, HUP, USR1]), ids=lambda by: by.name)
def test_a_script_ends_with_what_it_started(tmp_path, by):
    process = subprocess.Popen(["bash", "-c", CHILD.format(mark=tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               text=True, start_new_session=True)
    until(lambda: len(processes(str(tmp_path))) == 3)  # the script, its child, and what that runs
    process.send_signal(by)
    text, _ = process.communicate(timeout=10)
    assert process.returncode == CODES[by] and "came back" in text and "continued" not in text, text
    until(lambda: not processes(str(tmp_path)), seconds=5)


@pytest.mark.parametrize("script", ["quickstart", "results", "data", "sweep"])
def test_every_script_of_several_steps_hands_signals_on(script):
    with open(os.path.join(ROOT, "launch", f"{script}.sh")) as file:
        text = file.read()
    assert re.search(r"^source .*(children|stages)\.sh", text, re.M) and "run_child" in text


JOB = """#!/bin/bash
# The place of mpirun: what comes behind its own options.
while [[ $# -gt 0 && $1 != "$PALIMPSEST" ]]; do shift; done
[[ $# -eq 0 ]] || exec "$@"
"""


@pytest.mark.slow
@pytest.mark.parametrize("scontrol, words", [
    (None, "scontrol, which reports the state of a job, is not in PATH on this node"),
    ("echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1", "`scontrol show job 7` failed, for the reason above"),
], ids=["missing", "failing"])  # fmt: skip
def test_a_job_that_can_not_be_requeued_says_what_happens(tmp_path, scontrol, words):
    scripts = {"mpirun": JOB, "program": "#!/bin/bash\n[[ $1 == doctor ]] || exit 85\n"}
    if scontrol:
        scripts["scontrol"] = f"#!/bin/bash\n{scontrol}\n"
    for name, text in scripts.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    others = tmp_path / "bin"  # of a node without SLURM, whatever this machine has
    others.mkdir()
    for name in os.listdir("/usr/bin"):
        if name != "scontrol":
            (others / name).symlink_to(f"/usr/bin/{name}")
    environment = {"PATH": f"{tmp_path}:{others}", "SLURM_JOB_ID": "7", "PALIMPSEST": str(tmp_path / "program"),
                   "PALIMPSEST_MPIRUN": str(tmp_path / "mpirun")}
    done = subprocess.run([os.path.join(ROOT, "launch", "slurm", "run.sh"), "--stop-after", "9"], env=environment, cwd=tmp_path,
                          capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 85 and words in done.stderr, done.stderr
    assert "so the job will not be requeued" in done.stderr and "submit the same command again" in done.stderr, done.stderr
    assert "SLURM is ending the job" not in done.stderr


# What a verb has no use for.


@pytest.mark.parametrize("verb", ["eval", "predict", "plan", "doctor"])
@pytest.mark.parametrize("setting", quick(1, [["--stop-after", 1], ["--resume", "auto"], ["--checkpoint-every", 7], ["--fork", "runs/x"], ["--dry-run"],
                                     ["--tensorboard", "false"]]), ids=lambda setting: setting[0])
def test_a_setting_that_says_how_a_run_continues_is_refused_elsewhere(toy, reference_run, tmp_path, verb, setting):
    given = {"eval": ["--weights", reference_run], "predict": ["--weights", reference_run, "--out", tmp_path / "out"]}.get(verb, [])
    done = subprocess.run(list(map(str, [PROGRAM, verb, *given, *setting])), capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"{setting[0]} has no meaning in palimpsest {verb}" in done.stderr and "Leave it out" in done.stderr, done.stderr
    assert done.stdout == "" and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("setting", quick(1, [["--lr", 1], ["--epochs", 3], ["--batch", 7], ["--lanes", 2], ["--seed", 3], ["--tasks", 2], ["--head", "cosine"],
                                     ["--scenario", "task-incremental"], ["--adapter", "lora:targets=query"]]), ids=lambda setting: setting[0])  # fmt: skip
def test_saved_weights_keep_how_they_were_trained(reference_run, setting):
    done = subprocess.run(list(map(str, [PROGRAM, "eval", "--weights", reference_run, *setting])), capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 2 and f"{setting[0]} has no meaning in palimpsest eval" in done.stderr, done.stderr


def test_print_config_is_of_training_alone(reference_run):
    done = subprocess.run([PROGRAM, "eval", "--weights", reference_run, "--print-config"], capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 2 and "print-config" in done.stderr, done.stderr


def accuracy(*command):
    done = subprocess.run(list(map(str, [PROGRAM, "eval", *command, "--json"])), capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["tasks"]


def test_a_file_describes_a_run_and_what_has_no_meaning_is_passed_over(toy, reference_run, tmp_path):
    toy_module.write_config(tmp_path / "run.cfg", toy_module.settings(toy.folder) | {"stop-after": 1e-9, "epochs": 1, "adapter": "lora:targets=query", "tasks": 1})
    assert accuracy("--weights", reference_run, "--config", tmp_path / "run.cfg") == accuracy("--weights", reference_run)


@pytest.mark.slow
def test_what_was_recorded_is_no_setting_that_was_given(toy, reference_run):
    """A run of two tasks that later continued to four, and was begun with a limit of time."""
    toy.run("--tasks", 2, "--stop-after", 60, out="went-on")
    toy.run("--resume", "auto", "--stop-after", 50, out="went-on")
    assert accuracy("--weights", toy.path("runs", "went-on")) == accuracy("--weights", reference_run)


@pytest.mark.slow
def test_a_job_hands_its_whole_line_to_the_doctor(toy, tmp_path):
    command = [PROGRAM, "doctor", "--before-train", "--config", toy.path("toy.cfg"), "--stop-after", 9, "--device", "cpu", "--out", tmp_path / "run"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_plan_is_for_a_machine_whatever_a_file_says_of_the_device(tmp_path):
    (tmp_path / "run.cfg").write_text("device = cpu\n")
    command = [PROGRAM, "plan", "--shape", "vit-b/16", "--config", tmp_path / "run.cfg", "--machine", "h100", "--world-size", "1"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 0 and "80 GB" in done.stdout, done.stdout + done.stderr
    other = subprocess.run(list(map(str, [*command, "--device", "cuda:threads=2"])), capture_output=True, text=True, timeout=LONG)
    assert other.returncode == 0 and "80 GB" in other.stdout, other.stderr
    assert "It is for cuda, as h100 has it, and not for device = cpu: --machine chooses." in " ".join(done.stdout.split())
    assert "--machine chooses" not in " ".join(other.stdout.split())
