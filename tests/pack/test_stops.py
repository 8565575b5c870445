"""Stopping palimpsest pack and results-table: soon, with their workers, an exit code that says what stays, and one line."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from image_support import PROGRAM, counts, noise, save
from palimpsest.counted import counted, form
from text_support import token_pack, word_tokenizer

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
TABLE = PROGRAM.parent / "results-table"
BUSY = 30  # seconds that the slow part of a program takes, unless it is stopped
SOON = 3.0  # seconds, on a machine with much else to do


class Call:
    """A program with its own process group."""

    def __init__(self, program, *arguments, env=None):
        self.process = subprocess.Popen(
            [sys.executable, program, *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | (env or {}),
        )

    def wait_for(self, condition):
        end = time.monotonic() + BUSY
        while self.process.poll() is None and not condition() and time.monotonic() < end:
            time.sleep(0.01)
        assert self.process.poll() is None and condition(), self.process.communicate()[1]

    def stop(self, number, send=os.killpg):
        """(exit code, lines of stderr that are not notes); checks that it was soon, and that no process is left."""
        began = time.monotonic()
        send(self.process.pid, number)
        err = self.process.communicate(timeout=BUSY)[1]
        assert time.monotonic() - began < SOON, err
        end = time.monotonic() + SOON
        while self.group() and time.monotonic() < end:
            time.sleep(0.01)
        assert not self.group(), "processes are left"
        return self.process.returncode, [line for line in err.splitlines() if "note:" not in line]

    def group(self):
        """Processes of the group that still run."""
        found = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(group) == self.process.pid and state != "Z":
                found.append(stat.parent.name)
        return found


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    for number in range(90):
        save(root / "a" / f"{number}.png", noise(number, 400, 400), compress_level=0)
    return root


def images(source, out, workers):
    return Call(PROGRAM, "images", source, "--out", out, "--workers", workers, "--short-side", 399)


@pytest.mark.parametrize("number, workers", [(signal.SIGINT, 1), (signal.SIGTERM, 2), (signal.SIGHUP, 1)])
def test_images_that_are_stored_stay_and_the_same_command_continues(source, tmp_path, number, workers):
    out = tmp_path / "p.h5"
    journal = out.with_name("p.h5.partial") / "journal"
    call = images(source, out, workers)
    call.wait_for(lambda: journal.exists() and journal.stat().st_size)
    code, lines = call.stop(number)
    stored = len(journal.read_bytes().splitlines())
    assert 0 < stored < 90
    assert code == 85 and lines == [
        f"palimpsest pack: stopped by {number.name}; {counted(stored, 'image')} {form(stored, 'stays', 'stay')} in {journal.parent}; the same command continues there"
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.h5.partial"]


def test_a_signal_to_the_parent_alone_ends_its_workers_and_the_next_call_continues(source, tmp_path):
    journal = tmp_path / "p.h5.partial" / "journal"
    call = images(source, tmp_path / "p.h5", 2)
    call.wait_for(lambda: journal.exists() and journal.stat().st_size)
    assert call.stop(signal.SIGTERM, os.kill)[0] == 85
    again = subprocess.run([*call.process.args], capture_output=True, text=True)
    assert again.returncode == 0 and "resuming after" in again.stderr
    assert counts(tmp_path / "p.h5") == {"a": (72, 18)}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.h5"]


def test_a_signal_that_comes_twice_counts_once(source, tmp_path):
    journal = tmp_path / "p.h5.partial" / "journal"

    def twice(process, number):
        os.kill(process, number)
        time.sleep(0.02)
        os.killpg(process, number)

    call = images(source, tmp_path / "p.h5", 1)
    call.wait_for(lambda: journal.exists() and journal.stat().st_size)
    code, lines = call.stop(signal.SIGTERM, twice)
    assert code == 85 and len(lines) == 1


SLOW = """\
import pathlib, sys, time
if sys.argv[1:]:
    import {module} as slow
    original = slow.{name}
    def wait(*arguments, **options):
        if not pathlib.Path({begun!r}).exists():
            pathlib.Path({begun!r}).touch()
            time.sleep({busy})
        return original(*arguments, **options)
    slow.{name} = wait
