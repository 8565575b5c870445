"""One rank works while the others wait: for as long as it makes progress, and no longer than --hang-seconds where it makes none."""

import os
import subprocess
import time

import pytest
import toy as toy_module
from program import MPIRUN, PROGRAM, Toy

HERE = os.path.dirname(os.path.abspath(__file__))
SIDE = 128  # 240 images of it: a pack of 11.8 MB, which is hashed in parts of one


def make_large(folder):
    toy_module.make_vision(folder)
    toy_module.make_image_pack(os.path.join(folder, "large.h5"), os.path.join(folder, "large"), SIDE)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return Toy(str(tmp_path_factory.mktemp("large")), make_large)


@pytest.fixture(scope="module")
def slow_rank(tmp_path_factory):
    library = tmp_path_factory.mktemp("slow") / "slow_rank.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, os.path.join(HERE, "slow_rank.c"), "-ldl"], check=True)
    return str(library)


def run(slow_rank, command, milliseconds, **more):
    """(exit code, seconds, text) of two ranks, of which the first hashes slowly."""
    slow = {"MS": milliseconds} | more
    environment = os.environ | {"LD_PRELOAD": slow_rank} | {f"PALIMPSEST_SLOW_{name}": str(value) for name, value in slow.items()}
    since = time.monotonic()
    done = subprocess.run([MPIRUN, "-n", "2", *map(str, command)], capture_output=True, text=True, timeout=60, env=environment)
    return done.returncode, time.monotonic() - since, done.stdout + done.stderr


def command(large, out, *options):
    return large.command("--pack", large.path("large.h5"), "--tasks", 1, "--epochs", 1, "--hang-seconds", 2, *options, out=out)


@pytest.mark.slow
@pytest.mark.parametrize("staged", [False, True], ids=["a large pack is verified", "a large pack is staged"])
def test_a_rank_that_takes_long_but_makes_progress_is_waited_for(large, slow_rank, tmp_path, staged):
    """Longer than --hang-seconds, in 12 parts."""
    out = f"slow-{staged}"
    code, seconds, text = run(slow_rank, command(large, out, *(["--stage", tmp_path] if staged else [])), 260)
    assert code == 0 and seconds > 3, text
    assert large.records(out)


def test_a_rank_that_makes_no_progress_is_found_in_time(large, slow_rank):
    code, seconds, text = run(slow_rank, command(large, "stuck"), 30_000, AFTER=2)
    assert code == 5 and seconds < 15, text
    assert "checking the pack' took longer than 2 s" in text, text
    assert "palimpsest: rank" in text and not os.path.exists(large.path("runs", "stuck")), text


@pytest.mark.slow
def test_evaluations_wait_likewise(large, slow_rank):
    """Of weights with validation samples: which samples those are, the hash of every sample decides."""
    large.run("--tasks", 1, "--epochs", 1, "--pack", large.path("large.h5"), "--validation", 0.2, out="to-evaluate")
    evaluation = [PROGRAM, "eval", "--weights", large.path("runs", "to-evaluate"), "--hang-seconds", 2]
    code, seconds, text = run(slow_rank, evaluation, 400, BYTES=3 * SIDE * SIDE)
    assert code == 0 and seconds > 3, text
