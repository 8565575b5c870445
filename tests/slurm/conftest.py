"""A private SLURM."""

import private_slurm
import pytest


@pytest.fixture(scope="session")
def slurm():
    reason = private_slurm.why_not()
    if reason:
        pytest.skip(f"no SLURM on this machine: {reason}")
    with private_slurm.PrivateSlurm() as running:
        yield running