"""


@pytest.fixture
def slowed(tmp_path):
    """slowed(module, name): (environment in which the first call of a function waits, file that says that it has begun)."""

    def made(module, name):
        begun = tmp_path / "site" / "begun"
        begun.parent.mkdir()
        text = SLOW.format(module=module, name=name, begun=str(begun), busy=BUSY)
        (begun.parent / "sitecustomize.py").write_text(text)
        return {"PYTHONPATH": str(begun.parent)}, begun

    return made


def ends_with_nothing(call, begun, tmp_path, number, kept):
    call.wait_for(begun.exists)
    code, lines = call.stop(number)
    stays = "no partial files are left; the same command starts from the beginning"
    assert (code, lines) == (128 + number, [f"palimpsest pack: stopped by {number.name}; {stays}"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["site", *kept])


def test_images_before_the_first_is_stored(source, tmp_path, slowed):
    env, begun = slowed("os", "listdir")
    call = Call(PROGRAM, "images", source, "--out", tmp_path / "p.h5", env=env)
    ends_with_nothing(call, begun, tmp_path, signal.SIGINT, [])


def test_images_while_the_pack_is_written(source, tmp_path, slowed):
    env, begun = slowed("os", "fsync")
    call = Call(PROGRAM, "images", source, "--out", tmp_path / "p.h5", "--workers", 1, "--short-side", 9, env=env)
    call.wait_for(begun.exists)
    code, lines = call.stop(signal.SIGINT)
    assert code == 85 and "; 90 images stay in" in lines[0] and len(lines) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.h5.partial", "site"]


def test_a_pack_of_texts_while_it_is_written(tmp_path, slowed):
    tokenizer = word_tokenizer(tmp_path / "model", ["w"])
    stanzas = [f"Package: p{i}\nSection: {'ab'[i % 2]}\nDescription: w {i}\n\n" for i in range(8)]
    (tmp_path / "index").write_text("".join(stanzas))
    env, begun = slowed("os", "fsync")
    options = ["--tokenizer", tokenizer, "--index", tmp_path / "index", "--train", 2, "--test", 1]
    call = Call(PROGRAM, "debian", *options, "--out", tmp_path / "p.h5", env=env)
    ends_with_nothing(call, begun, tmp_path, signal.SIGHUP, ["model", "index"])


@pytest.mark.parametrize("verb", ["protocol", "backbone"])
def test_other_verbs_while_they_write(tmp_path, slowed, verb):
    token_pack(tmp_path / "p.h5", {"a": (1, 1), "b": (1, 1)})
    env, begun = slowed("os", "fsync")
    options = {
        "protocol": ["--pack", tmp_path / "p.h5", "--name", "n", "--tasks", 1, "--classes-per-task", 2, "--train", 1, "--test", 1],
        "backbone": ["minilm"],
    }[verb]
    (tmp_path / "out").mkdir()
    call = Call(PROGRAM, verb, *options, "--out", tmp_path / "out" / "x", env=env)
    ends_with_nothing(call, begun, tmp_path, signal.SIGTERM, ["p.h5", "out"])
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("number", SIGNALS)
def test_the_time_of_imports_counts(tmp_path, slowed, number):
    env, begun = slowed("site", "main")  # never called: begun stays away
    (tmp_path / "site" / "h5py.py").write_text(f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep({BUSY})\n")
    call = Call(PROGRAM, "show", tmp_path / "p.h5", env=env)
    ends_with_nothing(call, begun, tmp_path, number, [])
    begun.unlink()
    call = Call(TABLE, tmp_path, env=env)
    call.wait_for(begun.exists)
    assert call.stop(number) == (128 + number, [f"results-table: stopped by {number.name}; no files were written"])


def test_results_table(tmp_path, slowed):
    env, begun = slowed("json", "load")
    (tmp_path / "manifest.json").write_text("{}")
    call = Call(TABLE, tmp_path, env=env)
    call.wait_for(begun.exists)
    assert call.stop(signal.SIGTERM) == (128 + signal.SIGTERM, ["results-table: stopped by SIGTERM; no files were written"])


def test_measurements_end_with_what_they_run(tmp_path):
    program = tmp_path / "measure.py"
    program.write_text(
        f"import os, pathlib, sys\nsys.path.insert(0, {str(PROGRAM.parents[1] / 'bench' / 'measure')!r})\n"
        f"import process\nprocess.end_on_signals()\n"
        f"process.run(['sleep', '{BUSY}'], dict(os.environ), pathlib.Path({str(tmp_path)!r}), 'sleep')\n"
    )
    call = Call(program)
    call.wait_for(lambda: any(pathlib.Path(f"/proc/{pid}/comm").read_text() == "sleep\n" for pid in call.group()))
    time.sleep(0.3)  # until Popen has returned
    assert call.stop(signal.SIGTERM, os.kill) == (143, ["bench: stopped by SIGTERM; no results are written"])


def test_nohup_keeps_its_meaning(tmp_path, slowed):
    env, begun = slowed("json", "load")
    (tmp_path / "manifest.json").write_text("{}")
    call = subprocess.Popen(["nohup", sys.executable, TABLE, tmp_path], env=os.environ | env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not begun.exists():
        assert call.poll() is None
        time.sleep(0.01)
    call.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert call.poll() is None
    call.kill()
    call.wait()


def test_texts_that_are_encoded_stay_and_the_same_command_continues(tmp_path, slowed):
    tokenizer = word_tokenizer(tmp_path / "model", ["w"])
    (tmp_path / "t.csv").write_text("text,label\n" + "".join(f"w {i},{'ab'[i % 2]}\n" for i in range(3000)))
    env, begun = slowed("os", "pread")
    arguments = ["texts", tmp_path / "t.csv", "--tokenizer", tokenizer, "--out", tmp_path / "p.h5"]
    call = Call(PROGRAM, *arguments, env=env)
    call.wait_for(begun.exists)
    code, lines = call.stop(signal.SIGTERM)
    stays = f"the tokens of 3,000 texts stay in {tmp_path / 'p.h5.partial'}; the same command continues there"
    assert (code, lines) == (85, [f"palimpsest pack: stopped by SIGTERM; {stays}"])
    done = subprocess.run([sys.executable, PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=True)
    assert "resuming after 2,048 texts of an earlier call" in done.stderr and (tmp_path / "p.h5").exists()
    assert not (tmp_path / "p.h5.partial").exists()
