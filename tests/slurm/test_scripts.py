"""The batch scripts of launch/slurm on a real SLURM: to the end, stopped and requeued, killed and submitted again."""

import os
import subprocess
import time

import pytest
from program import PROGRAM, ROOT

SCRIPTS = os.path.join(ROOT, "launch", "slurm")
LONG = ["--epochs", 1500]  # 3,000 steps a task


@pytest.fixture(scope="module")
def undisturbed(toy):
    """Records of a run of two tasks that is long enough to be disturbed."""
    toy.run(*LONG, "--tasks", 2, out="undisturbed")
    return toy.records("undisturbed")


class Job:
    def __init__(self, slurm, toy, script, options, settings):
        self.slurm, self.toy = slurm, toy
        self.log = toy.path(f"{script}-%j.log".replace("%j", str(time.time_ns())))
        environment = {"PALIMPSEST_HOME": ROOT, "PALIMPSEST": PROGRAM, "OMP_NUM_THREADS": "1"}
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

    def wait_for_steps(self, out, count=300):
        """Until the run has written that many steps more."""
        log = self.toy.path("runs", out, "metrics.jsonl")
        size = os.path.getsize(log) if os.path.exists(log) else 0
        deadline = time.monotonic() + 60
        while not (os.path.exists(log) and os.path.getsize(log) > size + 150 * count):
            assert time.monotonic() < deadline, f"no steps:\n{self.text}"
            time.sleep(0.05)


def submit(slurm, toy, out, script="cpu.sbatch", options=("--nodes=2", "--ntasks-per-node=1"), settings=("--tasks", 2)):
    config = ["--config", toy.path("toy.cfg"), "--out", toy.path("runs", out), "--device", "cpu"]
    return Job(slurm, toy, script, options, [*config, *LONG, *settings])


def test_a_job_over_two_nodes_runs_to_its_end(slurm, toy, undisturbed):
    job = submit(slurm, toy, "to-the-end")
    job.wait_for("COMPLETED")
    assert "2 ranks" in job.text and "done in" in job.text, job.text
    assert toy.records("to-the-end") == undisturbed


def test_a_job_near_its_time_limit_saves_and_requeues_itself(slurm, toy, undisturbed):
    job = submit(slurm, toy, "requeued")
    for restarts in ("1", "2"):
        job.wait_for_steps("requeued")
        slurm.call("scancel", "--batch", "--signal=USR1", job.number)  # as --signal=B:USR1@120 does
        deadline = time.monotonic() + 30
        while slurm.field(job.number, "Restarts") != restarts:
            assert time.monotonic() < deadline, job.text
            time.sleep(0.1)
    job.wait_for("COMPLETED", seconds=90)
    assert job.text.count("stopped on request") == 2 and job.text.count("going on with task") == 2, job.text
    assert toy.records("requeued") == undisturbed


def test_a_job_that_is_killed_goes_on_when_it_is_submitted_again(slurm, toy, undisturbed):
    job = submit(slurm, toy, "killed", settings=("--tasks", 2, "--checkpoint-every", 500))
    job.wait_for_steps("killed")
    slurm.call("scancel", "--full", "--signal=KILL", job.number)
    job.wait_for("FAILED", "CANCELLED", "NODE_FAIL")
    again = submit(slurm, toy, "killed", settings=("--tasks", 2, "--checkpoint-every", 500))
    again.wait_for("COMPLETED")
    assert "going on with task" in again.text or "resumed after task" in again.text, again.text
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


def test_a_world_that_srun_and_mpi_see_differently_is_refused(slurm, toy):
    command = ["srun", "--mpi=none", "-n", "2", *toy.command("--device", "cpu", out="refused")]
    done = subprocess.run(command, env=slurm.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "srun started 2 tasks, but MPI sees a world of 1" in done.stdout + done.stderr, done.stderr
