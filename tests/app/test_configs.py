"""Every experiment in configs/ is understood, and those of the paper have the paper's constants."""

import functools
import os
import pathlib
import subprocess

import pytest
import torch
from program import PROGRAM, ROOT
from tiers import quick
from timm.scheduler import create_scheduler_v2

CONFIGS = sorted(pathlib.Path(ROOT, "configs").glob("*.cfg"))
METHODS = sorted(pathlib.Path(ROOT, "configs", "methods").glob("*.cfg"))
# Its ablations and its comparisons.
ALSO_OF_THE_PAPER = [("perturbation", "none"), ("merge", "none"), ("merge", "average")]
PAPER = ("cifar-100-10", "cub-200-10", "imagenet-a-10", "imagenet-r-10", "imagenet-r-20", "s-domainnet-5")


@functools.cache
def resolved(path, *arguments):
    """{name: value} of all settings, as the program understands the file; paths from the root of the repository."""
    done = subprocess.run(
        [PROGRAM, "train", "--config", path, *arguments, "--print-config"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (line.split("#")[0] for line in done.stdout.splitlines())
    settings = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines if "=" in line)}
    return settings | {name: os.path.relpath(settings[name], ROOT) for name in ("pack", "protocol", "backbone", "out")}


def says(resolved_kind, kind):
    """Whether NAME:key=value,... with all of its keys has this name and these keys' values."""
    (name, _, keys), (all_of, _, all_keys) = kind.partition(":"), resolved_kind.partition(":")
    return name == all_of and set(keys.split(",")) - {""} <= set(all_keys.split(","))


@pytest.mark.parametrize("path", quick(3, CONFIGS), ids=lambda path: path.stem)
def test_a_config_is_understood(path):
    settings = resolved(path)
    assert settings["out"] == "runs/" + path.stem


@pytest.mark.parametrize("name", quick(1, [*PAPER, *(f"{name}-splitlora" for name in PAPER)]))
def test_the_papers_constants(name):
    settings = resolved(pathlib.Path(ROOT, "configs", name + ".cfg"))
    assert pathlib.Path(ROOT, settings["protocol"]).is_file()
    for key, value in {
        "epochs": 5 if name.startswith("s-domainnet") else 10,
        "batch": 256,
        "lr": 1e-3,
        "head-lr": 1e-2,
    }.items():
        assert float(settings[key]) == value, key
    assert settings["image-transform"].startswith("resize-crop:size=224,")
    for key, value in {
        "adapter": "lora:rank=10,alpha=10,targets=key+value,a=kaiming",
        "perturbation": "sign:epsilon=0.5",
        "merge": "closed-form:by=global,shrink=0",
        "curvature": "empirical:scale=none",
        "classifier": "local:refit=0,align=none,normalise=false",
    }.items():
        assert says(settings[key], value), key


@pytest.mark.parametrize("name", quick(1, PAPER))
def test_the_constants_of_splitlora(name):
    """iLearn-Lab/ICLR26-SplitLoRA, commit 1d7b488: reproduce.py, train_splitlora.py, utils/dataset_builder.py."""
    settings = resolved(pathlib.Path(ROOT, "configs", f"{name}-splitlora.cfg"))
    cifar = name.startswith("cifar")
    for key, value in {
        "backbone": "data/vit_base_patch16_224.augreg2_in21k_ft_in1k",
        "protocol": f"configs/protocols/{name}-splitlora.json",
        "objective": "classes:temperature=30",
        "passes-per-epoch": "10",
        "drop-last": "false",
        "weight-decay": "5e-05",
        "seed": "0",
        "augmentation": f"auto-augment:policy={'cifar10' if cifar else 'imagenet'},min-scale=0.08",
        "image-transform": f"resize-crop:size=224,crop={1 if cifar else 0.875},interpolation={'bicubic' if cifar else 'bilinear'},"
                           "normalisation=backbone,squash=true",
    }.items():
        assert settings[key] == value, key


def test_the_schedule_of_splitlora_is_timm_s():
    """Its loop sets the rate of epoch e, from 1, by scheduler.step(e - 1)."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, epochs = create_scheduler_v2(optimizer, sched="multistep", num_epochs=10, decay_epochs=1000, decay_milestones=[5, 8],
                                            decay_rate=0.1, min_lr=1e-5, warmup_epochs=0, warmup_lr=1e-5)
    rates = []
    for epoch in range(epochs):
        scheduler.step(epoch)
        rates.append(optimizer.param_groups[0]["lr"])
    text = resolved(pathlib.Path(ROOT, "configs", "imagenet-r-10-splitlora.cfg"))["schedule"]
    assert says(text, "multistep:milestones=0.4+0.7,factor=0.1,warmup=0")
    shares = [float(share) for share in text.split("milestones=")[1].split(",")[0].split("+")]
    assert rates == pytest.approx([0.1 ** sum(epoch / 10 >= share for share in shares) for epoch in range(10)])


@pytest.mark.parametrize("path", quick(3, METHODS), ids=lambda path: path.stem)
def test_a_method_says_every_part_and_nothing_else(path):
    names = [line.partition(" = ")[0] for line in path.read_text().splitlines() if not line.startswith("#")]
    assert names == ["joint", "adapter", "objective", "perturbation", "head", "penalty", "merge", "curvature", "classifier"]
    with_files = {name: path for name in ("pack", "protocol", "backbone")}
    said = resolved(path, *(f"--{name}={value}" for name, value in with_files.items()))
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            name, _, value = line.partition(" = ")
            assert says(said[name], value), path


def test_the_table_of_methods_is_that_of_their_files():
    """docs/how-it-works.md, "Methods by name": a row for each file, a column for each part."""
    page = pathlib.Path(ROOT, "docs", "how-it-works.md").read_text()
    rows = [line.strip("|").split("|") for line in page.split("### Methods by name")[1].split("\n\n## ")[0].splitlines() if line.startswith("|")]
    heading, _, *rows = [[cell.strip() for cell in row] for row in rows]
    parts = heading[1:]
    assert parts == ["joint", "adapter", "objective", "perturbation", "head", "penalty", "merge", "curvature", "classifier"]
    files = {path.stem: dict(line.split(" = ", 1) for line in path.read_text().splitlines() if not line.startswith("#")) for path in METHODS}
    paper = files["perturb-and-merge"]
    assert rows[0][0] == "`perturb-and-merge`" and [cell.strip("`") for cell in rows[0][1:]] == [paper[part] for part in parts]
    assert [row[0].strip("`") for row in rows[1:]] == sorted(files.keys() - {"perturb-and-merge"})
    for row in rows[1:]:
        said = files[row[0].strip("`")]
        for part, cell in zip(parts, row[1:], strict=True):
            is_papers = (part, said[part]) in ALSO_OF_THE_PAPER
            expected = "" if said[part] == paper[part] else f"`{said[part]}`" if is_papers else f"`{said[part]}` *"
            assert cell == expected, f"{row[0]}: {part}"
