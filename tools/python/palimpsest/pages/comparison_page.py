"""Several runs as a page."""

from collections.abc import Sequence

import numpy as np

from .comparison import Comparison, Group
from .comparison_tables import differences_table, groups_table, measures_table, runs_table, spread_text
from .draw import Figure, Line, Points, Scale, line_chart, scatter
from .names import method_name, stream_name
from .references import read_references, reference_lines
from .render import render
from .run_page import Page
from .text import Table, counted, listed, percent

DRAWN = 4  # groups that have their own colour


def comparison_page(comparison: Comparison, references: Sequence[str] = ()) -> Page:
    """Raises InputError where a reference is of other classes than the runs."""
    groups = comparison.groups
    streams = sorted({stream_name(group.first) for group in groups})
    runs = sum(len(group.runs) for group in groups)
    lines = reference_lines(read_references(groups[0].first, references), len(groups[0].first.tasks), roles=["quiet"])
    figures = [figure for figure in (_accuracy_over_tasks(groups, lines), _stability(groups)) if figure]
    html = render(
        "comparison.html.j2",
        title="Runs compared: Palimpsest",
        seconds_between=0,
        heading=f"{listed(streams)}: {counted(len(groups), 'group')} of runs compared",
        finding=_finding(groups),
        what=f"{counted(runs, 'run')} in {counted(len(groups), 'group')}; the runs of a group differ in seed and class order alone.",
        groups=groups_table(comparison),
        measures=measures_table(groups),
        figures=figures,
        differences=differences_table(comparison, comparison.differences) if comparison.differences else None,
        published=Table(["group", "published"], [[group.name, group.published] for group in groups], "ll"),
        runs=runs_table(comparison),
    )
    return Page(html, figures)


def group_names(groups: Sequence[Group]) -> list[str]:
    """The letter of each, and its method where methods differ."""
    methods = [method_name(group.first) for group in groups]
    return [f"{group.name}: {method}" if len(set(methods)) > 1 else group.name for group, method in zip(groups, methods, strict=True)]


def _finding(groups: Sequence[Group]) -> str:
    """The last accuracy of each of the best groups, in a sentence."""
    ordered = sorted(zip(groups, group_names(groups), strict=True), key=lambda pair: -pair[0].spreads["last"].mean)
    parts = [f"{name} reaches {spread_text(group.spreads['last'])} %" for group, name in ordered[:DRAWN]]
    more = f"; {len(groups) - DRAWN} more groups are below" if len(groups) > DRAWN else ""
    return f"Last accuracy: {listed(parts)}{more}."


def _accuracy_over_tasks(groups: Sequence[Group], references: Sequence[Line]) -> Figure:
    lines = []
    names = group_names(groups)
    for g, group in enumerate(groups[:DRAWN]):
        values = np.array([run.accuracies for run in group.runs])
        xs = list(range(1, values.shape[1] + 1))
        band = list(zip(values.min(axis=0).tolist(), values.max(axis=0).tolist(), strict=True)) if len(group.runs) > 1 else []
        lines.append(Line(names[g], xs, values.mean(axis=0).tolist(), g, band))
    drawing = line_chart(Scale("after task", "%", percent), [*lines, *references])
    length = max(len(line.xs) for line in lines)
    rows = [[str(t + 1), *(percent(line.ys[t]) if t < len(line.ys) else "-" for line in [*lines, *references])] for t in range(length)]
    table = Table(["after task", *(line.name for line in [*lines, *references])], rows, "r" * (1 + len(lines) + len(references)))
    caption = "Accuracy on all tasks so far, after each task; line: mean of the group, shade: its range"
    caption += f"; the first {DRAWN} groups" if len(groups) > DRAWN else ""
    title = "Accuracy in percent on all tasks so far after each task, by group of runs"
    return Figure("accuracy-over-tasks", caption, title, drawing, table)


def _stability(groups: Sequence[Group]) -> Figure | None:
    """Forgetting against plasticity, a point for each run. None of runs of a single task."""
    points = []
    for group, name in zip(groups, group_names(groups), strict=True):
        known = [run for run in group.runs if "forgetting" in run.values]
        xs, ys = ([run.values[key] for run in known] for key in ("forgetting", "plasticity"))
        titles = [f"{name}, seed {run.seed}: forgetting {percent(x)} points, plasticity {percent(y)} %" for run, x, y in zip(known, xs, ys, strict=True)]
        if known:
            points.append(Points(name, xs, ys, titles))
    if not points:
        return None
    drawing = scatter("forgetting in points (stability: further left)", "plasticity after the merge in %", points, percent)
    caption = "Stability against plasticity, a point for each run: better is further up and to the left"
    return Figure("stability", caption, "Forgetting and plasticity of every run", drawing)
