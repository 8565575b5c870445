"""A run's log in an experiment tracker that is installed: Weights & Biases or MLflow. Their own settings (server, project, offline) are theirs."""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple

from ..runs.scores import GIVEN_TASK, PRIMARY
from ..runs.stream_metrics import is_over_seen
from .names import title
from .reported import ReportedRun
from .text import Number, setting_text
from .watch import SECONDS_BETWEEN, has_ended

PROJECT = "palimpsest"
LONGEST_PARAMETER = 500  # characters of a value that MLflow takes
TASK_VALUES = ("alpha", "rise_measured", "rise_predicted")
STEP_VALUES = ("loss", "gradient_norm", "learning_rate", "scale")


class TrackerError(Exception):
    """The tracker is not installed, or it rejects the data."""


class Point(NamedTuple):
    """axis: "step", counted over all tasks, or "task", counted from 1."""

    axis: str
    place: int
    values: dict[str, float]


@dataclass
class SoFar:
    """What the lines read so far have said. steps_before: {task: steps of the tasks before it}. rows: accuracies by classifier, as many as tasks seen."""

    steps_before: dict[int, int] = field(default_factory=lambda: {0: 0})
    rows: dict[str, list[list[Number]]] = field(default_factory=dict)
    damaged: int = 0


class Tracker(NamedTuple):
    send: Callable[[list[Point]], None]
    finish: Callable[[], None]


class Sent(NamedTuple):
    points: int
    damaged: int  # lines of the log that can't be read


def send_log(run: ReportedRun, name: str, follow: bool) -> Sent:
    """Sends all points to the tracker of this name. follow: until the run ends. Raises TrackerError."""
    tracker = {"wandb": _open_wandb, "mlflow": _open_mlflow}[name](run)
    path = os.path.join(run.run.folder, "metrics.jsonl")
    sent, so_far = 0, SoFar()
    for points in read_points(path, run.is_task_given, lambda: not follow or has_ended(run.run.folder), so_far):
        try:
            tracker.send(points)
        except Exception as error:
            raise TrackerError(f"{name} rejected the data: {error}") from error
        sent += len(points)
    tracker.finish()
    return Sent(sent, so_far.damaged)


def read_points(path: str, is_task_given: bool, is_complete: Callable[[], bool], so_far: SoFar) -> Iterator[list[Point]]:
    """What the log says, in parts as it grows, until it is complete. A line that is still being written waits for its end."""
    offset = 0
    while True:
        is_last = is_complete()
        if os.path.exists(path):
            # A resumed run cuts its log to where it was saved: what follows is then new.
            offset = min(offset, os.path.getsize(path))
            with open(path, "rb") as file:
                file.seek(offset)
                part = file.read()
            part = part[: part.rfind(b"\n") + 1]
            offset += len(part)
            if points := list(_points(part.splitlines(), is_task_given, so_far)):
                yield points
        if is_last:
            return
        time.sleep(SECONDS_BETWEEN)


def _points(lines: Iterable[bytes], is_task_given: bool, so_far: SoFar) -> Iterator[Point]:
    for line in lines:
        try:
            point = _point(json.loads(line), is_task_given, so_far)
        except (ValueError, KeyError, TypeError):
            so_far.damaged += 1
            continue
        if point is not None and point.values:
            yield point


def _point(event: dict[str, Any], is_task_given: bool, so_far: SoFar) -> Point | None:
    kind, task = event["event"], event.get("task", 0)
    if kind == "task_started":
        so_far.steps_before[task + 1] = so_far.steps_before.setdefault(task, 0) + event["steps"]
    if kind == "step":
        values = {f"train/{name}": event[name] for name in STEP_VALUES if event.get(name) is not None}
        return Point("step", so_far.steps_before.get(task, 0) + event["step"], values)
    if kind in ("merged", "error_budget"):
        return Point("task", task + 1, {f"stream/{name}": event[name] for name in TASK_VALUES if event.get(name) is not None})
    return Point("task", task + 1, _accuracies(event, is_task_given, so_far)) if kind == "evaluated" else None


def _accuracies(event: dict[str, Any], is_task_given: bool, so_far: SoFar) -> dict[str, float]:
    """Named as TensorBoard has them: accuracy is the primary score, whatever it is."""
    primary = next((name for name in PRIMARY if name in event), PRIMARY[-1])
    right, samples = event[GIVEN_TASK if is_task_given else primary], event["samples"]
    is_own = event.get("is_own", True)
    group = "stream" if is_own else event["classifier"]
    row: list[Number] = [count / total if total else None for count, total in zip(right, samples, strict=True)]
    values: dict[str, Number] = {f"{group}/accuracy_newest{'' if event['after_merge'] else '_before_merge'}": row[-1]}
    if event["after_merge"]:
        rows = so_far.rows.setdefault(group, [])
        rows[len(row) - 1 :] = [row]
        values |= {
            f"{group}/accuracy": sum(count for count in right if count is not None) / max(sum(samples), 1) if is_over_seen(samples) else None,
            f"{group}/forgetting": _forgetting(rows),
        }
        values |= {f"{'tasks/' if is_own else f'{group}/task_'}{j + 1}": value for j, value in enumerate(row)}
    return {name: value for name, value in values.items() if value is not None}


def _forgetting(rows: list[list[Number]]) -> Number:
    """None where no earlier task was tested."""
    lost = []
    for j, last in enumerate(rows[-1][:-1]):
        seen = [value for row in rows[:-1] if j < len(row) and (value := row[j]) is not None]
        if last is not None and seen:
            lost.append(max(seen) - last)
    return sum(lost) / len(lost) if lost else None


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise TrackerError(f"expected the Python package {name} for --{name}, found none. Install it: pip install {name}") from None


def _open_wandb(run: ReportedRun) -> Tracker:
    wandb = _module("wandb")
    opened = wandb.init(project=os.environ.get("WANDB_PROJECT", PROJECT), name=run.name, notes=title(run), config=run.settings)
    for axis, names in (("step", "train/*"), ("task", "stream/*"), ("task", "tasks/*")):
        opened.define_metric(names, step_metric=axis)

    def send(points: list[Point]) -> None:
        for point in points:
            opened.log({point.axis: point.place} | point.values)

    return Tracker(send, opened.finish)


def _open_mlflow(run: ReportedRun) -> Tracker:
    mlflow = _module("mlflow")
    if "MLFLOW_EXPERIMENT_NAME" not in os.environ:
        mlflow.set_experiment(PROJECT)
    mlflow.start_run(run_name=run.name, description=title(run))
    mlflow.log_params({name: setting_text(value)[:LONGEST_PARAMETER] for name, value in run.settings.items()})

    def send(points: list[Point]) -> None:
        for point in points:
            # Names may have neither commas nor equals signs.
            values = {name.replace(",", ".").replace("=", "-"): value for name, value in point.values.items()}
            mlflow.log_metrics(values, step=point.place, synchronous=False)
        mlflow.flush_async_logging()

    return Tracker(send, mlflow.end_run)
