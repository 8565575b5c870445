"""What else a page can show of a run: predictions and sweeps, from the files that `palimpsest predict` and `palimpsest eval --sweep` write."""

import csv
import json
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..counted import counted
from ..errors import InputError
from ..runs.scores import score_info
from .draw import SHARES, Figure, Line, Scale, line_chart
from .measures import titled
from .reported import ReportedRun
from .result_figures import confusion_figure, share
from .text import Table, fixed, percent

MADE_BY = "Make it with palimpsest predict --weights RUN --pack PACK --split test --out FILE"
SWEPT_BY = "Make it with palimpsest eval --sweep RUN --out FILE"


def read_confusion(run: ReportedRun, path: str, name: str) -> Figure:
    """name: of the figure. Of a table of `palimpsest predict`. Raises InputError."""
    task_of = _tasks_of_classes(run, path)
    counts: NDArray[np.int64] = np.zeros((len(run.tasks), len(run.tasks)), np.int64)
    unknown = 0
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if missing := {"label", "class_1"} - set(reader.fieldnames or ()):
                raise InputError(f"{path}: expected the columns label and class_1, found no {' and no '.join(sorted(missing))}. {MADE_BY}")
            for row in reader:
                predicted = task_of.get(row["class_1"])
                if predicted is None:
                    raise InputError(
                        f"{path}: line {reader.line_num}: expected a class of the run, found '{row['class_1']}'. These are predictions of another run"
                    )
                target = task_of.get(row["label"])
                if target is None:
                    unknown += 1
                else:
                    counts[target, predicted] += 1
    except FileNotFoundError:
        raise InputError(f"{path}: expected a table of predictions, found nothing there. {MADE_BY}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: expected a table of predictions, but it cannot be read ({error}). {MADE_BY}") from None
    if not counts.any():
        raise InputError(f"{path}: expected samples of classes that the run has learned, found none. {MADE_BY}")
    left_out = f" ({counted(unknown, 'sample')} of other classes left out)" if unknown else ""
    return confusion_figure(name, counts, os.path.basename(path) + left_out)


def _tasks_of_classes(run: ReportedRun, path: str) -> dict[str, int]:
    if run.is_of_completions:
        raise InputError(f"{path}: {run.run.folder} predicts completions, not classes. Leave --predictions out")
    if len(set(run.classes)) < len(run.classes):
        raise InputError(f"{path}: tasks of {run.run.folder} share classes, so a prediction does not identify a task. Leave --predictions out")
    return {name: task.index for task in run.tasks for name in task.classes}


def read_sweep(run: ReportedRun, path: str, name: str) -> Figure:
    """name: of the figure. Accuracy against alpha. Raises InputError."""
    found = _read_sweep_json(path)
    assert run.among_all is not None
    score = score_info(run.among_all.after_merge[-1].scores[0].name).mean
    try:
        task, own, best = found["task"], found["own_alpha"], found["best_alpha"]
        points = [(point["alpha"], point["all"][score], (point["new_task"] or {}).get(score)) for point in found["points"]]
        remarks = " ".join(f"{remark[:1].upper()}{remark[1:]}." for remark in found["remarks"])
        split = found["split"]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: expected a sweep written by palimpsest eval, but a field is missing or wrong ({error}). {SWEPT_BY}") from None
    recorded = run.tasks[task].merge.alpha if task < len(run.tasks) else None
    if own is not None and own != recorded:
        raise InputError(f"{path}: expected a sweep of {run.run.folder}, whose alpha of task {task + 1} is {recorded}, found one with {own}. {SWEPT_BY}")
    alphas = [alpha for alpha, _, _ in points]
    lines = [Line("all tasks", alphas, [every for _, every, _ in points]), Line("new task", alphas, [new for _, _, new in points], 1)]
    marked = {"the run's own α": own, "best α": best}
    by_alpha = {alpha: every for alpha, every, _ in points}
    lines += [Line(what, [alpha], [by_alpha[alpha]], 2 + i) for i, (what, alpha) in enumerate(marked.items()) if alpha in by_alpha]
    drawing = line_chart(Scale("α", "%", share, whole_x=False, within=SHARES), lines)
    rows = [[fixed(alpha, 4), percent(every), percent(new), ", ".join(what for what, at in marked.items() if at == alpha)] for alpha, every, new in points]
    table = Table(["α", "all tasks in %", "new task in %", ""], rows, "rrrl")
    caption = titled(f"Accuracy against α of the merge of task {task + 1}, on {split} samples", run.score_title)
    title = titled(f"Accuracy in percent on all tasks and on task {task + 1} along the line of its merge", run.score_title)
    return Figure(name, caption, title, drawing, table, note=remarks)


def _read_sweep_json(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        raise InputError(f"{path}: expected a sweep as JSON, found nothing there. {SWEPT_BY}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected a sweep as JSON, but it cannot be read ({error}). {SWEPT_BY}") from None
    if not isinstance(found, dict) or found.get("type") != "sweep":
        kind = found.get("type") if isinstance(found, dict) else type(found).__name__
        raise InputError(f"{path}: expected JSON of type 'sweep', found '{kind}'. {SWEPT_BY}")
    return found
