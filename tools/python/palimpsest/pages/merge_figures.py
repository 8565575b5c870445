"""What a run's merges did."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..runs import Task
from .draw import Bars, Figure, Line, Scale, bar_chart, line_chart
from .heat_map import HeatMap, heat_map, is_wide
from .reported import ReportedRun
from .result_figures import task_numbers
from .text import Number, Table, fixed, percent, scientific, short_number

Numbers = NDArray[np.float64]
LEAST_COSINE = 0.1  # at the end of the colours: vectors at a smaller one are nearly orthogonal


def alphas(tasks: list[Task]) -> Figure | None:
    """None where nothing was merged."""
    merged = [(task, task.merge) for task in tasks if task.merge.alpha is not None]
    if not merged:
        return None
    several = any(merge.coefficients.size > 1 for _, merge in merged)
    clamped = any(merge.alpha_unclamped not in (None, merge.alpha) for _, merge in merged)
    xs = [task.index + 1 for task, _ in merged]
    ranges = [(float(merge.coefficients.min()), float(merge.coefficients.max())) for _, merge in merged]
    lines = [Line("α", xs, [merge.alpha for _, merge in merged], band=ranges if several else ())]
    if clamped:
        lines.append(Line("before the clamp", xs, [merge.alpha_unclamped for _, merge in merged], 1))
    lines.append(Line("1/t", xs, [1 / x for x in xs], 3, role="quiet"))
    rows = []
    for (task, merge), (least, most) in zip(merged, ranges, strict=True):
        fisher = task.fisher
        rows.append([
            str(task.index + 1),
            fixed(merge.alpha, 4),
            f"{fixed(least, 3)} to {fixed(most, 3)}" if merge.coefficients.size > 1 else "-",
            fixed(merge.alpha_unclamped, 4),
            scientific(merge.numerator, 3),
            scientific(merge.denominator, 3),
            scientific(fisher.factor if fisher else None, 2),
            merge.remark,
        ])  # fmt: skip
    drawing = line_chart(Scale("task", "α", least=0, most=1), lines)
    table = Table(["task", "α", "range", "before the clamp", "numerator", "denominator", "Fisher times", "remark"], rows, "rrrrrrrl")
    caption = "α of each merge: mean of several, and their range" if several else "α of each merge"
    title = "Merge coefficient alpha of each task, beside one over the task's number"
    return Figure("alpha", caption, title, drawing, table)


def error_budget(tasks: list[Task]) -> Figure | str | None:
    """What the quadratic model said of each merge, and what the merge did. A sentence where that was nothing; None where it wasn't measured."""
    found = [(task.metrics["rise_predicted"], task.metrics["rise_measured"]) for task in tasks]
    if all(measured is None for _, measured in found):
        return None
    if not any(predicted or measured for predicted, measured in found):
        return "Error budget: no merge raised its own task's loss."
    numbers = task_numbers(len(found))
    rows = []
    for number, (predicted, measured) in zip(numbers, found, strict=True):
        quotient = None if predicted is None or measured is None or predicted == 0 else measured / predicted
        rows.append([number, *map(short_number, (predicted, measured, quotient))])
    bars = [Bars("predicted", [predicted for predicted, _ in found]), Bars("measured", [measured for _, measured in found])]
    drawing = bar_chart(Scale("task", "rise of the loss", short_number), numbers, bars)
    note = (
        "Merging moves the weights away from where the task's training ended, which raises the task's own training loss. Predicted: half of d'Fd, where "
        "d is the change of the weights by the merge, and F is the task's Fisher as the merge used it. Measured: the loss after the merge minus the loss "
        "before. "
        "Where both agree, the quadratic model that chooses α is right; a measured rise far above it means that F is too small there."
    )
    title = "For each task: rise of its training loss by its merge, as the Fisher predicted and as measured"
    table = Table(["task", "predicted", "measured", "measured / predicted"], rows, "rrrr")
    return Figure("error-budget", "Error budget: by how much each merge raised its own task's loss, in nats", title, drawing, table, note=note)


def alpha_by_layer(tasks: list[Task]) -> Figure | None:
    """[modules, tasks]; None where no merge has numbers by module."""
    columns: list[tuple[Task, Numbers]] = []
    is_used = True
    for task in tasks:
        count, merge = len(task.modules), task.merge
        if count > 1 and merge.coefficients.size >= count and merge.coefficients.size % count == 0:
            columns.append((task, merge.coefficients.reshape(count, -1).mean(axis=1)))
        elif merge.module_numerators is not None and merge.module_denominators is not None and merge.module_denominators.size == count > 1:
            is_used = False
            with np.errstate(divide="ignore", invalid="ignore"):
                columns.append((task, np.clip(merge.module_numerators / merge.module_denominators, 0, 1)))
    if not columns:
        return None
    what = "α by layer" if is_used else "α by layer, as the closed form would choose it for each module alone; the merge used one for all"
    return _by_module("alpha-by-layer", what, "Merge coefficient alpha of each adapted module and task", columns, 0, 1, lambda value: fixed(value, 2), "")


