"""The diagonal empirical Fisher on key and value matrices, per sample (docs/how-it-works.md)."""

import torch
import torch.distributed as dist
from torch.nn import functional as F

import stream


def own_chunks(split, size):
    return stream.chunks(split, size)[dist.get_rank() :: dist.get_world_size()]


def empirical_fisher(learner, split, size, device):
    """(F by module, mean loss) at the weights of the model; the adapter must be zero."""
    adapters = learner.backbone.adapters
    taken = {}
    hooks = [
        adapter.register_forward_hook(lambda module, inputs, output: taken.update({module: (inputs[0], output)}))
        for adapter in adapters
    ]
    sums = [torch.zeros_like(weight, dtype=torch.float64) for weight in learner.backbone.weights]
    loss_sum = torch.zeros((), dtype=torch.float64, device=device)
    for positions in own_chunks(split, size):
        inputs, targets = stream.collate(split, positions, device)
        loss = F.cross_entropy(learner(*inputs), targets, reduction="sum")
        gradients = torch.autograd.grad(loss, [taken[adapter][1] for adapter in adapters])
        for total, adapter, gradient in zip(sums, adapters, gradients):
            x = taken[adapter][0].detach()
            total += torch.bmm(gradient.float().transpose(1, 2), x.float()).square_().sum(0)
        loss_sum += loss.detach()
        taken.clear()
    for hook in hooks:
        hook.remove()
    for total in [*sums, loss_sum]:
        dist.all_reduce(total)
    return [total / len(split) for total in sums], float(loss_sum) / len(split)


@torch.no_grad()
def mean_loss(learner, split, size, device):
    total = torch.zeros((), dtype=torch.float64, device=device)
    for positions in own_chunks(split, size):
        inputs, targets = stream.collate(split, positions, device)
        total += F.cross_entropy(learner(*inputs), targets, reduction="sum")
    dist.all_reduce(total)
    return float(total) / len(split)
