"""What all suites share: their environment, the toy streams, and a run that others are compared with.

The packer's tests run without the built programs, so modules that need these are imported within fixtures.
"""

import os
import signal
import subprocess
import sys

import pytest

sys.dont_write_bytecode = True
os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
# A shell that starts the tests in the background has these ignored, and programs inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    from program import Toy

    return Toy(str(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="session")
def vision_toy(tmp_path_factory):
    import toy
    from program import Toy

    return Toy(str(tmp_path_factory.mktemp("vision")), toy.make_vision)


@pytest.fixture(scope="session")
def sequences_toy(tmp_path_factory):
    import toy
    from program import Toy

    return Toy(str(tmp_path_factory.mktemp("sequences")), toy.make_sequences)


@pytest.fixture(scope="session")
def mpnet_toy(tmp_path_factory):
    import toy
    from program import Toy

    return Toy(str(tmp_path_factory.mktemp("mpnet")), toy.make_mpnet)


@pytest.fixture(scope="session")
def mpnet_run(mpnet_toy):
    """Four tasks, every matrix of a block adapted."""
    mpnet_toy.run("--adapter", "lora:rank=4,alpha=4,targets=query+key+value+output+fc1+fc2", out="mpnet")
    return mpnet_toy.path("runs", "mpnet")


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
            pytest.skip(f"cannot mount a file system: {done.stderr.strip()}")
        return str(folder)

    yield mount
    subprocess.run(["umount", folder], capture_output=True)
