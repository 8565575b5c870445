"""A private SLURM, and the toy stream."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import private_slurm  # noqa: E402
from program import Toy  # noqa: E402


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    return Toy(str(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="session")
def slurm():
    reason = private_slurm.why_not()
    if reason:
        pytest.skip(f"no SLURM here: {reason}")
    with private_slurm.PrivateSlurm() as running:
        yield running
