"""SLCA's alignment of heads (Zhang et al., ICCV 2023), by NumPy and PyTorch alone, with the program's random numbers."""

import numpy as np
import torch

DRAWS, PASSES, MASK = 256, 5, 0xFFFFFFFF
SHUFFLE, CLASS_FEATURES = 4, 16  # purposes


def words(seed, purpose, task, index, count):
    """[len(index), count] numbers of 32 bits: Philox4x32-10 (Salmon et al., SC 2011)."""
    index = np.asarray(index, np.uint64)[:, None]
    block = np.broadcast_to(np.arange((count + 3) // 4, dtype=np.uint64), (len(index), (count + 3) // 4))
    counter = [block, np.full_like(block, purpose << 24 | task), index & MASK | 0 * block, index >> np.uint64(32) | 0 * block]
    key = [np.uint64(seed & MASK), np.uint64(seed >> 32)]
    for _ in range(10):
        first, second = np.uint64(0xD2511F53) * counter[0], np.uint64(0xCD9E8D57) * counter[2]
        counter = [second >> np.uint64(32) ^ counter[1] ^ key[0], second & np.uint64(MASK),
                   first >> np.uint64(32) ^ counter[3] ^ key[1], first & np.uint64(MASK)]
        key = [np.uint64((int(k) + c) & MASK) for k, c in zip(key, (0x9E3779B9, 0xBB67AE85))]
    return np.stack(counter, -1).reshape(len(index), -1)[:, :count]


def normals(seed, task, index, count):
    """[len(index), count] (Box and Muller, 1958)."""
    pairs = (count + 1) // 2
    halves = words(seed, CLASS_FEATURES, task, index, 4 * pairs).reshape(len(index), pairs, 2, 2)
    uniform = ((halves[..., 0] >> np.uint64(5)) * 2.0**26 + (halves[..., 1] >> np.uint64(6))) * 2.0**-53
    radius, angle = np.sqrt(-2 * np.log(1 - uniform[..., 0])), 2 * np.pi * uniform[..., 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1).reshape(len(index), -1)[:, :count]


def permutation(seed, task, index, size):
    order = np.arange(size)
    numbers = words(seed, SHUFFLE, task, [index], 2 * size)[0].reshape(-1, 2)
    for i, (high, low) in zip(range(size, 1, -1), numbers):
        chosen = (int(high) << 32 | int(low)) % i
        order[i - 1], order[chosen] = order[chosen], order[i - 1]
    return order


def aligned(weights, biases, statistics, seed):
    """Weights and biases by task; statistics: by task mean, factor and rest of its classes."""
    tasks, sizes = len(weights), [len(bias) for bias in biases]
    weight = torch.tensor(np.concatenate(weights), requires_grad=True)
    bias = torch.tensor(np.concatenate(biases), requires_grad=True)
    optimizer = torch.optim.SGD([weight, bias], lr=0.01, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=PASSES)
    for done in range(PASSES):
        drawn = []
        for task, (means, factors, rests) in enumerate(statistics):
            for mean, factor, rest in zip(means, factors, rests):
                index = (len(drawn) << 32) + np.arange(done * DRAWS, (done + 1) * DRAWS)
                noise = normals(seed, tasks - 1, index, sum(factor.shape))
                drawn.append((0.9 + 0.1 * (task + 1) / tasks) * mean + noise[:, : len(factor)] @ factor
                             + np.sqrt(rest + 1e-4) * noise[:, len(factor):])
        order = permutation(seed, tasks - 1, done, DRAWS * len(drawn))
        features = torch.tensor(np.concatenate(drawn)[order]).float()
        targets = torch.arange(len(drawn)).repeat_interleave(DRAWS)[torch.tensor(order)]
        for batch, wanted in zip(features.split(DRAWS), targets.split(DRAWS)):
            logits = torch.nn.functional.linear(batch, weight, bias)
            norms = torch.stack([part.norm(dim=1) + 1e-7 for part in logits.split(sizes, 1)], 1).mean(1, keepdim=True)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(logits / norms / 0.1, wanted).backward()
            optimizer.step()
        schedule.step()
    return [part.detach().numpy() for part in weight.split(sizes)], [part.detach().numpy() for part in bias.split(sizes)]
