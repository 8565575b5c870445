"""What loads kill_at.c into the program."""

import os

import pytest


@pytest.fixture(scope="session")
def kill_at():
    """Environment of a program that dies at a point of writing its n-th file."""
    return lambda point, number: os.environ | {
        "LD_PRELOAD": os.environ["PALIMPSEST_KILL_AT_LIBRARY"],
        "PALIMPSEST_KILL_AT": f"{point} {number}",
    }
