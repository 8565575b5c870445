"""--shard-memory: ranks keep shards of what is as large as the adapted weights. The records are the same, and a rank's memory falls."""

import os
import shutil
import subprocess
import sys

import pytest
import toy as toy_module
from program import MPIRUN, PROGRAM, Toy
from tiers import quick

METHODS = [
    [],
    ["--merge", "closed-form:by=module,shrink=0.5", "--curvature", "gram:scale=trace"],
    ["--merge", "became", "--curvature", "expected-sampled:scale=none", "--precision", "bf16"],
    ["--merge", "average", "--classifier", "local,ridge:projection=20"],
    ["--adapter", "lora:rank=4,tasks=1"],  # three tasks without a task vector
    ["--lanes", "7", "--error-budget", "false", "--checkpoint-every", "2"],
]


def name_of(options):
    return "-".join(option.strip("-").replace(":", "-").replace(",", "-") for option in options) or "plain"


def whole(toy, options):
    name = f"whole-{name_of(options)}"
    if not os.path.exists(toy.path("runs", name)):
        toy.run("--epochs", 2, *options, out=name)
    return toy.records(name)


@pytest.mark.parametrize("ranks", quick(1, [3, 1, 2, 4]))
@pytest.mark.parametrize("options", METHODS, ids=name_of)
def test_the_records_are_the_same(toy, ranks, options):
    expected = whole(toy, options)
    toy.run("--epochs", 2, "--shard-memory", *options, ranks=ranks, out=f"shards-{ranks}-{name_of(options)}")
    assert len(expected) == 6  # four tasks, two states
    assert toy.records(f"shards-{ranks}-{name_of(options)}") == expected


def test_a_decoder_gives_the_same_records(sequences_toy):
    toy = sequences_toy
    toy.run("--epochs", 2, out="whole")
    toy.run("--epochs", 2, "--shard-memory", ranks=2, out="shards")
    assert toy.records("shards") == toy.records("whole")


@pytest.mark.slow
def test_images_give_the_same_records(vision_toy):
    vision_toy.run("--epochs", 2, "--activation-checkpointing", out="whole-images")
    vision_toy.run("--epochs", 2, "--activation-checkpointing", "--shard-memory", ranks=4, out="shards-images")
    assert vision_toy.records("shards-images") == vision_toy.records("whole-images")


@pytest.mark.parametrize("before, after", quick(1, [(["--shard-memory"], []), ([], ["--shard-memory"]), (["--shard-memory"], ["--shard-memory"])]))
def test_a_run_resumes_with_shards_or_without(toy, before, after, tmp_path):
    expected = whole(toy, [])
    out = str(tmp_path / "run")
    toy.run("--epochs", 2, *before, "--out", out, ranks=2)
    os.remove(os.path.join(out, "state-0003.h5"))  # the last task is learned again
    text = toy.run("--epochs", 2, *after, "--out", out, "--resume", "auto", ranks=3)
    assert "repeating what came after it" in text
    assert toy.records(out) == expected


def test_a_fork_begins_with_shards(toy, tmp_path):
    whole(toy, [])
    origin = toy.path("runs", "whole-plain", "state-0002.h5")
    plain, shards = str(tmp_path / "plain"), str(tmp_path / "shards")
    toy.run("--epochs", 2, "--fork", origin, "--out", plain)
    toy.run("--epochs", 2, "--fork", origin, "--shard-memory", "--out", shards, ranks=2)
    assert toy.records(shards) == toy.records(plain)


@pytest.mark.parametrize("options, named", [
    (["--merge", "closed-form:by=direction"], "--merge closed-form:by=direction"),
    (["--merge", "closed-form:by=coordinate"], "average, ema"),
    (["--penalty", "ewc"], "--penalty ewc"),
    (["--curvature", "expected-exact"], "--curvature expected-exact"),
])
def test_what_needs_all_weights_at_once_is_refused(toy, options, named):
    text = toy.run("--shard-memory", *options, out="refused", code=2)
    assert "--shard-memory cannot be used with" in text and named in text
    assert "Leave one of them out" in text


