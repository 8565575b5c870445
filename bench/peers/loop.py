"""The steps of one task, over all ranks."""

import time

import torch
import torch.distributed as dist
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

import draws
import report
import settings as flags
import stream


def train(model, adapter, head, set_scale, task, settings, device, lines, collate=stream.collate):
    """`model` gives logits; `adapter` and `head` are the parameters of it that are trained; `set_scale(c)` comes before a step."""
    rank, world_size = dist.get_rank(), dist.get_world_size()
    optimizer = flags.optimizer(settings, adapter, head)
    steps = settings.epochs * stream.steps_per_pass(settings, task)
    schedule = flags.cosine(optimizer, steps)
    model = DistributedDataParallel(model, broadcast_buffers=False, gradient_as_bucket_view=True)
    if settings.compile:
        is_text = task.train.samples[0].dim() == 1
        model = torch.compile(model, dynamic=True if is_text else None)  # images: one shape
    batches = stream.Batches(settings, task, rank, world_size)
    recorded = report.Steps(lines, task.index, device)
    for step in range(steps):
        began = time.time()
        c = draws.scale(settings.seed, task.index, step, flags.epsilon(settings))
        set_scale(c)
        positions, batch = batches(step)
        weight = task.train.weight(batch)
        inputs, targets = collate(task.train, positions, device)
        with flags.autocast(settings):
            loss_sum = F.cross_entropy(model(*inputs).float(), targets, reduction="sum")
        (loss_sum * (world_size / weight)).backward()  # DDP takes the mean over ranks
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        recorded.add(loss_sum.item(), weight, began, scale=c, samples=len(batch))
    set_scale(1.0)
    recorded.write()
