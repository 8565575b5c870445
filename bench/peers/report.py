"""What a peer reports of its run: JSON lines, written by rank 0."""

import json
import os
import time

import torch
import torch.distributed as dist


def seconds_since_start():
    """Since this process was made, from /proc."""
    with open("/proc/self/stat") as file:
        began = int(file.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
    with open("/proc/uptime") as file:
        return float(file.read().split()[0]) - began


def peak_bytes():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


class Report:
    def __init__(self, folder):
        self.file = None
        if dist.get_rank() == 0:
            os.makedirs(folder, exist_ok=True)
            self.file = open(os.path.join(folder, "metrics.jsonl"), "w")

    def write(self, event, **fields):
        if self.file:
            fields.setdefault("time", time.time())
            print(json.dumps({"event": event, **fields}), file=self.file, flush=event != "step")

    def finish(self, rows):
        """The last line, the table of `rows`, and the end of the ranks' group."""
        peaks = [None] * dist.get_world_size()
        dist.all_gather_object(peaks, peak_bytes())
        self.write("run_finished", seconds=seconds_since_start(), peak_bytes=peaks)
        if dist.get_rank() == 0:
            table(rows)
        dist.destroy_process_group()


class Steps:
    """The steps of one task. Losses stay sums of a rank's own samples until the end, where one sum over ranks is enough."""

    def __init__(self, report, task, device):
        self.report, self.task, self.device = report, task, device
        self.losses, self.weights, self.lines = [], [], []

    def add(self, loss_sum, weight, began, **fields):
        self.losses.append(loss_sum)
        self.weights.append(weight)
        now = time.time()
        self.lines.append({"seconds": now - began, "time": now, "since_start": seconds_since_start(), **fields})

    def write(self):
        losses = torch.tensor(self.losses, dtype=torch.float64, device=self.device)
        dist.all_reduce(losses)
        for step, (loss, weight, line) in enumerate(zip(losses.tolist(), self.weights, self.lines)):
            self.report.write("step", task=self.task, step=step, loss=loss / weight, **line)


def table(rows):
    """Accuracy in % after each task (row) on the test samples of each task (column), then over all."""
    for samples, correct in rows:
        cells = [f"{100 * c / n:6.1f}" for n, c in zip(samples, correct)]
        print(f"{len(cells):5d} " + " ".join(cells) + f"   all {100 * sum(correct) / sum(samples):5.1f}")
