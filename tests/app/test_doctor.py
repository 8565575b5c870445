"""palimpsest doctor as a user runs it, on machines without a GPU."""

import json
import os
import re
import subprocess

import pytest
from program import MPIRUN, PROGRAM
from tiers import quick


def doctor(*arguments, ranks=1, code=0, **environment):
    launcher = [MPIRUN, "-n", str(ranks)] if ranks > 1 else []
    done = subprocess.run([*launcher, PROGRAM, "doctor", *map(str, arguments)], capture_output=True, text=True, timeout=120,
                          env=os.environ | environment)  # fmt: skip
    assert done.returncode == code, f"exit code {done.returncode}, expected {code}:\n{done.stdout}{done.stderr}"
    return done.stdout


def verdicts(text):
    """{check: verdict}; every line is a finding."""
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(ok|warn|FAIL|skip) +(\S+(?: \S+)?) {2,}\S.*|(ok|warn|FAIL|skip) +(all-reduce \S+) +\S.*", line)
        assert match, line
        found[match[2] or match[4]] = match[1] or match[3]
    return found


def test_help_teaches():
    text = subprocess.run([PROGRAM, "doctor", "--help"], capture_output=True, text=True, check=True).stdout
    assert "--out" in text and "--json" in text and "--hang-seconds" in text
    assert "  doctor " in subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout


def test_alone_nothing_fails(tmp_path):
    found = verdicts(doctor("--device", "cpu", "--out", tmp_path / "run"))
    assert "FAIL" not in found.values()
    assert found["run folder"] == "ok" and found["devices"] == "skip" and found["all-reduce mpi"] == "skip"
    assert not (tmp_path / "run").exists()


def test_two_ranks_exchange_and_see_the_folder(tmp_path):
    text = doctor("--device", "cpu", "--out", tmp_path, ranks=2)
    found = verdicts(text)
    assert found["all-reduce mpi"] == "ok" and found["clocks"] == "ok" and found["run folder"] == "ok", text
    assert "bus bandwidth" in text and "2 ranks on 1 node" in text
    assert os.listdir(tmp_path) == []


def test_devices_that_are_requested_and_missing_fail():
    if os.path.exists("/dev/nvidiactl"):
        pytest.skip("a CUDA device may be there")
    found = verdicts(doctor("--device", "cuda", code=1))
    assert found["devices"] == "FAIL"


@pytest.mark.slow
def test_json_is_for_programs():
    report = json.loads(doctor("--device", "cpu", "--json", ranks=2))
    assert report["failed"] is False and len(report["ranks"]) == 2
    largest = report["all_reduce"][-1]
    assert largest["transport"] == "mpi" and largest["bytes"] == 64 << 20 and largest["bus_bandwidth"] > 0
    assert {finding["verdict"] for finding in report["findings"]} <= {"ok", "warn", "skip"}


@pytest.mark.slow
def test_more_threads_than_cores_are_a_warning():
    assert verdicts(doctor("--device", "cpu:threads=1000"))["threads"] == "warn"


def test_it_takes_the_settings_of_a_run(toy):
    found = verdicts(doctor("--config", toy.path("toy.cfg"), "--out", toy.path("runs", "of-the-doctor"), "--epochs", 3, "--lanes", 2))
    assert found["run folder"] == "ok"
    doctor("--epoch", 3, code=2)


@pytest.mark.slow
def test_a_folder_that_can_not_be_made_fails(tmp_path):
    (tmp_path / "file").write_text("in the way")
    found = verdicts(doctor("--device", "cpu", "--out", tmp_path / "file" / "run", code=1))
    assert found["run folder"] == "FAIL" and found["disk space"] == "skip"


@pytest.mark.parametrize("arguments", quick(1, [["--hang-seconds", "nan"], ["--hang-seconds=-1"], ["--out", ""]]))
def test_values_that_say_nothing_are_refused(arguments):
    doctor("--device", "cpu", *arguments, code=2)


@pytest.mark.slow
def test_variables_that_only_one_rank_has_are_named():
    command = [MPIRUN, "-n", "1", "env", "NCCL_DEBUG=WARN", PROGRAM, "doctor", "--device", "cpu", ":", "-n", "1", PROGRAM, "doctor", "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert verdicts(done.stdout)["variables"] == "warn"
    assert "NCCL_DEBUG differs" in done.stdout and "rank 1" in done.stdout, done.stdout
