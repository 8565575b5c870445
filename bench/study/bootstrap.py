"""Paired differences with intervals: a bootstrap that draws seeds and test samples, both with replacement and independently of one another.

Every seed is tested on the same samples (a stream whose class order decides which classes it has: on some of the same), so that a run's
outcome depends on its seed and on its samples. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 2007: its variance is at
least that of the two-way random effects model, except for the factor (S - 1) / S of few seeds. tests/study measures how often it covers."""

import dataclasses
import functools
import zlib

import numpy as np

DRAWS = 10_000
AT_ONCE = 1_000  # draws that are in memory
LEVEL = 95


@dataclasses.dataclass(frozen=True)
class Difference:
    """In points. low, high: the ends of the interval."""

    mean: float
    low: float
    high: float
    seeds: int


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Of one stream. values[s, n]: of seed s and test sample n, -1, 0 or 1; 0 where the seed isn't tested on it, as `tested` says."""

    stream: str
    values: np.ndarray
    tested: np.ndarray


@functools.lru_cache(maxsize=32)
def counts_of_draws(stream, seeds, samples):
    """How often each draw has each seed and each sample. The same for every comparison of a stream, in whichever order they are made."""
    generator = np.random.default_rng([zlib.crc32(stream.encode()), seeds, samples])
    by_seed = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=DRAWS).astype(np.float32)
    by_sample = np.empty((DRAWS, samples), np.uint8)
    for begin in range(0, DRAWS, AT_ONCE):
        drawn = generator.multinomial(samples, np.full(samples, 1 / samples), size=AT_ONCE)
        by_sample[begin : begin + AT_ONCE] = np.minimum(drawn, 255)
    return by_seed, by_sample


def drawn_means(pairs):
    """The mean difference of each draw."""
    by_seed, by_sample = counts_of_draws(pairs.stream, *pairs.values.shape)
    means = []
    for begin in range(0, DRAWS, AT_ONCE):
        seeds, samples = by_seed[begin : begin + AT_ONCE], by_sample[begin : begin + AT_ONCE].astype(np.float32)  # sums stay below 2^24: exact
        difference = (seeds * (samples @ pairs.values.T.astype(np.float32))).sum(1)
        weight = (seeds * (samples @ pairs.tested.T.astype(np.float32))).sum(1)
        untested = np.full(len(weight), np.nan, np.float32)  # a draw whose seeds aren't tested on its samples is left out
        means.append(np.divide(difference, weight, out=untested, where=weight > 0))
    return np.concatenate(means).astype(float)


def difference(all_pairs):
    """The mean over streams, each of which counts alike and is drawn by itself."""
    means = [pairs.values.sum() / pairs.tested.sum() for pairs in all_pairs]
    drawn = np.mean([drawn_means(pairs) for pairs in all_pairs], axis=0)
    low, high = np.nanpercentile(drawn, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Difference(100 * float(np.mean(means)), 100 * float(low), 100 * float(high), sum(pairs.values.shape[0] for pairs in all_pairs))
