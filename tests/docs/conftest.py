"""The store that stand-ins are filled from."""

import os
import sys

import pytest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path += [os.path.dirname(os.path.abspath(__file__)), os.path.join(TESTS, "support"), os.path.join(TESTS, "pack")]
import stand_in  # noqa: E402


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    return stand_in.Store(tmp_path_factory.mktemp("store"))
