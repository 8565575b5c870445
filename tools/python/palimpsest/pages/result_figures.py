"""What a run reached, and where accuracy was lost."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..runs.evaluations import Evaluations, Row
from ..runs.scores import GIVEN_TASK
from ..runs.stream_metrics import UNTESTED, accuracy, mean_over_seen, overall
from .draw import DIFFERENCES, SHARES, Bars, Figure, Line, Scale, bar_chart, line_chart, share_bars
from .heat_map import HeatMap, heat_map, is_wide
from .measures import accuracy_matrix, accuracy_on, figure_name, forgetting_over_tasks, titled
from .text import Number, Table, fixed, percent

LEAST_RANGE = 0.1  # of the colours of a matrix, so that equal ones have a colour that says how good they are
NOTHING = 0.0005  # a share that is shown as 0.0 %


def task_numbers(tasks: int) -> list[str]:
    """ "1" to "T"."""
    return [str(t + 1) for t in range(tasks)]


def share(value: float) -> str:
    return percent(value)


def _nats(value: float) -> str:
    return fixed(value, 3)


def accuracy_matrices(evaluations: Evaluations) -> list[Figure]:
    """Those of completions have their losses, too."""
    found = _matrices(evaluations, evaluations.score_title)
    if evaluations.is_of_completions:
        found += _matrices(evaluations, "loss per token", "loss_per_token")
    return found


def _matrices(evaluations: Evaluations, score_title: str, loss: str | None = None) -> list[Figure]:
    """Of one scale of colours, so that they can be compared. loss: a score in nats, of which less is better, in place of the primary one."""
    after, before = (accuracy_matrix(evaluations, before_merge, loss) for before_merge in (False, True))
    unit, caption_unit, long_unit = (" nats", "nats", "nats") if loss else (" %", "%", "percent")
    both = np.concatenate([after.ravel(), before.ravel()])
    most = max(float(np.nanmax(both)), LEAST_RANGE)
    least = min(float(np.nanmin(both)), most - LEAST_RANGE)
    figures = []
    for name, caption, when, values in (
        ("accuracy-after-merge", f"Accuracy in {caption_unit} on each task, after each merge", "after the merge of each task", after),
        ("accuracy-before-merge", "The same before each merge, at the weights that training left", "before the merge of each task", before),
    ):
        cells: list[list[Number]] = [[None if np.isnan(value) else float(value) for value in row[: t + 1]] for t, row in enumerate(values)]
        numbers = task_numbers(len(cells))
        text = _nats if loss else share
        heat = HeatMap("after", "on task", numbers, numbers, cells, least, most, text, unit, less_is_better=loss is not None)
        drawing = heat_map(heat)
        title = titled(f"Accuracy in {long_unit} on each task's test samples {when}", score_title)
        caption = titled(caption, score_title) + ("; less is better" if loss and values is after else "")
        note = f"Below the diagonal, a cell without a colour: {UNTESTED}." if any(None in row for row in cells) else ""
        figures.append(Figure(figure_name(name, score_title), caption, title, drawing, note=note, wide=is_wide(heat)))
    return figures


def accuracy_over_tasks(evaluations: Evaluations) -> Figure:
    after, before = evaluations.after_merge, evaluations.before_merge
    series: dict[str, list[Number]] = {
        "all tasks so far": [overall(row) for row in after],
        "newest task": [accuracy(row, t) for t, row in enumerate(after)],
        "newest task, before its merge": [accuracy(row, t) for t, row in enumerate(before)],
    }
    if after[0].find(GIVEN_TASK):
        series["all so far, given the task"] = [mean_over_seen(row, GIVEN_TASK) for row in after]
    xs = list(range(1, len(after) + 1))
    drawing = line_chart(Scale("after task", "%", share, within=SHARES), [Line(name, xs, values, style) for style, (name, values) in enumerate(series.items())])
    heading = ["after task", "all tasks so far", "newest task", "before its merge", "given the task"][: len(series) + 1]
    rows = [[str(t + 1), *(percent(values[t]) for values in series.values())] for t in range(len(after))]
    title = "Accuracy in percent after each task: on all tasks so far, on the newest one after and before its merge, and with the task given"
    if evaluations.is_of_completions:
        title = titled(title.removesuffix(", and with the task given"), evaluations.score_title)
    table = Table(heading, rows, "r" * len(heading))
    name, caption = figure_name("accuracy-over-tasks", evaluations.score_title), titled("Accuracy after each task", evaluations.score_title)
    return Figure(name, caption, title, drawing, table, note=no_point(series["all tasks so far"]))


def general_loss(evaluations: Evaluations) -> Figure | None:
    """None where it wasn't measured."""
    series = {
        "after the merge": _newest_means(evaluations.after_merge, "general_loss"),
        "before the merge": _newest_means(evaluations.before_merge, "general_loss"),
        "before the stream": _newest_means(evaluations.after_merge, "general_loss_before_stream"),
    }
    if not any(value is not None for values in series.values() for value in values):
        return None
    xs = range(1, len(evaluations.after_merge) + 1)
    roles = ("", "", "quiet")
    lines = [Line(name, xs, values, style, role=role) for style, (role, (name, values)) in enumerate(zip(roles, series.items(), strict=True))]
    drawing = line_chart(Scale("after task", "nats", _nats), lines)
    rows = [[str(x), *(fixed(values[x - 1], 4) for values in series.values())] for x in xs]
    table = Table(["after task", *series], rows, "rrrr")
    title = "Loss per token in nats on the general text after each task: after and before its merge, and before the stream"
    return Figure("general-loss", "General loss after each task, in nats: on a text that belongs to no task; less is better", title, drawing, table)


