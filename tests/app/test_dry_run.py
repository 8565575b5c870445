"""--dry-run opens and refuses all that the run would, up to its first write, and writes nothing."""

import fcntl
import os
import shutil
import subprocess

import pytest
import safetensors.torch
import toy as toy_module
from program import MPIRUN, PROGRAM
from tiers import quick


def call(command, ranks=1):
    launcher = [MPIRUN, "-n", str(ranks)] if ranks > 1 else []
    done = subprocess.run([*launcher, *map(str, command)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def contents(folder):
    """{path: (bytes, time of change)} of all that lies below."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in folders:
            found[os.path.join(root, name)] = None
        for name in files:
            path = os.path.join(root, name)
            if os.path.islink(path):
                found[path] = os.readlink(path)
                continue
            with open(path, "rb") as file:
                found[path] = (file.read(), os.stat(path).st_mtime_ns)
    return found


def a_file(toy, where):
    (where / "file").write_text("something")
    return where / "file"


def a_link(path, target):
    path.symlink_to(target)
    return path


def a_folder(path):
    path.mkdir(parents=True)
    return path


def without_a_tensor(toy, where):
    folder = shutil.copytree(toy.path("backbone"), where / "backbone")
    path = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    del tensors["encoder.layer.1.attention.self.query.weight"]
    safetensors.torch.save_file(tensors, path)
    return folder


def of_another_width(toy, where):
    toy_module.make_backbone(str(where / "wide"), hidden=64)
    (where / "wide" / "config.json").write_bytes(open(toy.path("backbone", "config.json"), "rb").read())
    return where / "wide"


def damaged_pack(toy, where):
    pack = shutil.copy(toy.path("pack.h5"), where / "pack.h5")
    with open(pack, "r+b") as file:
        data = bytearray(file.read())
        at = data.index(b"class 3")
        data[at : at + 7] = b"class 9"
        file.seek(0)
        file.write(data)
    return pack


def copy_of(reference, where, damage=None):
    run = shutil.copytree(reference, where / "copy")
    if damage:
        os.truncate(run / damage, 100)
    return run


# What a run is refused for: settings, by the toy, a folder and the finished reference run; and a word of the message.
REFUSED = {
    "a GPU that isn't there": (lambda t, w, r: ["--device", "cuda"], "--device cuda"),
    "out is a file": (lambda t, w, r: ["--out", a_file(t, w)], "file"),
    "out is below a file": (lambda t, w, r: ["--out", a_file(t, w) / "run"], "file"),
    "out is a link to nothing": (lambda t, w, r: ["--out", a_link(w / "link", w / "none")], "link"),
    "out is below a link to nothing": (lambda t, w, r: ["--out", a_link(w / "link", w / "none") / "run"], "link"),
    "out is a link to itself": (lambda t, w, r: ["--out", a_link(w / "link", w / "link")], "link"),
    "out has a name too long": (lambda t, w, r: ["--out", w / ("x" * 300)], "cannot be made: File name too long"),
    "a file in the place of out's tasks": (lambda t, w, r: ["--out", a_file(t, w).rename(a_folder(w / "run") / "tasks").parent], "run/tasks"),
    "a folder in the place of out's log": (lambda t, w, r: ["--out", a_folder(w / "run" / "metrics.jsonl").parent], "run/metrics.jsonl"),
    "a folder in the place of out's lock": (lambda t, w, r: ["--out", a_folder(w / "run" / ".lock").parent], "run/.lock"),
    "out has another run": (lambda t, w, r: ["--out", r], "found a run (manifest.json)"),
    "out has lost its manifest": (lambda t, w, r: ["--resume", "auto", "--out", lost_manifest(r, w)], "no manifest.json"),
    "resumed with other settings": (lambda t, w, r: ["--resume", "auto", "--out", r, "--perturbation", "sign:epsilon=0.25"], "epsilon"),
    "resumed with fewer tasks": (lambda t, w, r: ["--resume", "auto", "--out", r, "--tasks", 2], "it has learned 4 tasks already"),
    "resumed with another pack": (lambda t, w, r: ["--resume", "auto", "--out", r, "--pack", other_pack(t, w)], "pack (content hash)"),
    "no state is whole": (lambda t, w, r: ["--resume", "auto", "--out", no_state(r, w)], "expected an undamaged state to resume from"),
    "fork of nothing": (lambda t, w, r: ["--fork", w / "none"], "expected a run folder, or a state in one"),
    "fork of a damaged state": (lambda t, w, r: ["--fork", copy_of(r, w, "state-0003.h5")], "its newest state, state-0003.h5"),
    "fork with other modules": (lambda t, w, r: ["--fork", r, "--adapter", "lora:rank=4,alpha=4,targets=query"], "it adapted other modules"),
    "fork with another scale": (lambda t, w, r: ["--fork", r, "--tasks", 4, "--curvature", "empirical:scale=trace"], "found curvature/empirical:scale=secant"),
    "fork with another head": (lambda t, w, r: ["--fork", r, "--head", "cosine"], "in its memory, found head/linear"),
    "continued with the same classes": (lambda t, w, r: ["--continue", r], "class"),
    "continued and forked": (lambda t, w, r: ["--continue", r, "--fork", r], "keep --fork where"),
    "a backbone without a tensor": (lambda t, w, r: ["--backbone", without_a_tensor(t, w)], "query.weight"),
    "a backbone of another width": (lambda t, w, r: ["--backbone", of_another_width(t, w)], "[64, 64]"),
    "no backbone": (lambda t, w, r: ["--backbone", w / "none"], "expected the folder of a backbone"),
    "a damaged pack": (lambda t, w, r: ["--pack", damaged_pack(t, w)], "pack.h5"),
    "labels that tasks share": (lambda t, w, r: ["--scenario", "domain-incremental"], "domain-incremental"),
    "more tasks than there are": (lambda t, w, r: ["--tasks", 9], "--tasks 9"),
    "nothing to merge": (lambda t, w, r: ["--adapter", "none"], "adapter = none"),
    "a rule that is not known": (lambda t, w, r: ["--merge", "averag"], "average"),
}  # fmt: skip


def lost_manifest(reference, where):
    run = copy_of(reference, where)
    os.remove(run / "manifest.json")
    return run


def no_state(reference, where):
    run = copy_of(reference, where, "state-0003.h5")
    os.truncate(run / "state-0002.h5", 100)
    return run


def other_pack(toy, where):
    toy_module.make_pack(str(where / "other.h5"), seed=2)
    return where / "other.h5"


def in_a_folder(command, where):
    """With a new run folder where the settings name none."""
    return command if "--out" in command else [*command, "--out", where / "run"]


@pytest.mark.parametrize("case", quick(3, REFUSED))
def test_a_dry_run_refuses_what_the_run_refuses(toy, reference_run, tmp_path, case):
    settings, word = REFUSED[case]
    command = in_a_folder(toy.command(*settings(toy, tmp_path, reference_run)), tmp_path)
    before = contents(tmp_path)
    dry = call([*command, "--dry-run"])
    assert contents(tmp_path) == before
    run = call(command)
    assert dry[0] == run[0] != 0, (dry, run)
    assert word in dry[2] and word in run[2], (dry[2], run[2])
    assert "Would train" not in dry[1]


@pytest.mark.slow
def test_more_ranks_than_lanes(toy, tmp_path):
    command = [*toy.command("--lanes", 1), "--out", tmp_path / "run"]
    for more in ([], ["--dry-run"]):
        code, _, text = call([*command, *more], ranks=2)
        assert code == 2 and "2 ranks, but only 1 lanes" in text, text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_folder_that_another_run_uses(toy, tmp_path):
    (tmp_path / "run").mkdir()
    with open(tmp_path / "run" / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for more in ([], ["--dry-run"]):
            code, _, text = call([*toy.command(*more), "--out", tmp_path / "run"])
            assert code == 2 and "is in use by another run" in text, text


def test_a_folder_that_can_not_be_written(toy, small_disk):
    disk = small_disk("size=1m")
    small_disk("remount,ro", "-o", "remount")
    for more in ([], ["--dry-run"]):
        code, _, text = call([*toy.command(*more), "--out", os.path.join(disk, "run")])
        assert code == 1 and "Read-only file system" in text, text


@pytest.mark.parametrize("ranks", quick(1, [1, 2]))
def test_a_new_run(toy, tmp_path, ranks):
    code, text, errors = call([*toy.command("--dry-run"), "--out", tmp_path / "a" / "run"], ranks)
    assert code == 0, errors
    assert f"Would train 4 tasks over {ranks} rank" in text and "nothing was run" in text
    assert "\ndevice" in text and " cpu" in text
    assert list(tmp_path.iterdir()) == []


def test_steps_and_samples_of_unequal_tasks_are_counted_task_by_task(toy, tmp_path):
    tasks = [{"name": name, "classes": [f"class {c}" for c in classes]} for name, classes in (("a", range(3)), ("b", range(3, 6)), ("c", range(6, 8)))]
    toy_module.make_protocol(tmp_path / "unequal.json", tasks=tasks)
    code, text, errors = call(toy.command("--dry-run", "--protocol", tmp_path / "unequal.json", "--epochs", 1, "--batch", 25, "--out", tmp_path / "run"))
    assert code == 0, errors
    rows = [line.split("  ", 1) for line in text.splitlines() if "  " in line]
    lines = {name: value.split()[0] for name, value in rows if name in ("steps", "training samples")}
    assert lines == {"steps": "8", "training samples": "160"}, text  # 60 samples in 3 steps, the same again, 40 in 2


@pytest.mark.slow
def test_a_run_that_continues_says_where(toy, tmp_path):
    steps = ["--epochs", 30, "--checkpoint-every", 7, "--resume", "auto", "--out", tmp_path / "run"]
    assert call(toy.command(*steps, "--tasks", 1))[0] == 0
    assert call(toy.command(*steps, "--stop-after", 1e-9))[0] == 85
    before = contents(tmp_path)
    code, text, errors = call(toy.command(*steps, "--dry-run"))
    assert code == 0 and "Would train tasks 2 to 4 of 4, from step 2 of the first on, over" in text, text + errors
    assert contents(tmp_path) == before
    os.truncate(tmp_path / "run" / "step-0001-00000001.h5", 100)
    before = contents(tmp_path)
    code, text, errors = call(toy.command(*steps, "--dry-run"))
    assert code == 0 and "Would train tasks 2 to 4 of 4 over" in text and "doing task 2 again" in errors, text + errors
    assert contents(tmp_path) == before


@pytest.mark.slow
def test_a_finished_run_and_a_fork(toy, reference_run, tmp_path):
    before = contents(reference_run)
    code, text, _ = call([*toy.command("--resume", "auto", "--dry-run"), "--out", reference_run])
    assert code == 0 and "Would train nothing more: all 4 tasks are done" in text, text
    state = os.path.join(reference_run, "state-0002.h5")
    code, text, _ = call([*toy.command("--fork", state, "--dry-run"), "--out", tmp_path / "fork"])
    assert code == 0 and "Would train task 4 of 4 over" in text, text
    assert contents(reference_run) == before and list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_tasks_that_come_after_another_runs(toy, tmp_path):
    new = {"pack": tmp_path / "new.h5", "protocol": tmp_path / "new.json"}
    toy_module.make_pack(str(new["pack"]), only=[6, 7])
    toy_module.make_protocol(str(new["protocol"]), tasks=[{"name": "new", "classes": ["class 6", "class 7"]}])
    assert call([*toy.command("--tasks", 2), "--out", tmp_path / "first"])[0] == 0
    command = [*toy.command("--continue", tmp_path / "first", "--dry-run"), "--out", tmp_path / "second"]
    code, text, errors = call([*command, *(f"--{name}={path}" for name, path in new.items())], ranks=2)
    assert code == 0 and "Would train task 3 of 3 over 2 ranks" in text and "12 of up to 30 samples" in text, text + errors
    assert "are not tested from now on" in errors
    assert not (tmp_path / "second").exists()


def test_what_comes_with_stage_stays_undone(toy, tmp_path):
    code, _, errors = call([*toy.command("--stage", tmp_path / "disk", "--dry-run"), "--out", tmp_path / "run"])
    assert code == 0 and list(tmp_path.iterdir()) == [], errors


@pytest.mark.parametrize("case", quick(1, ["a backbone without a tensor", "no backbone", "a damaged pack", "more tasks than there are"]))
@pytest.mark.parametrize("machine", quick(1, ["measured", "named"]))
def test_a_plan_refuses_the_same_files(toy, reference_run, tmp_path, case, machine):
    settings, word = REFUSED[case]
    command = [PROGRAM, "plan", "--config", toy.path("toy.cfg"), *settings(toy, tmp_path, reference_run)]
    code, _, errors = call([*command, *(["--machine", "h100"] if machine == "named" else [])])
    assert code in (2, 3) and word in errors, errors
