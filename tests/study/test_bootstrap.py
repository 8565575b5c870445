"""Paired differences and their intervals."""

import numpy as np
import pytest
from study import bootstrap


def pairs(values, tested=None, stream="made"):
    values = np.array(values, np.int8)
    return bootstrap.Pairs(stream, values, np.ones_like(values) if tested is None else np.array(tested, np.int8))


def test_a_case_by_hand():
    """One seed, two samples, one of which differs: the draws are 0, 1/2, 1/2 and 1 with equal chances."""
    one = pairs([[1, 0]])
    drawn = bootstrap.drawn_means(one)
    assert set(drawn) == {0.0, 0.5, 1.0}
    assert np.mean(drawn == 0.5) == pytest.approx(0.5, abs=0.02)
    assert bootstrap.difference([one]) == bootstrap.Difference(50.0, 0.0, 100.0, 1)


def test_seeds_are_drawn_too():
    """Two seeds, all samples alike: the samples don't matter, the seeds do."""
    drawn = bootstrap.drawn_means(pairs([[1] * 5, [-1] * 5]))
    assert set(drawn) == {-1.0, 0.0, 1.0}
    assert np.mean(drawn == 0) == pytest.approx(0.5, abs=0.02)


def test_a_sample_that_a_seed_lacks_has_no_weight():
    one = pairs([[1, 0, 0], [0, 0, 1]], [[1, 1, 0], [0, 1, 1]])
    assert bootstrap.difference([one]).mean == 50


def test_streams_count_alike_and_the_same_call_gives_the_same_numbers():
    small, large = pairs([[1, 1]], stream="small"), pairs([[0] * 50] * 3, stream="large")
    both = bootstrap.difference([small, large])
    assert (both.mean, both.seeds) == (50, 4)
    bootstrap.counts_of_draws.cache_clear()
    assert bootstrap.difference([small, large]) == both


def made_study(generator, seeds, samples, by_seed, by_sample):
    """Right or wrong of two trainings whose chances differ by seed and by sample; and the difference that is true over all of both."""
    skill = generator.normal(0, by_sample, samples)[None] + generator.normal(0, by_seed, seeds)[:, None]
    right = generator.random((2, seeds, samples)) < np.clip(0.5 + np.stack([skill / 2, -skill / 2]), 0, 1)
    return (right[0].astype(np.int8) - right[1]).astype(np.int8)


def coverage(seeds, by_seed, by_sample, studies=200, samples=300):
    generator = np.random.default_rng(1)
    found = [bootstrap.difference([pairs(made_study(generator, seeds, samples, by_seed, by_sample))]) for _ in range(studies)]
    return np.mean([each.low <= 0 <= each.high for each in found])


@pytest.mark.parametrize("seeds, by_seed, by_sample, least", [(5, 0, 0.3, 0.97), (5, 0.08, 0.1, 0.91), (3, 0.08, 0.1, 0.9)])
def test_intervals_cover(monkeypatch, seeds, by_seed, by_sample, least):
    """docs/results.md quotes these shares. The difference between the trainings is zero on average over seeds and samples."""
    monkeypatch.setattr(bootstrap, "DRAWS", 1000)
    bootstrap.counts_of_draws.cache_clear()
    assert coverage(seeds, by_seed, by_sample) >= least
    bootstrap.counts_of_draws.cache_clear()
