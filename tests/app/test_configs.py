"""Every experiment in configs/ is understood, and those of the paper have the paper's constants."""

import functools
import pathlib
import subprocess

import pytest
from program import PROGRAM, ROOT
from tiers import quick

CONFIGS = sorted(pathlib.Path(ROOT, "configs").glob("*.cfg"))
PAPER = ("cifar-100-10", "cub-200-10", "imagenet-a-10", "imagenet-r-10", "imagenet-r-20", "s-domainnet-5")


@functools.cache
def resolved(path):
    """{name: value} of all settings, as the program understands the file."""
    done = subprocess.run(
        [PROGRAM, "train", "--config", path, "--print-config"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (line.split("#")[0] for line in done.stdout.splitlines())
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines if "=" in line)}


@pytest.mark.parametrize("path", quick(3, CONFIGS), ids=lambda path: path.stem)
def test_a_config_is_understood(path):
    settings = resolved(path)
    assert settings["out"].startswith("runs/" + path.stem)


@pytest.mark.parametrize("name", quick(1, PAPER))
def test_the_papers_constants(name):
    settings = resolved(pathlib.Path(ROOT, "configs", name + ".cfg"))
    assert pathlib.Path(ROOT, settings["protocol"]).is_file()
    for key, value in {
        "image-size": 224,
        "epochs": 5 if name.startswith("s-domainnet") else 10,
        "batch": 256,
        "lora-rank": 10,
        "lora-alpha": 10,
        "lr": 1e-3,
        "head-lr": 1e-2,
        "epsilon": 0.5,
    }.items():
        assert float(settings[key]) == value, key
    for key, value in {
        "adapter": "lora",
        "lora-targets": "key,value",
        "perturbation": "sign",
        "merge": "closed-form",
        "fisher-scale": "none",
        "head-refit": "false",
    }.items():
        assert settings[key] == value, key