def test_saved_weights_are_read_whole_at_any_number_of_ranks(toy):
    whole(toy, [])
    toy.run("--epochs", 2, "--shard-memory", ranks=2, out="to-evaluate")
    found = {(name, ranks): subprocess.run([MPIRUN, "-n", str(ranks), PROGRAM, "eval", "--weights", toy.path("runs", name), "--json"],
                                           capture_output=True, text=True, check=True, timeout=60).stdout.replace(name, "run")
             for name in ("whole-plain", "to-evaluate") for ranks in (1, 2)}
    assert len(set(found.values())) == 1, found


def test_ranks_that_disagree_on_it_are_refused(toy):
    command = toy.command(out="disagree")
    done = subprocess.run([MPIRUN, "-n", "1", *command, ":", "-n", "1", *command, "--shard-memory"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "the ranks disagree on --shard-memory" in done.stderr, done.stderr


def test_more_ranks_than_modules_are_refused(toy):
    text = toy.run("--shard-memory", "--adapter", "lora:targets=value", ranks=3, out="few", code=2)
    assert "at least one adapted module for each of 3 ranks, found 2" in text


@pytest.mark.parametrize("kib", quick(1, [200, 100, 300, 440]))
def test_a_full_disk_is_named_and_what_was_saved_is_continued(toy, small_disk, kib):
    expected = whole(toy, [])
    disk = small_disk(f"size={kib}k")
    out = os.path.join(disk, "run")
    text = toy.run("--epochs", 2, "--shard-memory", "--out", out, ranks=2, code=1)
    assert "No space left on device" in text and disk in text, text
    assert "signal" not in text.lower(), text
    small_disk("size=10m,remount")
    toy.run("--epochs", 2, "--shard-memory", "--out", out, "--resume", "auto", ranks=2)
    assert toy.records(out) == expected


# Each rank writes the most memory that the program ever used, in MiB.
MEASURE = """
import os, resource, subprocess, sys
subprocess.run(sys.argv[2:], check=True, stdout=subprocess.DEVNULL)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
open(os.path.join(sys.argv[1], os.environ["OMPI_COMM_WORLD_RANK"]), "w").write(str(peak))
"""
WIDE = 512


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Three blocks, all of whose matrices are adapted: 6 million weights."""
    wide = Toy(str(tmp_path_factory.mktemp("wide")))
    shutil.rmtree(wide.path("backbone"))
    toy_module.make_backbone(wide.path("backbone"), hidden=WIDE, layers=3)
    return wide


def peaks(wide, ranks, *options):
    folder = wide.path(f"peaks-{ranks}-{len(options)}")
    os.makedirs(folder)
    adapter = ["--adapter", "lora:rank=2,targets=query+key+value+output+fc1+fc2", "--epochs", 1, "--tasks", 2]
    program = wide.command(*adapter, *options, out=f"{ranks}-{len(options)}")
    subprocess.run([MPIRUN, "-n", str(ranks), sys.executable, "-c", MEASURE, folder, *program], check=True, capture_output=True, timeout=300)
    return [float(open(os.path.join(folder, str(rank))).read()) for rank in range(ranks)]


def test_memory_falls_as_one_over_the_ranks(wide):
    one, two, four = (max(peaks(wide, ranks, "--shard-memory")) for ranks in (1, 2, 4))
    print(f"MiB with shards at 1, 2 and 4 ranks: {one:.0f}, {two:.0f}, {four:.0f}")
    sharded = 2 * (one - two)  # peak = rest + sharded / ranks
    weights = 3 * 8 * WIDE**2 * 4 / 2**20  # in float32: the model has two such copies
    assert sharded > 10 * weights
    # From two ranks to four it falls by half of what it fell from one to two.
    assert two - four == pytest.approx(sharded / 4, abs=0.06 * one)
    assert max(peaks(wide, 2)) > two + 0.8 * sharded / 2
