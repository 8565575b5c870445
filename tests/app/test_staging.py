"""--stage: ranks read a copy of the pack that is the pack, to the last bit, or the pack itself."""

import json
import os
import subprocess
import time

import h5py
import pytest
from tiers import quick


@pytest.fixture
def run(toy, reference_run, request):
    """Runs over two ranks with --stage FOLDER; the results are those without."""

    def staged(folder, *options):
        out = f"staged-{request.node.name}-{len(os.listdir(toy.path('runs')))}"
        text = toy.run("--stage", folder, *options, ranks=2, out=out)
        assert toy.records(out) == toy.records("reference")
        with open(toy.path("runs", out, "run.json")) as file:
            assert json.load(file)["config"]["pack"] == toy.path("pack.h5")
        return text

    return staged


def content(path):
    with open(path, "rb") as file:
        return file.read()


def pack_hash(toy):
    with h5py.File(toy.path("pack.h5")) as file:
        value = file.attrs["content_sha256"]
    return value.decode() if isinstance(value, bytes) else str(value)


def test_one_copy_is_made_and_used_again(toy, run, tmp_path):
    folder = tmp_path / "disk" / "mine"
    assert "--stage" not in run(folder)
    (copy,) = folder.iterdir()
    assert copy.name == f"pack-{pack_hash(toy)}.h5" and content(copy) == content(toy.path("pack.h5"))
    before = copy.stat()
    assert "--stage" not in run(folder)
    assert (copy.stat().st_ino, copy.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert list(folder.iterdir()) == [copy]


def test_the_copy_is_what_is_read(toy, tmp_path):
    job = subprocess.Popen(toy.command("--stage", tmp_path, "--epochs", 2000, out="mapped"), stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not os.path.exists(toy.path("runs", "mapped", "metrics.jsonl")):
            assert time.monotonic() < deadline and job.poll() is None
            time.sleep(0.01)
        with open(f"/proc/{job.pid}/maps") as file:
            maps = file.read()
    finally:
        job.kill()
        job.wait()
    assert f"{tmp_path}/pack-{pack_hash(toy)}.h5" in maps and toy.path("pack.h5") not in maps


@pytest.mark.parametrize("where", quick(1, ["bytes", "crc32c", "labels", "cut"]))
def test_a_damaged_copy_is_replaced(toy, run, tmp_path, where):
    damaged = bytearray(content(toy.path("pack.h5")))
    if where == "cut":
        del damaged[-1000:]
    else:
        with h5py.File(toy.path("pack.h5")) as file:
            damaged[file[where].id.get_offset() + 5] ^= 1
    copy = tmp_path / f"pack-{pack_hash(toy)}.h5"
    copy.write_bytes(damaged)
    text = run(tmp_path)
    assert text.count("Copying it once more") == 1 and str(copy) in text, text
    assert content(copy) == content(toy.path("pack.h5")) and list(tmp_path.iterdir()) == [copy]


@pytest.mark.slow
def test_without_room_the_pack_is_read_where_it_is(toy, run, small_disk):
    disk = small_disk("size=4k")
    text = run(disk)
    size = os.path.getsize(toy.path("pack.h5"))
    assert f"--stage {disk}: expected {size} free bytes" in text and text.count(f"Reading {toy.path('pack.h5')} where it is") == 1, text
    assert os.listdir(disk) == []


@pytest.mark.slow
def test_a_folder_that_cannot_be_made_is_no_reason_to_stop(toy, run, tmp_path):
    (tmp_path / "file").write_text("")
    text = run(tmp_path / "file" / "folder")
    assert text.count("where it is") == 1, text


@pytest.mark.slow
def test_no_folder_is_no_staging(run):
    assert "--stage" not in run("")


@pytest.mark.slow
def test_images_are_staged_too(vision_toy, tmp_path):
    text = vision_toy.run("--stage", tmp_path, "--tasks", 1, out="staged")
    assert "--stage" not in text
    (copy,) = tmp_path.iterdir()
    assert content(copy) == content(vision_toy.path("pack.h5"))


def test_a_pack_that_is_none_is_refused(toy, tmp_path):
    toy.run("--stage", tmp_path, "--pack", toy.path("toy.cfg"), out="no-pack", code=3)
    assert list(tmp_path.iterdir()) == []
