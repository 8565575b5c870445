"""How a run's training went."""

import json
import math
import os
from typing import NamedTuple

import numpy as np

from ..runs import Task
from .draw import Bars, Figure, Line, Scale, line_chart, share_bars
from .result_figures import task_numbers
from .text import Table, duration, fixed, grouped, short_number

POINTS = 240  # of the whole curve
PHASES = {"train": "training", "fisher": "Fisher", "merge": "merge", "evaluate": "evaluation"}


class Losses(NamedTuple):
    """tasks: (task, losses of its steps) in order. damaged: lines of the log that can't be read."""

    tasks: list[tuple[int, list[float]]]
    damaged: int


def read_losses(path: str) -> Losses:
    """Of metrics.jsonl; empty where it is missing. A step whose loss isn't finite was skipped, and has none."""
    tasks: list[tuple[int, list[float]]] = []
    damaged = 0
    if not os.path.exists(path):
        return Losses(tasks, damaged)
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                event = json.loads(line)
                if event["event"] != "step":
                    continue
                task, loss = event["task"], event["loss"]
                if loss is None:
                    continue
                if type(task) is not int or isinstance(loss, bool) or not isinstance(loss, (int, float)):
                    raise ValueError(line)
            except (ValueError, KeyError, TypeError):
                damaged += 1
                continue
            if not tasks or tasks[-1][0] != task:
                tasks.append((task, []))
            tasks[-1][1].append(float(loss))
    return Losses(tasks, damaged)


def loss_curve(found: Losses, tasks: list[Task]) -> Figure | None:
    """None where the log has no steps."""
    steps = sum(len(losses) for _, losses in found.tasks)
    if steps == 0:
        return None
    xs: list[float] = []
    means: list[float] = []
    band: list[tuple[float, float]] = []
    borders, rows = [], []
    first = 0
    for task, losses in found.tasks:
        if first:
            borders.append(first + 0.5)
        for begin, end in _spans(len(losses), POINTS * len(losses) // steps):
            xs.append(first + (begin + 1 + end) / 2)  # the middle of its steps, counted from 1
            means.append(float(np.mean(losses[begin:end])))
            band.append((min(losses[begin:end]), max(losses[begin:end])))
        first += len(losses)
        last_pass = tasks[task].metrics["loss_last_pass"] if task < len(tasks) else None
        rows.append([str(task + 1), grouped(len(losses)), *map(short_number, (losses[0], losses[-1], last_pass))])
    span = math.ceil(steps / POINTS)
    is_logarithmic = min(means) > 0 and max(means) > 20 * min(means)
    scale = Scale("step", "loss", short_number, logarithmic=is_logarithmic, borders=borders if len(borders) <= 40 else ())
    drawing = line_chart(scale, [Line("loss", xs, means, band=band if span > 1 else ())])
    table = Table(["task", "steps", "first step", "last step", "mean of the last pass"], rows, "rrrrr")
    caption = "Training loss, under the perturbation"
    caption += f"; line: mean over about {span} steps, shade: least and most" if span > 1 else ""
    caption += "; upright lines: a new task" if scale.borders else ""
    return Figure("loss", caption, "Training loss over the steps of all tasks, one after another", drawing, table)


def times(tasks: list[Task]) -> Figure:
    seconds = [{phase: float(task.seconds.get(phase, 0)) for phase in PHASES} for task in tasks]
    sums = [sum(one[phase] for one in seconds) for phase in PHASES]
    rows = [[str(t + 1), *(fixed(one[phase], 2) for phase in PHASES), fixed(sum(one.values()), 2)] for t, one in enumerate(seconds)]
    rows.append(["all", *(fixed(value, 2) for value in sums), fixed(sum(sums), 2)])
    parts = [Bars(name, [one[phase] for one in seconds]) for phase, name in PHASES.items()]
    drawing = share_bars(Scale("task", "seconds", short_number), task_numbers(len(tasks)), parts)
    table = Table(["task", *PHASES.values(), "all"], rows, "rrrrrr")
    title = "For each task: seconds of training, of the Fisher pass, of the merge and of evaluation"
    caption = f"Time by phase; {duration(sum(sums))} in all, without the start, the error budget and saving"
    return Figure("times", caption, title, drawing, table)


def _spans(count: int, wanted: int) -> list[tuple[int, int]]:
    """At least one, and none is empty."""
    spans = min(max(wanted, 1), count)
    return [(i * count // spans, (i + 1) * count // spans) for i in range(spans)]
