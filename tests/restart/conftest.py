"""The toy stream, and what loads kill_at.c into the program."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from program import Toy  # noqa: E402


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    return Toy(str(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="session")
def kill_at():
    """Environment of a program that dies at a point of writing its n-th file."""
    return lambda point, number: os.environ | {
        "LD_PRELOAD": os.environ["PALIMPSEST_KILL_AT_LIBRARY"],
        "PALIMPSEST_KILL_AT": f"{point} {number}",
    }
