"""The random numbers of palimpsest (src/core/random.cpp): both sides see the same batches, scales and first weights."""

import math

import numpy as np
import torch

ADAPTER, HEAD, PERTURBATION, SHUFFLE = 1, 2, 3, 4
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def _words(seed, purpose, task, index, count):
    """The first `count` 32-bit numbers of a stream: Philox4x32-10, all blocks at once."""
    blocks = -(-count // 4)
    counter = [np.arange(blocks, dtype=np.uint64)]
    for word in ((purpose << 24) | task, index & 0xFFFFFFFF, index >> 32):
        counter.append(np.full(blocks, word, dtype=np.uint64))
    low, high = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        first, second = np.uint64(0xD2511F53) * counter[0], np.uint64(0xCD9E8D57) * counter[2]
        counter = [
            (second >> HALF) ^ counter[1] ^ np.uint64(low),
            second & LOW,
            (first >> HALF) ^ counter[3] ^ np.uint64(high),
            first & LOW,
        ]
        low, high = (low + 0x9E3779B9) & 0xFFFFFFFF, (high + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(counter, axis=1).reshape(-1)[:count]


def _pairs(seed, purpose, task, index, count):
    words = _words(seed, purpose, task, index, 2 * count)
    return words[::2], words[1::2]


def uniform(shape, bound, seed, purpose, task, index):
    """float32 in [-bound, bound)."""
    high, low = _pairs(seed, purpose, task, index, math.prod(shape))
    numbers = ((high >> np.uint64(5)) << np.uint64(26) | low >> np.uint64(6)) * 2.0**-53
    return torch.from_numpy(((2 * numbers - 1) * bound).astype(np.float32)).view(shape)


def scale(seed, task, step, epsilon):
    """c of a training step: 1 - epsilon, 1 or 1 + epsilon."""
    high, low = _pairs(seed, PERTURBATION, task, step, 1)
    return 1 + epsilon * (int(high[0] << HALF | low[0]) % 3 - 1)


def permutation(size, seed, task, one_pass):
    """The order of a pass: Fisher-Yates."""
    high, low = _pairs(seed, SHUFFLE, task, one_pass, size - 1)
    order = list(range(size))
    for number, i in zip((high << HALF | low).tolist(), range(size, 1, -1)):
        j = number % i
        order[i - 1], order[j] = order[j], order[i - 1]
    return order
