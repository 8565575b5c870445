"""The batch scripts of launch/slurm on a real SLURM: to the end, stopped and requeued, killed and submitted again."""

import os
import shutil
import subprocess
import time

import pytest
from program import PROGRAM, ROOT

SCRIPTS = os.path.join(ROOT, "launch", "slurm")
LONG = ["--epochs", 800]  # 1,600 steps a task


@pytest.fixture(scope="module")
def undisturbed(toy):
    """Records of a run of two tasks that is long enough to be disturbed."""
    toy.run(*LONG, "--tasks", 2, out="undisturbed")
    return toy.records("undisturbed")


class Job:
    def __init__(self, slurm, toy, script, options, settings, preflight=False):
        self.slurm, self.toy = slurm, toy
        self.log = toy.path(f"{script}-%j.log".replace("%j", str(time.time_ns())))
        environment = {"PALIMPSEST_HOME": ROOT, "PALIMPSEST": PROGRAM, "OMP_NUM_THREADS": "1",
                       "PALIMPSEST_PREFLIGHT": "1" if preflight else "0"}  # fmt: skip
        self.number = slurm.call("sbatch", "--parsable", f"--output={self.log}", f"--chdir={toy.folder}", *options,
                                 os.path.join(SCRIPTS, script), *map(str, settings), **environment).strip()

    @property
    def text(self):
        return open(self.log).read() if os.path.exists(self.log) else ""

    def state(self):
        return self.slurm.field(self.number, "JobState")

    def wait_for(self, *states, seconds=60):
        deadline = time.monotonic() + seconds
        while self.state() not in states:
            assert time.monotonic() < deadline, f"{self.state()}, expected {states}:\n{self.text}"
            time.sleep(0.1)

    def wait_for_restart(self, number):
        deadline = time.monotonic() + 30
        while self.slurm.field(self.number, "Restarts") != str(number):
            assert time.monotonic() < deadline, self.text
            time.sleep(0.1)

    def wait_for_steps(self, out, count=300):
        """Until the run has written that many steps more."""
        log = self.toy.path("runs", out, "metrics.jsonl")
        size = os.path.getsize(log) if os.path.exists(log) else 0
        deadline = time.monotonic() + 60
        while not (os.path.exists(log) and os.path.getsize(log) > size + 150 * count):
            assert time.monotonic() < deadline, f"no steps:\n{self.text}"
            time.sleep(0.05)


def submit(slurm, toy, out, script="cpu.sbatch", options=("--nodes=2", "--ntasks-per-node=1"), settings=("--tasks", 2),
           device="cpu", preflight=False):  # fmt: skip
    config = ["--config", toy.path("toy.cfg"), "--out", toy.path("runs", out), "--device", device]
    return Job(slurm, toy, script, options, [*config, *LONG, *settings], preflight)


def test_a_job_over_two_nodes_runs_to_its_end(slurm, toy, undisturbed):
    job = submit(slurm, toy, "to-the-end", preflight=True)
    job.wait_for("COMPLETED")
    assert "2 ranks" in job.text and "done in" in job.text, job.text
    assert "ok    run folder" in job.text and "ok    all-reduce mpi" in job.text, job.text
    assert toy.records("to-the-end") == undisturbed


def test_a_job_whose_preflight_fails_ends_with_its_lines(slurm, toy):
    job = submit(slurm, toy, "unfit", script="one-node.sbatch", options=("--ntasks-per-node=2", "--gpus-per-node=2", "--cpus-per-task=1"),
                 device="cuda", preflight=True)  # fmt: skip
    job.wait_for("FAILED")
    assert slurm.field(job.number, "ExitCode") == "1:0"
    assert "FAIL  devices" in job.text and "nothing was trained" in job.text, job.text
    assert not os.path.exists(toy.path("runs", "unfit"))


def test_a_preflight_that_is_left_out_looks_at_nothing(slurm, toy):
    job = submit(slurm, toy, "unlooked", script="many-nodes.sbatch", options=("--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=1", "--cpus-per-task=1"),
                 device="cuda")  # fmt: skip
    job.wait_for("FAILED")
    assert slurm.field(job.number, "ExitCode") == "2:0"
    assert "run folder" not in job.text and "--device cuda" in job.text, job.text


def test_a_job_near_its_time_limit_saves_and_requeues_itself(slurm, toy, undisturbed):
    job = submit(slurm, toy, "requeued")
    for restarts in (1, 2):
        job.wait_for_steps("requeued")
        slurm.call("scancel", "--batch", "--signal=USR1", job.number)  # as --signal=B:USR1@120 does
        job.wait_for_restart(restarts)
    job.wait_for("COMPLETED", seconds=90)
    assert job.text.count("stopped on request") == 2 and job.text.count("resuming task") == 2, job.text
    assert toy.records("requeued") == undisturbed


