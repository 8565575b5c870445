"""Several runs as a page."""

from collections.abc import Sequence

from ..counted import counted
from .comparability import finding
from .comparison import Comparison, Group
from .comparison_tables import differences_table, further_table, groups_table, measures_table, runs_table, untested
from .draw import SHARES, Figure, Line, Points, Scale, line_chart, line_of_runs, scatter
from .measures import EARLIER, figure_name, titled
from .names import stream_name
from .references import read_references, reference_lines
from .render import render
from .run_page import Page
from .text import Table, listed, percent

DRAWN = 4  # groups that have their own colour


def comparison_page(comparison: Comparison, references: Sequence[str] = ()) -> Page:
    """Raises InputError where a reference is of other classes than the runs."""
    groups = comparison.groups
    streams = list(dict.fromkeys(stream_name(group.first) for group in groups))
    runs = sum(len(group.runs) for group in groups)
    lines = reference_lines(read_references(groups[0].first, references), len(groups[0].first.tasks), roles=["quiet"])
    figures = [figure for figure in (_accuracy_over_tasks(comparison, lines), _stability(groups)) if figure]
    html = render(
        "comparison.html.j2",
        title="Runs compared: Palimpsest",
        seconds_between=0,
        heading=f"{listed(streams)}: {counted(len(groups), 'group')} of runs compared",
        finding=finding(comparison),
        what=f"{counted(runs, 'run')} in {counted(len(groups), 'group')}; the runs of a group differ in seed and class order alone.",
        groups=groups_table(comparison),
        measures=measures_table(comparison, groups, is_labelled=True),
        untested=untested(groups),
        figures=figures,
        differences=differences_table(comparison, comparison.differences) if comparison.differences else None,
        published=Table(["group", "published"], [[group.label.replace(": ", ":\u00a0", 1), group.published] for group in groups], "ll"),
        runs=runs_table(comparison),
        further=further_table(comparison),
    )
    return Page(html, figures)


def _accuracy_over_tasks(comparison: Comparison, references: Sequence[Line]) -> Figure:
    groups, title = comparison.groups, comparison.score_title
    lines = [line_of_runs(group.label, [run.accuracies for run in group.runs], g) for g, group in enumerate(groups[:DRAWN])]
    drawing = line_chart(Scale("after task", "%", percent, within=SHARES), [*lines, *references])
    length = max(len(line.xs) for line in lines)
    rows = [[str(t + 1), *(percent(line.ys[t]) if t < len(line.ys) else "-" for line in [*lines, *references])] for t in range(length)]
    table = Table(["after task", *(line.name for line in [*lines, *references])], rows, "r" * (1 + len(lines) + len(references)))
    caption = titled("Accuracy on all tasks so far, after each task; line: mean of the group, shade: its range", title)
    caption += f"; the first {DRAWN} groups" if len(groups) > DRAWN else ""
    seen = titled("Accuracy in percent on all tasks so far after each task, by group of runs", title)
    return Figure(figure_name("accuracy-over-tasks", title), caption, seen, drawing, table)


def _stability(groups: Sequence[Group]) -> Figure | None:
    """Forgetting against plasticity, a point for each run. None where no run has forgetting."""
    points, missing = [], []
    for group in groups:
        known = [run for run in group.runs if "forgetting" in run.values]
        xs, ys = ([run.values[key] for run in known] for key in ("forgetting", "plasticity"))
        missing += [f"{run.name} (group {group.name})" for run in group.runs if run not in known]
        titles = [f"{group.label}, seed {run.seed}: forgetting {percent(x)} points, plasticity {percent(y)} %" for run, x, y in zip(known, xs, ys, strict=True)]
        if known:
            points.append(Points(group.label, xs, ys, titles))
    if not points:
        return None
    drawing = scatter("forgetting in points (stability: further left)", "plasticity after the merge in %", points, percent)
    caption = "Stability against plasticity, a point for each run: better is further up and to the left"
    note = f"Forgetting {EARLIER}; without it, and so without a point here: {listed(missing)}." if missing else ""
    return Figure("stability", caption, "Forgetting and plasticity of every run", drawing, note=note)
