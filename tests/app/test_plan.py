"""palimpsest plan: what it says, and how near its memory comes to what a run takes."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
import timm
import torch

PROGRAM = os.environ["PALIMPSEST"]
PACKER = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "palimpsest-pack")
SIDE, SAMPLES, BATCH = 112, 128, 64


def plan(*arguments, code=0):
    done = subprocess.run([PROGRAM, "plan", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def number(text, row):
    return int(re.search(rf"^{row} +([\d,]+)", text, re.M)[1].replace(",", ""))


def peak(text):
    """Bytes, from the parts: the sum is rounded to a tenth of a GiB."""

    def part(name):
        amount, unit = re.search(rf"^  {name} +([\d.]+) (\w+)", text, re.M).groups()
        return float(amount) * {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[unit]

    together = sum(part(name) for name in ("program", "weights", "adapted", "activations", "curvature"))
    return together + max(part("optimizer"), part("Fisher"))


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    """Settings of a stream of random images on a random ViT of ViT-S's width: one task, four steps."""
    folder = tmp_path_factory.mktemp("plan")
    torch.manual_seed(1)
    shape = dict(img_size=SIDE, patch_size=16, embed_dim=384, depth=12, num_heads=6, num_classes=0)
    model = timm.models.vision_transformer.VisionTransformer(**shape)
    (folder / "vit").mkdir()
    safetensors.torch.save_file(model.state_dict(), folder / "vit" / "model.safetensors")
    config = {
        "architecture": "vit_small_patch16_224",
        "global_pool": "token",
        "pretrained_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "crop_pct": 0.9},
    }
    (folder / "vit" / "config.json").write_text(json.dumps(config))
    rng = np.random.default_rng(1)
    (folder / "images").mkdir()
    for side, count in (("train", SAMPLES), ("t10k", 8)):
        pixels = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 2
        for name, array in ((f"{side}-images-idx3-ubyte", pixels), (f"{side}-labels-idx1-ubyte", labels)):
            header = np.array([0x800 + array.ndim, *array.shape], ">u4").tobytes()
            (folder / "images" / name).write_bytes(header + array.tobytes())
    pack, protocol = folder / "pack.h5", folder / "protocol.json"
    make = [sys.executable, PACKER]
    subprocess.run([*make, "images", folder / "images", "--out", pack], check=True, capture_output=True)
    sizes = ["--tasks", "1", "--classes-per-task", "2", "--train", str(SAMPLES // 2), "--test", "4", "--seed", "1"]
    subprocess.run([*make, "protocol", "--pack", pack, "--name", "p", *sizes, "--out", protocol], check=True, capture_output=True)
    files = ["--pack", pack, "--protocol", protocol, "--backbone", folder / "vit"]
    return [*files, "--image-size", SIDE, "--epochs", 1, "--device", "cpu", "--batch", BATCH, "--lanes", 2, "--progress", "none"]


# A process that is small itself: what its parent holds counts as a child's until it begins another program.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_of_a_run(arguments, out):
    """Bytes: the most that the process ever held."""
    command = [sys.executable, "-c", MEASURE, PROGRAM, "train", *map(str, arguments), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return int(done.stdout) * 1024


def has_avx512():
    with open("/proc/cpuinfo") as file:
        return " avx512f " in file.read()


@pytest.mark.parametrize("options", [[], ["--activation-checkpointing"], ["--precision", "bf16"], ["--merge", "average"]])
def test_memory_is_within_15_percent_of_what_a_run_takes(stream, options, tmp_path):
    if "bf16" in options and not has_avx512():
        pytest.skip("without AVX-512 LibTorch emulates products in bf16: minutes for what takes seconds")
    planned = peak(plan(*stream, *options))
    measured = peak_of_a_run([*stream, *options], tmp_path / "run")
    assert abs(planned - measured) < 0.15 * measured, f"planned {planned / 2**20:.0f} MiB, measured {measured / 2**20:.0f}"


def test_a_stream_and_its_scaling(stream):
    text = plan(*stream, "--world-size", 2)
    assert "1 tasks of" in text and "over 2 ranks and 2 lanes" in text
    assert number(text, "adapted weights") == 12 * 2 * 384 * 384
    assert number(text, "trained per task") == 12 * 2 * 10 * 2 * 384 + 2 * 385
    assert number(text, "steps") == 2
    rows = [line.split() for line in text.splitlines() if re.match(r" +\d", line)]
    assert [row[0] for row in rows] == ["1", "2", "8", "64", "512"]
    assert [row[2] for row in rows] == ["0", "0", "0", "0", "448"]  # 64 samples for 512 ranks


def test_a_billion_parameters_without_a_file():
    text = plan("--shape", "vit-g/14", "--precision", "bf16", "--lanes", 64, "--world-size", 64, "--on", "h100")
    assert number(text, "parameters") == 1011202432
    assert "Its 80 GB hold this" in text
    alone = plan("--shape", "vit-g/14", "--lanes", 1, "--on", "h100")
    assert "do not hold this: try --activation-checkpointing" in alone
    assert "hold this" in plan("--shape", "vit-g/14", "--lanes", 1, "--on", "h100", "--activation-checkpointing")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shape", "vit-x"], "--shape vit-x is not known; use one of vit-ti/16"),
        (["--shape", "vit-b/16", "--on", "tpu"], "--on tpu is not known; use one of a100, h100, h200, or cpu"),
        (["--shape", "bert-base"], "say with --tokens how many"),
        (["--shape", "bert-base", "--tokens", "513"], "takes texts of up to 512 tokens"),
        (["--shape", "vit-g/14", "--image-size", "225"], "expected a multiple of the patch, 14"),
        (["--shape", "vit-b/16", "--world-size", "0"], "counted from 1"),
        (["--shape", "vit-b/16", "--world-size", "8", "--lanes", "4"], "8 ranks, but only 4 lanes"),
        (["--shape", "vit-b/16", "--epoch", "3"], "epochs"),
        ([], "missing settings: --pack --protocol --backbone"),
    ],
)
def test_bad_requests_are_refused(arguments, message):
    assert message in plan(*arguments, code=2)


def test_help_says_what_can_be_planned():
    text = subprocess.run([PROGRAM, "plan", "--help"], capture_output=True, text=True, check=True).stdout
    assert "--world-size" in text and "vit-g/14" in text