def preempt(slurm, toy, out):
    """A run of which an urgent job takes the nodes away for two seconds."""
    job = submit(slurm, toy, out, options=("--nodes=2", "--ntasks-per-node=1", "--exclusive"),
                 settings=("--tasks", 2, "--checkpoint-every", 100))  # fmt: skip
    job.wait_for_steps(out)
    urgent = slurm.call("sbatch", "--parsable", "--partition=urgent", "--nodes=2", "--exclusive", f"--output={job.log}.urgent",
                        "--wrap=sleep 2").strip()  # fmt: skip
    job.wait_for_restart(1)
    assert slurm.field(urgent, "JobState") in ("PENDING", "RUNNING", "COMPLETED"), job.text
    job.wait_for("COMPLETED", seconds=90)
    return job


def test_a_job_that_is_preempted_saves_and_comes_back(slurm, toy, undisturbed):
    with slurm.setting("SlurmctldParameters=preempt_send_user_signal"):
        job = preempt(slurm, toy, "preempted")
    assert "stopped on request" in job.text and "resuming task" in job.text, job.text
    assert toy.records("preempted") == undisturbed


def test_a_job_whose_nodes_are_taken_without_a_word_comes_back(slurm, toy, undisturbed):
    job = preempt(slurm, toy, "taken")
    assert "stopped on request" not in job.text and "resuming task" in job.text, job.text
    assert toy.records("taken") == undisturbed


def test_a_job_that_is_killed_continues_when_it_is_submitted_again(slurm, toy, undisturbed):
    job = submit(slurm, toy, "killed", settings=("--tasks", 2, "--checkpoint-every", 100))
    job.wait_for_steps("killed")
    slurm.call("scancel", "--full", "--signal=KILL", job.number)
    job.wait_for("FAILED", "CANCELLED", "NODE_FAIL")
    again = submit(slurm, toy, "killed", settings=("--tasks", 2, "--checkpoint-every", 100))
    again.wait_for("COMPLETED")
    assert "resuming task" in again.text or "resumed after task" in again.text, again.text
    assert toy.records("killed") == undisturbed


def test_seeds_are_an_array_of_runs(slurm, toy):
    Job(slurm, toy, "seeds.sbatch", ["--array=1-2", "--ntasks-per-node=1"], ["--config", toy.path("toy.cfg"), "--device", "cpu"])
    deadline = time.monotonic() + 60
    while slurm.call("squeue", "-h").strip():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    for seed in (1, 2):
        toy.run("--seed", seed, out=f"alone-{seed}")
        assert toy.records(f"seeds/seed-{seed}") == toy.records(f"alone-{seed}")


def test_a_sweep_over_seeds_and_protocols_is_an_array(slurm, toy):
    shutil.copy(toy.path("protocol.json"), toy.path("other.json"))
    command = [os.path.join(ROOT, "launch", "sweep.sh"), "--seeds", "3,4", "--protocols", f"{toy.path('protocol.json')},{toy.path('other.json')}",
               "--out", toy.path("runs", "sweep"), "--config", toy.path("toy.cfg"), "--device", "cpu"]  # fmt: skip
    slurm.call(*command, "--sbatch", f"--ntasks-per-node=1 --output={toy.path('sweep-%a.log')}", PALIMPSEST=PROGRAM, PALIMPSEST_PREFLIGHT="0",
               OMP_NUM_THREADS="1")  # fmt: skip
    deadline = time.monotonic() + 90
    while slurm.call("squeue", "-h").strip():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    for seed in (3, 4):
        toy.run("--seed", seed, out=f"alone-{seed}")
        for protocol in ("protocol", "other"):
            assert toy.records(f"sweep/{protocol}-seed-{seed}") == toy.records(f"alone-{seed}")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "4 runs" in done.stdout, done.stdout + done.stderr


def test_more_ranks_than_lanes_are_refused(slurm, toy):
    job = submit(slurm, toy, "refused", options=("--nodes=2", "--ntasks-per-node=4"), settings=("--lanes", 4))
    job.wait_for("FAILED")
    assert slurm.field(job.number, "ExitCode") == "2:0"
    assert "8 ranks" in job.text and "--lanes" in job.text, job.text


def test_ranks_that_srun_starts_without_pmix_never_run_each_for_itself(slurm, toy):
    command = ["srun", "--mpi=none", "-n", "2", *toy.command("--device", "cpu", out="refused")]
    done = subprocess.run(command, env=slurm.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "srun" in done.stderr, done.stderr
    assert not os.path.exists(toy.path("runs", "refused", "run.json"))
