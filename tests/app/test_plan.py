"""palimpsest plan: what it says, and how near memory and time come to what a run takes."""

import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from tiers import quick

PROGRAM = os.environ["PALIMPSEST"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKER = ROOT / "tools/palimpsest-pack"
SIDE, SAMPLES, BATCH = 112, 128, 64


def plan(*arguments, code=0):
    done = subprocess.run([PROGRAM, "plan", *map(str, arguments)], capture_output=True, text=True, timeout=240)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def number(text, row):
    return int(re.search(rf"^{row} +([\d,]+)", text, re.M)[1].replace(",", ""))


def peak(text):
    """Bytes, from the parts: the sum is rounded to a tenth of a GiB."""

    def part(name):
        found = re.search(rf"^  {name} +([\d.]+) (\w+)", text, re.M)
        return float(found[1]) * {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[found[2]] if found else 0

    assert "at its peak: measured" in text
    return sum(part(name) for name in ("opened", "at work", "counted"))


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
    return [*files, "--image-transform", f"resize-crop:size={SIDE}", "--epochs", 1, "--batch", BATCH, "--lanes", 2]


# A process that is small itself: what its parent uses counts as a child's until it begins another program.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_of_a_run(arguments, out):
    """Bytes: the most that the process ever used."""
    command = [sys.executable, "-c", MEASURE, PROGRAM, "train", "--device", "cpu", *map(str, arguments), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return int(done.stdout) * 1024


def has_avx512():
    with open("/proc/cpuinfo") as file:
        return " avx512f " in file.read()


def compare(arguments, out):
    planned, measured = peak(plan(*arguments, "--world-size", 1)), peak_of_a_run(arguments, out)
    assert abs(planned - measured) < 0.2 * measured, f"planned {planned / 2**20:.0f} MiB, measured {measured / 2**20:.0f}"


def test_a_7b_model_with_all_projections_fits_eight_gpus_with_shards():
    arguments = ["--shape", "llama2-7b", "--config", ROOT / "configs/methods/next-token.cfg", "--machine", "h100", "--world-size", 8]
    arguments += ["--precision", "bf16", "--lanes", 8, "--batch", 8, "--tokens", 512, "--adapter", "lora:targets=query+key+value+output+gate+up+down"]
    without = " ".join(plan(*arguments).split())
    assert "A rank's 80 GB are not enough; with --shard-memory they are." in without
    text = plan(*arguments, "--shard-memory")
    assert "A rank's 80 GB are enough." in " ".join(text.split())
    # Bytes of the Fisher and of S0 and S1: 28 and 16 an adapted weight, an eighth of them here, and two of the largest module.
    weights = number(text, "adapted weights")
    assert re.search(rf"Fisher +{(28 * weights / 8 + 8 * 4096 * 11008) / 2**30:.1f} GiB", text)
    assert re.search(rf"curvature +{16 * weights / 8 / 2**30:.1f} GiB, its shard", text)
    many = plan("--shape", "bert-base", "--tokens", 64, "--adapter", "lora:targets=value", "--shard-memory", "--machine", "h100", "--world-size", 64, code=2)
    assert "expected at most 12 ranks, one for each adapted module, found --world-size 64" in many
    ewc = plan(*arguments, "--shard-memory", "--penalty", "ewc", code=2)
    assert "--shard-memory cannot be used with --penalty ewc" in ewc


IMAGES = [
    [],
    ["--activation-checkpointing"],
    ["--precision", "bf16"],
    ["--merge", "average"],
    ["--adapter", "lora:a=covariance", "--classifier", "ridge"],
    ["--adapter", "none", "--perturbation", "none", "--merge", "none"],
]


@pytest.mark.slow
@pytest.mark.parametrize("options", IMAGES)
def test_memory_is_within_20_percent_of_what_a_run_takes(stream, options, tmp_path):
    if "bf16" in options and not has_avx512():
        pytest.skip("without AVX-512 LibTorch emulates products in bf16: minutes for what takes seconds")
    compare([*stream, *options], tmp_path / "run")


@pytest.mark.parametrize("options", quick(1, [[], ["--penalty", "ewc:weight=100"], ["--classifier", "local:align=gaussian"]]))
def test_memory_of_texts_is_within_20_percent_of_what_a_run_takes(toy, options, tmp_path):
    compare(["--config", toy.path("toy.cfg"), *options], tmp_path / "run")


def table(text):
    """Rows of the table over ranks, as words."""
    return [line.split() for line in text.splitlines() if re.match(r" +\d[\d,]* ", line)]


@pytest.mark.slow
def test_a_stream_and_its_scaling(stream):
    text = plan(*stream, "--world-size", "512,2,8")
    assert "1 tasks of" in text and "over 2 ranks and 2 lanes" in text
    assert number(text, "adapted weights") == 12 * 2 * 384 * 384
    assert number(text, "trained per task") == 12 * 2 * 10 * 2 * 384 + 2 * 385
    assert number(text, "steps") == 2
    rows = table(text)
    assert [row[0] for row in rows] == ["2", "8", "512"]
    assert [row[1] for row in rows] == ["2", "8", "512"]  # lanes
    assert [row[2] for row in rows] == ["0", "0", "448"]  # 64 samples for 512 ranks
    for _, _, _, step, compute, exchange, wait, *_ in rows:
        assert abs(float(step) - float(compute) - float(exchange) - float(wait)) < 0.02 * float(step) + 0.02
    assert "Measured now: " in text and "It scales to " in text


@pytest.mark.slow
def test_measured_steps_are_near_those_of_a_run(stream, tmp_path):
    """Within a factor of two: the machine that tests run on may have other work."""
    row = table(plan(*stream, "--world-size", 1))[0]
    out = tmp_path / "run"
    longer = [*stream]
    longer[longer.index("--epochs") + 1] = 3
    command = [PROGRAM, "train", "--device", "cpu", *map(str, longer), "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    events = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    steps = sorted(event["seconds"] for event in events if event["event"] == "step")
    assert 0.5 < float(row[3]) / 1e3 / steps[len(steps) // 2] < 2


@pytest.mark.slow
def test_ranks_measure_together(stream):
    command = ["mpirun", "--oversubscribe", "-n", "2", PROGRAM, "plan", *map(str, stream), "--world-size", "2"]
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    assert "Measured now on 2 ranks at once: " in text
    assert len(table(text)) == 1


def test_a_billion_parameters_without_a_file():
    text = plan("--shape", "vit-g/14", "--precision", "bf16", "--lanes", 64, "--world-size", 64, "--machine", "h100")
    assert number(text, "parameters") == 1011202432
    assert "at its peak: counted, not measured" in text and "Nothing was measured" in " ".join(text.split())
    assert "A rank's 80 GB are enough" in " ".join(text.split())
    alone = plan("--shape", "vit-g/14", "--lanes", 1, "--machine", "h100", "--world-size", 1)
    saved = re.search(r"80 GB are not enough; with (--lanes \d+|--precision bf16) they are\.", " ".join(alone.split()))
    assert saved, alone
    one = ("--lanes", 1, "--world-size", 1, "--machine", "h100")
    bf16 = " ".join(plan("--shape", "vit-g/14", *one, "--batch", 1024, "--precision", "bf16").split())
    assert re.search(r"80 GB are not enough; with (--lanes \d+|--activation-checkpointing) they are\.", bf16), bf16
    assert "80 GB are enough" in " ".join(plan("--shape", "vit-g/14", *one, "--activation-checkpointing").split())


LANGUAGE = ("--config", ROOT / "configs/methods/next-token.cfg", "--tokens", 512, "--machine", "h100")


def test_decoders_without_a_file(tmp_path):
    text = plan("--shape", "llama3-8b", *LANGUAGE, "--completion-tokens", 100, "--world-size", "1,512")
    assert number(text, "parameters") == 8030261248
    assert number(text, "adapted weights") == 32 * (2 * 4096 * 4096 + 2 * 1024 * 4096 + 3 * 14336 * 4096)
    assert "512.0 tokens each, of which 100.0 are predicted" in text
    rows = table(text)
    for row in rows:  # of batches of 256
        assert abs(float(row[-1].replace(",", "")) / (256 * 512 / (float(row[3]) / 1e3)) - 1) < 0.01
    # By the model's own config.json, which says the same sizes.
    config = {"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
              "intermediate_size": 14336, "vocab_size": 128256, "max_position_embeddings": 8192, "hidden_act": "silu"}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    for shape in (tmp_path, tmp_path / "config.json"):
        same = plan("--shape", shape, *LANGUAGE, "--completion-tokens", 100, "--world-size", "1,512")
        assert same.splitlines()[1:] == text.splitlines()[1:]


def test_memory_that_no_setting_saves():
    text = " ".join(plan("--shape", "llama3-70b", *LANGUAGE, "--world-size", 8).split())
    assert "A rank's 80 GB are not enough; with --precision bf16, --activation-checkpointing, --shard-memory and more lanes it takes" in text
    one = " ".join(plan("--shape", "llama3-8b", *LANGUAGE, "--adapter", "lora:targets=query", "--merge", "average", "--world-size", 1).split())
    saved = re.search("80 GB are not enough; with (.*?) they are", one)
    assert saved, one
    fewer = ["--adapter", "lora:targets=query", "--merge", "average", "--world-size", 1, *saved[1].replace(" and ", " ").split()]
    assert "80 GB are enough" in " ".join(plan("--shape", "llama3-8b", *LANGUAGE, *fewer).split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--completion-tokens", 512], "--completion-tokens 512: expected less than the --tokens of a sample, 512"),
        (["--shape", "bert-base", "--adapter", "lora:targets=query+value"], "--shape bert-base is an encoder; objective = next-token needs a decoder"),
        (["--shape", "llama3-9b"], "or the config.json of a decoder or a text encoder"),
        (["--objective", "classes", "--head", "linear", "--classifier", "local", "--completion-tokens", 5], "is for a decoder that predicts tokens"),
    ],
)
def test_a_decoder_that_does_not_fit_is_refused(options, message):
    shape = () if "--shape" in options else ("--shape", "llama3-8b")
    assert message in plan(*shape, *LANGUAGE, *options, code=2)


@pytest.mark.slow
def test_a_decoders_run_is_measured(sequences_toy, tmp_path):
    """The text of --general and what is written for ROUGE-L are counted, and the rest is measured without them."""
    arguments = ["--config", sequences_toy.path("toy.cfg")]
    text = plan(*arguments, "--world-size", 1)
    assert "Measured now" in text and "other tests" not in text
    compare(arguments, tmp_path / "run")
    with_general = plan(*arguments, "--general", sequences_toy.path("pack.h5"), "--world-size", 1)
    assert re.search("other tests +the time of [0-9,]+ test samples", with_general)


@pytest.mark.slow
def test_what_follows_a_merge_is_planned_too():
    """Seconds a task: the error budget's passes (none where a merge takes all), and a classifier's features before and after it."""

    def seconds(*options):
        text = plan("--shape", "vit-b/16", "--machine", "a100", "--world-size", 1, "--task-samples", 100000, *options)
        parts = table(text)[0][-2].split(":")
        return sum(int(part) * 60**place for place, part in enumerate(reversed(parts)))

    plain = seconds("--merge", "average", "--error-budget", "false")
    budget = seconds("--merge", "average")
    closed = seconds("--error-budget", "false")
    both = seconds()
    sequential = seconds("--merge", "none")
    assert budget > plain == sequential
    assert (budget - plain) == pytest.approx(2 * (both - closed), rel=0.2)
    aligned = seconds("--merge", "average", "--error-budget", "false", "--classifier", "local:align=gaussian")
    assert (aligned - plain) / 1.9 == pytest.approx((budget - plain) / (2 * 0.9), rel=0.2)


def test_a_classifiers_sums_are_planned():
    """RanPAC's 10,000 random features and 1,000 classes: a triangle in float64, and the matrix that it is solved in."""

    def planned(*options):
        return plan("--shape", "vit-b/16", "--machine", "a100", "--world-size", 1, "--task-count", 10, "--task-classes", 100,
                    *options)

    plain, ranpac = planned(), planned("--classifier", "ridge:projection=10000")
    assert 2 < float(re.search(r"^  classifier +([\d.]+) GiB", ranpac, re.M)[1]) < 2.5
    assert "TFLOP a task in float64, on rank 0 alone" in ranpac and "in float64" not in plain


def test_world_sizes_from_one_to_512_where_none_are_named():
    rows = table(plan("--shape", "vit-b/16", "--machine", "a100"))
    assert [int(row[0]) for row in rows] == [2**k for k in range(10)]
    assert rows[0][7] == "100"  # % efficiency


def test_a_machine_file_of_ones_own(tmp_path):
    machine = tmp_path / "mine.cfg"
    machine.write_text(
        "fp32-rate = 1e12\nranks-per-node = 1\nnode-latency = 0\nnode-bandwidth = 1e9\n"
        "network-latency = 0.5\nnetwork-bandwidth = 1e9\n"
    )
    text = " ".join(plan("--shape", "vit-b/16", "--machine", machine).split())
    assert "50 % of 1.00 TFLOP/s in fp32 (machine file)" in text
    assert "the exchange waits for messages" in text
    machine.write_text("ranks-per-nod = 1\n")
    text = plan("--shape", "vit-b/16", "--machine", machine, code=2)
    assert "unknown key 'ranks-per-nod'; did you mean 'ranks-per-node'?" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    quick(3, [
        (["--shape", "vit-x"], "--shape vit-x is not known; use one of vit-ti/16"),
        (["--shape", "vit-b/16", "--machine", "tpu"], "--machine tpu is not known; use one of a100, cpu-ethernet-10g"),
        (["--shape", "vit-b/16", "--machine", "tpu.cfg"], "tpu.cfg: no such file"),
        (["--shape", "bert-base"], "give the tokens of a text with --tokens"),
        (["--shape", "bert-base", "--tokens", "513"], "takes texts of up to 512 tokens"),
        (["--shape", "vit-g/14", "--image-transform", "resize-crop:size=225"], "expected a multiple of the patch, 14"),
        (["--shape", "vit-b/16", "--world-size", "0"], "it takes whole numbers from 1"),
        (["--shape", "vit-b/16", "--world-size", "1,,8"], "it takes whole numbers from 1"),
        (["--shape", "vit-b/16", "--epoch", "3"], "epochs"),
        (["--shape", "vit-b/16", "--json"], "unknown setting 'json'; palimpsest plan --help lists them all"),
        (["--shape", "vit-b/16", "--tokens"], "the required argument for option '--tokens' is missing"),
        ([], "missing settings: --pack --protocol --backbone"),
    ]),
)
def test_bad_requests_are_refused(arguments, message):
    assert message in plan(*arguments, code=2)


def test_help_says_what_can_be_planned():
    text = subprocess.run([PROGRAM, "plan", "--help"], capture_output=True, text=True, check=True).stdout
    assert "--world-size" in text and "vit-g/14" in text and "network-bandwidth" in text