def _newest_means(rows: Sequence[Row], name: str) -> list[Number]:
    """Of a score that belongs to no task: it is entered at the newest one."""
    found = [row.find(name) for row in rows]
    return [float(score.sums[-1] / score.weights[-1]) if score and score.weights[-1] > 0 else None for score in found]


def beside_references(evaluations: Evaluations, references: Sequence[Line]) -> Figure | None:
    """None without references."""
    if not references:
        return None
    values = [overall(row) for row in evaluations.after_merge]
    lines = [Line("this run", list(range(1, len(values) + 1)), values), *references]
    drawing = line_chart(Scale("after task", "%", share, within=SHARES), lines)
    rows = [[str(t + 1), *(percent(line.ys[t]) if t < len(line.ys) else "-" for line in lines)] for t in range(max(len(line.ys) for line in lines))]
    table = Table(["after task", *(line.name for line in lines)], rows, "r" * (len(lines) + 1))
    caption = titled("Accuracy on all tasks so far, beside other runs; line: mean of several, shade: their range", evaluations.score_title)
    title = titled("Accuracy in percent on all tasks so far after each task, of this run and of others", evaluations.score_title)
    return Figure("references", caption, title, drawing, table, note=no_point(y for line in lines for y in line.ys))


def no_point(accuracies: Iterable[Number]) -> str:
    """accuracies: on all tasks so far. What is said of those that aren't defined; "" where all are."""
    return f"On all tasks so far there is no point where earlier ones were {UNTESTED}; lines join the points." if None in accuracies else ""


def forgetting_figure(evaluations: Evaluations) -> Figure | str | None:
    """A sentence where nothing was forgotten; None of a single task."""
    found = forgetting_over_tasks(evaluations)
    known = [t for t, value in enumerate(found.plain) if not np.isnan(value)]
    if not known:
        return None
    if _are_nothing([*found.plain[known], *found.from_before_merge[known]]):
        when = "after every task" if len(known) == len(found.plain) else "wherever earlier tasks were tested"
        return f"On average, earlier tasks have lost nothing: forgetting is 0.0 points {when}, also when counted from before the merges."
    xs = [t + 2 for t in known]
    lines = [
        Line("forgetting", xs, found.plain[known].tolist()),
        Line("from before the merge", xs, found.from_before_merge[known].tolist(), 1),
    ]
    drawing = line_chart(Scale("after task", "points", share, least=0, within=DIFFERENCES), lines)
    rows = [[str(t + 2), *(percent(float(values[t])) for values in found)] for t in known]
    table = Table(["after task", "forgetting", "from before the merge", "backward transfer"], rows, "rrrr")
    title = titled("Forgetting in points after each task, from the best accuracy after and before merges", evaluations.score_title)
    caption = titled("Forgetting after each task: best accuracy on a task minus the last, mean over earlier tasks", evaluations.score_title)
    return Figure("forgetting", caption, title, drawing, table)


