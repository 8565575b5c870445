"""A toy stream of texts and one of images for the device; where there is none, all these tests are skipped and say why."""

import shutil
import subprocess

import pytest


def obstacle():
    if shutil.which("nvidia-smi") is None:
        return "nvidia-smi was not found"
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    return None if listed.returncode == 0 and "GPU" in listed.stdout else (listed.stdout + listed.stderr).strip()


@pytest.fixture(scope="session", params=["toy", "vision_toy"], ids=["texts", "images"])
def stream(request):
    reason = obstacle()
    if reason is not None:
        pytest.skip(f"no GPU on this machine: {reason}")
    return request.getfixturevalue(request.param)
