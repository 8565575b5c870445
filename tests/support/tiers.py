"""Which cases of a test the first tier runs."""

import pytest


def quick(count, cases):
    """For parametrize: the first `count` cases stay in the first tier, the others are marked slow. A tuple is one case of several arguments."""
    cases = list(cases)
    return [*cases[:count], *(pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow) for case in cases[count:])]