def fisher_by_layer(tasks: list[Task]) -> Figure | None:
    """Each task's Fisher mass, of which module has which share. None where there is none."""
    columns = []
    for task in tasks:
        mass = task.modules["fisher_mass"].to_numpy(dtype=float)
        if len(mass) > 1 and mass.sum() > 0:
            columns.append((task, mass / mass.sum()))
    if not columns:
        return None
    most = max(float(shares.max()) for _, shares in columns)
    title = "Share of each adapted module in the Fisher mass of each task"
    caption = "Fisher mass by layer, in % of the task's whole Fisher mass"
    return _by_module("fisher-by-layer", caption, title, columns, 0, most, lambda value: percent(value), " %")


def cosines_figure(run: ReportedRun) -> Figure | None:
    """None of fewer than two tasks with an adapter."""
    found = task_cosines(run)
    if found is None:
        return None
    norms, cosines = found
    numbers = task_numbers(len(norms))
    cells: list[list[Number]] = [[None if np.isnan(value) else float(value) for value in row[: t + 1]] for t, row in enumerate(cosines)]
    off = [abs(value) for t, row in enumerate(cells) for value in row[:t] if value is not None]
    most = max([*off, LEAST_COSINE])
    decimals = 2 if max([*off, 0]) >= 0.1 else 3
    shown: list[list[Number]] = [row[:t] for t, row in enumerate(cells)]
    heat = HeatMap("task", "with task", numbers[1:], numbers[:-1], shown[1:], -most, most, lambda value: fixed(value, decimals), "")
    drawing = heat_map(heat)
    rows = [[numbers[t], fixed(float(norms[t]), 4), *(fixed(value, 3) for value in row), *[""] * (len(numbers) - t - 1)] for t, row in enumerate(cells)]
    table = Table(["task", "|Δ|", *numbers], rows, "r" * (len(numbers) + 2)) if len(numbers) <= 20 else None
    title = "Cosines between the task vectors of all pairs of tasks"
    caption = "Cosines between task vectors: 0 where two tasks changed the weights in unrelated ways, negative where against each other"
    return Figure("cosines", caption, title, drawing, table, wide=is_wide(heat))


def task_cosines(run: ReportedRun) -> tuple[Numbers, Numbers] | None:
    """Norms [T] of the task vectors Delta_t = s B_t A_t, and their cosines [T, T]; NaN of a task without an adapter. None where fewer than two have one.

    <B A, B' A'> = sum of (B^T B') * (A A'^T) over ranks, so that no Delta is formed.
    """
    factors: dict[str, list[tuple[int, Numbers, Numbers]]] = {}
    for task in run.tasks:
        scales = task.modules["scale"]
        with run.records[task.index].opened() as objects:
            for module, scale in zip(map(str, scales.index), scales.tolist(), strict=True):
                a, b = (objects.array(f"/lora/{module}/{name}").astype(np.float64) for name in ("A", "B"))
                factors.setdefault(module, []).append((task.index, scale * a, b))
    products = np.zeros((len(run.tasks), len(run.tasks)))
    for of_module in factors.values():
        places = [place for place, _, _ in of_module]
        starts = np.cumsum([0, *(len(a) for _, a, _ in of_module)])[:-1]
        a, b = np.concatenate([a for _, a, _ in of_module]), np.concatenate([b for _, _, b in of_module], axis=1)
        gram = (a @ a.T) * (b.T @ b)
        products[np.ix_(places, places)] += np.add.reduceat(np.add.reduceat(gram, starts, axis=0), starts, axis=1)
    norms = np.sqrt(np.maximum(np.diag(products), 0))
    if np.count_nonzero(norms) < 2:
        return None
    norms[norms == 0] = np.nan
    return norms, products / np.outer(norms, norms)


def _by_module(
    name: str, caption: str, title: str, columns: list[tuple[Task, Numbers]], least: float, most: float, text: Callable[[float], str], unit: str
) -> Figure:
    """columns: of tasks, [modules] each."""
    modules = [str(module) for module in columns[0][0].modules.index]
    order = sorted(range(len(modules)), key=lambda i: _layer(modules[i]))
    values = np.stack([column for _, column in columns], axis=1)[order]
    names, long_names = [_short_module(modules[i]) for i in order], [modules[i] for i in order]
    tasks = [str(task.index + 1) for task, _ in columns]
    cells: list[list[Number]] = [[float(value) if np.isfinite(value) else None for value in row] for row in values]
    heat = HeatMap("", "task", names, tasks, cells, least, most, text, unit, long_names)
    drawing = heat_map(heat)
    rows = [[long_names[i], *(text(value) if value is not None else "-" for value in row)] for i, row in enumerate(cells)]
    table = Table(["module", *tasks], rows, "l" + "r" * len(tasks)) if len(tasks) <= 20 else None
    return Figure(name, caption, title, drawing, table, wide=is_wide(heat))


def _layer(module: str) -> tuple[int, str]:
    numbers = [int(part) for part in module.split(".") if part.isdecimal()]
    return (numbers[0] if numbers else 0, module)


def _short_module(module: str) -> str:
    """ "encoder.layer.3.attention.self.key" is "3 key"."""
    parts = module.split(".")
    layer = next((part for part in parts if part.isdecimal()), "")
    return f"{layer} {parts[-1] if parts[-1] != 'dense' else parts[-2]}".strip()
