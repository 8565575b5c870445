"""The toy streams, on a device. Without one every test is skipped, and says why."""

import os
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))


def obstacle():
    if shutil.which("nvidia-smi") is None:
        return "nvidia-smi was not found"
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    return None if listed.returncode == 0 and "GPU" in listed.stdout else (listed.stdout + listed.stderr).strip()


def pytest_collection_modifyitems(items):
    reason = obstacle()
    if reason is not None:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=f"no GPU here: {reason}"))


@pytest.fixture(scope="session", params=["texts", "images"])
def stream(request, tmp_path_factory):
    import toy
    from program import Toy

    folder = str(tmp_path_factory.mktemp(request.param))
    return Toy(folder, toy.make if request.param == "texts" else toy.make_vision)
