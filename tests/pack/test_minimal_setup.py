"""palimpsest pack where launch/setup.sh --minimal has installed its packages, and no others."""

import importlib.metadata
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]


def unpack(backbone, folder, hidden):
    """palimpsest pack backbone, for which the modules `hidden` look like ones that are not installed."""
    beside = folder / "hidden"
    beside.mkdir()
    for module in hidden:
        (beside / f"{module}.py").write_text(f"raise ModuleNotFoundError(name={module!r})\n")
    return subprocess.run(
        [sys.executable, ROOT / "tools/palimpsest-pack", "backbone", backbone, "--out", folder / backbone],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(beside)},
    )


def modules_of(requirements):
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "launch" / requirements).read_text(), re.MULTILINE)
    owners_of = importlib.metadata.packages_distributions()
    return [
        module for module, owners in owners_of.items() if "/" not in module and {owner.lower() for owner in owners} & set(pinned)
    ]


def test_the_quickstart_needs_no_package_that_it_leaves_out(tmp_path):
    left_out = modules_of("requirements-vision.txt") + modules_of("requirements-test.txt") + modules_of("requirements-cuda.txt")
    assert "safetensors" in left_out
    done = unpack("minilm", tmp_path, left_out)
    assert done.returncode == 0, done.stderr


def test_a_package_that_only_dinov2_needs_is_named(tmp_path):
    done = unpack("dinov2-small", tmp_path, ["safetensors"])
    assert done.returncode == 3, done.stderr
    assert "package safetensors is not installed" in done.stderr and "--vision" in done.stderr