def samples_figure(among_all: Evaluations) -> Figure | None:
    """Right, right only when the task is known, wrong even then: they add up to all samples of a task. None where that wasn't measured."""
    last = among_all.after_merge[-1]
    given = last.find(GIVEN_TASK)
    if given is None:
        return None
    names = ("right", "taken for a class of another task", "wrong within the task too")
    parts: list[list[Number]] = [[], [], []]
    tested, rows = [], []
    for j in range(len(last.samples)):
        right = accuracy_on(among_all, -1, j)
        if right is None:
            continue
        of_task = float(given.sums[j] / given.weights[j])
        for values, value in zip(parts, (right, of_task - right, 1 - of_task), strict=True):
            values.append(value)
        tested.append(str(j + 1))
        rows.append([str(j + 1), *map(percent, (right, of_task, of_task - right, 1 - of_task))])
    drawing = share_bars(Scale("task", "%", share), tested, [Bars(name, values) for name, values in zip(names, parts, strict=True)])
    table = Table(["task", "accuracy", "given the task", "lost to other tasks", "wrong within"], rows, "rrrrr")
    title = "For each task: shares of its test samples that are classified right, taken for a class of another task, and wrong within the task too"
    note = f"A task that is missing here was {UNTESTED} after the last one." if len(rows) < len(last.samples) else ""
    return Figure("samples", "What becomes of each task's test samples in the end", title, drawing, table, note=note)


def lost_accuracy(evaluations: Evaluations) -> Figure | str:
    """A sentence where nothing was lost or gained."""
    merge: list[Number] = []
    later: list[Number] = []
    rows = []
    for j, (row_after, row_before) in enumerate(zip(evaluations.after_merge, evaluations.before_merge, strict=True)):
        before, after, end = accuracy(row_before, j), accuracy(row_after, j), accuracy_on(evaluations, -1, j)
        merge.append(before - after)
        later.append(None if end is None else after - end)
        rows.append([str(j + 1), *map(percent, (before, before - after, after, later[-1], end))])
    if _are_nothing([value for value in merge + later if value is not None]):
        tested = ", where tested," if None in later else ""
        return f"No task's {evaluations.score_title} was changed by its own merge or{tested} by the tasks after it."
    scale = Scale("task", "points lost", share, within=DIFFERENCES)
    drawing = bar_chart(scale, task_numbers(len(merge)), [Bars("its own merge", merge), Bars("the tasks after it", later)])
    table = Table(["task", "trained", "merge took", "merged", "later tasks took", "in the end"], rows, "rrrrrr")
    title = titled("For each task: points of accuracy that its own merge took, and that the tasks after it took; below zero: gained", evaluations.score_title)
    note = f"What later tasks took isn't known of a task that was {UNTESTED} after the last one." if None in later else ""
    name, caption = figure_name("lost-accuracy", evaluations.score_title), titled("What each task's accuracy lost, and to what", evaluations.score_title)
    return Figure(name, caption, title, drawing, table, note=note)


def _are_nothing(values: Sequence[float]) -> bool:
    return all(abs(value) < NOTHING for value in values)


def confusion_figure(name: str, counts: NDArray[np.int64], predictions: str) -> Figure:
    """name: of the figure. counts: [task of the sample, task of the class that was predicted]."""
    sums = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(sums, 1)
    numbers = task_numbers(len(counts))
    cells: list[list[Number]] = [[float(value) if total else None for value in row] for row, total in zip(shares, sums[:, 0], strict=True)]
    heat = HeatMap("of task", "taken for task", numbers, numbers, cells, 0, 1, lambda value: fixed(100 * value, 0), " %")
    drawing = heat_map(heat)
    table = Table(["task", *numbers], [[numbers[i], *(str(int(count)) for count in row)] for i, row in enumerate(counts)], "r" * (len(counts) + 1))
    title = "For each task: the shares of its samples that were taken for a class of each task"
    return Figure(name, f"Which task's classes samples were taken for: % of each row, from {predictions}", title, drawing, table, wide=is_wide(heat))
