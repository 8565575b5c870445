"""A comparison of runs as tables, text, JSON and CSV."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..runs.stream_metrics import UNTESTED
from .comparability import finding
from .comparison import ComparedRun, Comparison, Difference, Group, Spread, spread_text
from .measures import HEADLINES, Measure, number_text
from .text import Table, fixed, text_table, wrap

LINE_WIDTH = 100
GROUPS_ABREAST, PAIRS_ABREAST = 4, 3


def groups_table(comparison: Comparison) -> Table:
    rows = [
        [
            group.label,
            str(len(group.runs)),
            ", ".join(str(run.seed) for run in group.runs),
            str(len({run.class_order for run in group.runs})),
            group.description or "nothing",
        ]
        for group in comparison.groups
    ]
    return Table(["group", "runs", "seeds", "class orders", "differs in"], rows, "lrlrl")


def measures_table(comparison: Comparison, groups: Sequence[Group], is_labelled: bool = False) -> Table:
    return _spreads_table("in %", comparison.measures, {group.label if is_labelled else group.name: group.spreads for group in groups}, signed=False)


def differences_table(comparison: Comparison, differences: Sequence[Difference]) -> Table:
    groups = comparison.groups
    columns = {f"{groups[one.second].name} - {groups[one.first].name} (n = {one.pairs})": one.spreads for one in differences}
    return _spreads_table("in points", comparison.measures, columns, signed=True)


def runs_table(comparison: Comparison) -> Table:
    """With the headline numbers; further_table() has the others."""
    shown = [measure for measure in comparison.measures if measure.key in HEADLINES]
    rows = [[group.name, run.folder, str(run.seed), run.class_order[:12], *_values(run, shown)] for group in comparison.groups for run in group.runs]
    return Table(["group", "run", "seed", "class order", *(measure.heading for measure in shown)], rows, "llrl" + "r" * len(shown))


def further_table(comparison: Comparison) -> Table:
    shown = [measure for measure in comparison.measures if measure.key not in HEADLINES]
    rows = [[run.folder, *_values(run, shown)] for group in comparison.groups for run in group.runs]
    return Table(["run", *(measure.heading for measure in shown)], rows, "l" + "r" * len(shown))


def untested(groups: Sequence[Group]) -> str:
    """What it means for the numbers that tasks were not tested; "" where all were."""
    if not any(None in run.accuracies for group in groups for run in group.runs):
        return ""
    return f"-: earlier tasks were {UNTESTED} where the number needs it. Forgetting is from the best of the tests that were made: with fewer it can be less."


def _values(run: ComparedRun, measures: Sequence[Measure]) -> list[str]:
    return [number_text(measure, run.values[measure.key]) if measure.key in run.values else "" for measure in measures]


def comparison_text(comparison: Comparison) -> str:
    text = ""
    for group in comparison.groups:
        title = f"group {group.name}  "
        lines = [", ".join(run.folder for run in group.runs), group.description, f"published: {group.published}"]
        for i, line in enumerate(filter(None, lines)):
            text += (title if i == 0 else " " * len(title)) + wrap(line, LINE_WIDTH, len(title)) + "\n"
    text += f"\n{wrap(finding(comparison), LINE_WIDTH, 0)}\n"
    text += "\nmean, ± sample deviation over the runs of a group\n"
    text += wrap(untested(comparison.groups), LINE_WIDTH, 0) + "\n" if untested(comparison.groups) else ""
    for first in range(0, len(comparison.groups), GROUPS_ABREAST):
        text += "\n" + text_table(measures_table(comparison, comparison.groups[first : first + GROUPS_ABREAST]))
    if comparison.differences:
        text += "\ndifferences between runs of the same seed and class order: mean, ± their sample deviation\n"
    for first in range(0, len(comparison.differences), PAIRS_ABREAST):
        text += "\n" + text_table(differences_table(comparison, comparison.differences[first : first + PAIRS_ABREAST]))
    return text


def comparison_json(comparison: Comparison) -> str:
    groups: list[dict[str, Any]] = [
        {
            "name": group.name,
            "differs_in": group.description,
            "published": group.published,
            "runs": [
                {"folder": run.folder, "seed": run.seed, "class_order": run.class_order, "values": _sorted(run.values), "accuracies": run.accuracies}
                for run in group.runs
            ],
            "spreads": _spreads_json(group.spreads),
        }
        for group in comparison.groups
    ]
    differences = [
        {
            "first": comparison.groups[one.first].name,
            "second": comparison.groups[one.second].name,
            "pairs": one.pairs,
            "spreads": _spreads_json(one.spreads),
        }
        for one in comparison.differences
    ]
    return json.dumps({"groups": groups, "differences": differences}, indent=2, ensure_ascii=False) + "\n"


def comparison_csv(comparison: Comparison) -> str:
    """A line for each run."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["group", "run", "seed", "class_order", *(measure.key for measure in comparison.measures)])
    for group in comparison.groups:
        for run in group.runs:
            values = [fixed(run.values[measure.key], 6) if measure.key in run.values else "" for measure in comparison.measures]
            writer.writerow([group.name, run.folder, run.seed, run.class_order, *values])
    return file.getvalue()


def _spreads_table(corner: str, measures: Sequence[Measure], columns: Mapping[str, Mapping[str, Spread]], signed: bool) -> Table:
    """Without the measures that no column has."""
    rows = []
    for measure in measures:
        cells = [spread_text(measure, spreads[measure.key], signed) if measure.key in spreads else "-" for spreads in columns.values()]
        if any(cell != "-" for cell in cells):
            rows.append([measure.heading, *cells])
    return Table([corner, *columns], rows, "l" + "r" * len(columns))


def _spreads_json(spreads: Mapping[str, Spread]) -> dict[str, dict[str, float | None]]:
    return {key: {"mean": found.mean, "deviation": found.deviation} for key, found in _sorted(spreads).items()}


def _sorted(values: Mapping[str, Any]) -> dict[str, Any]:
    return dict(sorted(values.items()))
