"""A disk that is full, read-only or gone: an error that names the file, and nothing that was saved is lost."""

import fcntl
import os
import shutil
import subprocess
import time

import pytest
from program import INSPECT
from tiers import quick

OPTIONS = ["--epochs", 30, "--checkpoint-every", 5]


@pytest.fixture(scope="module")
def undisturbed(toy):
    toy.run(*OPTIONS, out="undisturbed")
    return toy.records("undisturbed")


@pytest.mark.parametrize("kib", quick(1, [4, 40, 120, 200, 280, 360]))
def test_a_full_disk_is_named_and_what_was_saved_is_continued(toy, undisturbed, small_disk, kib):
    disk = small_disk(f"size={kib}k")
    out = os.path.join(disk, "run")
    text = toy.run(*OPTIONS, "--out", out, code=1)
    assert "No space left on device" in text and disk in text, text
    assert "signal" not in text.lower(), text
    small_disk("size=10m,remount")
    toy.run(*OPTIONS, "--out", out, "--resume", "auto")
    assert toy.records(out) == undisturbed


def test_a_read_only_folder_is_named(toy, small_disk):
    disk = small_disk("size=1m")
    small_disk("ro,remount")
    text = toy.run("--out", os.path.join(disk, "run"), code=1)
    assert "Read-only file system" in text and disk in text


@pytest.mark.slow
def test_a_file_that_another_program_has_locked_is_named(toy, undisturbed):
    shutil.copytree(toy.path("runs", "undisturbed"), toy.path("runs", "locked"))
    state = toy.path("runs", "locked", "state-0003.h5")
    with open(state, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # as HDF5 itself does for writing
        shown = subprocess.run([INSPECT, state], capture_output=True, text=True, timeout=60)
        assert shown.returncode == 3, shown.stdout
        assert state in shown.stderr and "Another program has it open" in shown.stderr, shown.stderr
        text = toy.run(*OPTIONS, "--resume", "auto", out="locked", code=3)
    assert "state-0003.h5: cannot be locked" in text and "resuming from" not in text, text  # nothing is done again for that
    toy.run(*OPTIONS, "--resume", "auto", out="locked")
    assert toy.records("locked") == undisturbed


@pytest.mark.slow
def test_a_folder_that_is_removed_meanwhile_ends_the_run(toy):
    out = toy.path("runs", "removed")
    process = subprocess.Popen([*map(str, toy.command("--epochs", 20000, "--checkpoint-every", 50, out="removed"))],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 30
    while not os.path.exists(os.path.join(out, "manifest.json")):
        assert time.monotonic() < deadline, "no checkpoint was written"
        time.sleep(0.05)
    shutil.rmtree(out)
    text, _ = process.communicate(timeout=30)
    assert process.returncode == 1, text
    assert out in text and "No such file or directory" in text, text


@pytest.mark.slow
def test_out_of_memory_says_what_lowers_it(vision_toy):
    command = ["bash", "-c", 'ulimit -v "$1"; shift; exec "$@"', "limited", "900000",
               *vision_toy.command("--image-transform", "resize-crop:size=512", "--batch", 160, "--lanes", 1, out="memory")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    text = done.stdout + done.stderr
    assert done.returncode == 1, text
    for word in ("out of memory", "--batch", "--activation-checkpointing", "palimpsest plan", "task 1, step 1"):
        assert word in text, text
