"""Fixtures: the toy stream, and a run of it that others are compared with."""

import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import toy as toy_module  # noqa: E402
from program import Toy  # noqa: E402


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    return Toy(str(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="session")
def vision_toy(tmp_path_factory):
    return Toy(str(tmp_path_factory.mktemp("vision")), toy_module.make_vision)


@pytest.fixture(scope="session")
def reference_run(toy):
    """Four tasks, closed form with the secant scale, one rank."""
    toy.run(out="reference")
    return toy.path("runs", "reference")


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a file system of a given size; "ro" remounts it read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options, *more):
        done = subprocess.run(["mount", *more, "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"cannot mount a file system here: {done.stderr.strip()}")
        return str(folder)

    yield mount
    subprocess.run(["umount", folder], capture_output=True)
