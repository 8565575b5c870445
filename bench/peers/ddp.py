"""Perturb-and-Merge in PyTorch, started by torchrun: --nproc-per-node RANKS bench/peers/ddp.py with the flags below."""

import os
import time

import torch
import torch.distributed as dist

import loop
import report
import settings as flags
import stream
from backbones import Learner
from evaluation import evaluate
from fisher import empirical_fisher, mean_loss
from merge import Memory


def learn(learner, tasks, heads, memory, settings, device, lines):
    """The last of `tasks`: train, measure, merge, and evaluate before and after. Returns the last (samples, correct)."""
    task = tasks[-1]
    seconds = {}

    def timed(name, function, *arguments):
        began = time.time()
        result = function(*arguments)
        seconds[name] = seconds.get(name, 0.0) + time.time() - began
        return result

    def evaluated(after_merge):
        with flags.autocast(settings):
            samples, correct = timed(
                "evaluate", evaluate, learner.backbone, tasks, heads, settings.evaluation_batch, device
            )
        lines.write("evaluated", task=task.index, after_merge=after_merge, samples=samples, correct=correct)
        return samples, correct

    learner.start_task(settings.seed, task.index, task.classes)
    adapter, head = learner.adapter_parameters(), learner.head.parameters()
    timed("train", loop.train, learner, adapter, head, learner.c.fill_, task, settings, device, lines)
    heads.append(learner.head)
    deltas = learner.take_out()
    alpha = 1.0
    if settings.merge == "closed-form":
        chunk = max(1, settings.batch // dist.get_world_size())  # what could be trained fits
        before = mean_loss(learner, task.train, settings.evaluation_batch, device)
        learner.add(deltas, 1.0)
        fisher, after = timed("fisher", empirical_fisher, learner, task.train, chunk, device)
        evaluated(after_merge=False)
        alpha = timed("merge", memory.merge, fisher, deltas, before - after)
        learner.add(deltas, alpha - 1.0)
    else:
        learner.add(deltas, 1.0)
    row = evaluated(after_merge=True)
    lines.write("task_finished", task=task.index, alpha=alpha, train_samples=len(task.train), seconds=seconds)
    if dist.get_rank() == 0:
        record = {"deltas": deltas, "head": learner.head.state_dict(), "alpha": alpha, "moved": memory.moved}
        torch.save(record, os.path.join(settings.out, f"task-{task.index:04d}.pt"))
    return row


def main():
    parser = flags.parser(__doc__)
    parser.add_argument("--merge", choices=("closed-form", "none"), default="closed-form")
    settings = parser.parse_args()
    device = flags.start(settings)
    lines = report.Report(settings.out)
    tasks = stream.read_tasks(settings, device)
    learner = Learner(settings, device)
    memory, heads, rows = Memory(learner.backbone.weights), [], []
    for task in tasks:
        rows.append(learn(learner, tasks[: task.index + 1], heads, memory, settings, device, lines))
    lines.finish(rows)


if __name__ == "__main__":
    main()
