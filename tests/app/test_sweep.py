"""launch/sweep.sh: seeds and protocols as one job, with one summary."""

import os
import shutil
import subprocess

import pytest
from program import ROOT
from tiers import quick

SWEEP = os.path.join(ROOT, "launch", "sweep.sh")


def sweep(toy, *arguments, out, code=0):
    command = [SWEEP, *map(str, arguments), "--out", toy.path("runs", out), "--config", toy.path("toy.cfg")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.mark.slow
def test_seeds_are_run_once_and_summed_up(toy, reference_run):
    first = sweep(toy, "--seeds", "1,2", "-n", 2, out="seeds")
    toy.run("--seed", 2, out="seed-2-alone")
    assert toy.records("seeds/seed-1") == toy.records("reference")
    assert toy.records("seeds/seed-2") == toy.records("seed-2-alone")
    assert "seed-1" in first.stdout and "seed-2" in first.stdout and "2 runs" in first.stdout, first.stdout
    manifests = [toy.path("runs", "seeds", f"seed-{seed}", "manifest.json") for seed in (1, 2)]
    times = [os.stat(path).st_mtime_ns for path in manifests]
    shutil.rmtree(toy.path("runs", "seeds", "seed-2"))
    again = sweep(toy, "--seeds", "1,2", "-n", 2, out="seeds")
    assert [os.stat(path).st_mtime_ns for path in manifests][0] == times[0]
    assert toy.records("seeds/seed-2") == toy.records("seed-2-alone")
    assert summary(again) == summary(first)


def summary(done):
    """What palimpsest inspect prints, behind the tables of the runs."""
    assert "2 runs" in done.stdout
    return done.stdout[done.stdout.index("2 runs") :]


def test_protocols_times_seeds_and_a_run_that_fails(toy):
    shutil.copy(toy.path("protocol.json"), toy.path("other.json"))
    protocols = ",".join([toy.path("protocol.json"), toy.path("missing.json"), toy.path("other.json")])
    done = sweep(toy, "--seeds", 3, "--protocols", protocols, "--tasks", 1, out="orders", code=1)
    assert "failed: missing-seed-3 (exit code 3)" in done.stderr, done.stderr
    assert toy.records("orders/protocol-seed-3") == toy.records("orders/other-seed-3")
    assert "2 runs" in done.stdout


@pytest.mark.slow
def test_a_stopped_run_ends_the_sweep_and_continues(toy):
    sweep(toy, "--seeds", "1,2", "--epochs", 60, "--tasks", 1, "--stop-after", 0.0001, out="sweep-stopped", code=85)
    assert not os.path.exists(toy.path("runs", "sweep-stopped", "seed-2"))
    sweep(toy, "--seeds", "1", "--epochs", 60, "--tasks", 1, out="sweep-stopped")
    toy.run("--epochs", 60, "--tasks", 1, out="sweep-whole")
    assert toy.records("sweep-stopped/seed-1") == toy.records("sweep-whole")


@pytest.mark.parametrize("arguments, message", quick(1, [
    ((), "expected numbers after --seeds"),
    (("--seeds", "1,x"), "found '1,x'"),
    (("--seeds", "1,2,1"), "found seed-1 twice"),
    (("--seeds", "1", "-n", "0"), "expected a number of ranks"),
]))  # fmt: skip
def test_what_makes_no_sweep_is_refused(toy, arguments, message):
    assert message in sweep(toy, *arguments, out="refused", code=2).stderr
    assert not os.path.exists(toy.path("runs", "refused", "seed-1"))
