"""Accuracy over the classes of all tasks seen, the chunks of the test samples distributed over the ranks."""

import torch
import torch.distributed as dist

import stream


@torch.no_grad()
def evaluate(features, tasks, heads, size, device):
    """(samples, correct) by task; `features(*inputs)` is the backbone."""
    weight = torch.cat([head.weight for head in heads])
    bias = torch.cat([head.bias for head in heads])
    correct = torch.zeros(len(tasks), dtype=torch.int64, device=device)
    first = number = 0
    for j, task in enumerate(tasks):
        for positions in stream.chunks(task.test, size):
            number += 1
            if number % dist.get_world_size() != dist.get_rank():
                continue
            inputs, targets = stream.collate(task.test, positions, device)
            logits = torch.nn.functional.linear(features(*inputs).float(), weight, bias)
            correct[j] += (logits.argmax(1) == targets + first).sum()
        first += task.classes
    dist.all_reduce(correct)
    return [len(task.test) for task in tasks], correct.tolist()
