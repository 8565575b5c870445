"""One run as a page, and its accuracies as a table for programs."""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..counted import counted, form
from ..runs.evaluations import Evaluations
from ..runs.scores import GIVEN_TASK, score_info
from ..runs.stream_metrics import UNTESTED, accuracy
from . import merge_figures, names, result_figures, training_figures
from .draw import Figure
from .inputs import read_confusion, read_sweep
from .measures import HEADLINES, measure_text, measure_values, measures, titled
from .published import NO, PublishedNumber, column_in_words, published_number
from .references import Reference, read_references, reference_lines, reference_sentence
from .render import render
from .reported import ReportedRun, given_task_if, read_origin, state_content_sha256
from .settings import command, sorted_settings
from .text import Table, fixed, grouped, percent, setting_text

SECONDS_BETWEEN = 10  # two looks of a browser at a page that is renewed
CSV_COLUMNS = (
    "after_task,task,name,samples,correct_before_merge,correct,correct_given_task_before_merge,correct_given_task,accuracy_before_merge,accuracy,classifier"
)


@dataclass(frozen=True)
class Extras:
    """Other files that the page shows: runs to compare with, tables of `palimpsest predict`, sweeps of `palimpsest eval`."""

    references: Sequence[str] = ()
    predictions: Sequence[str] = ()
    sweeps: Sequence[str] = ()


NOTHING_ELSE = Extras()


@dataclass(frozen=True)
class Page:
    html: str
    figures: list[Figure]


def run_page(run: ReportedRun, extras: Extras = NOTHING_ELSE, is_renewed: bool = False) -> Page:
    """is_renewed: a browser that shows the page reads it again from time to time.

    Raises InputError where a record or one of the other files is damaged, or of another run.
    """
    references = read_references(run, extras.references)
    figures = _figures(run, extras, references) if run.tasks else {}
    classes = "" if run.is_of_completions else f", {counted(len(run.classes), 'class')}"
    learned = f"{classes}, backbone {read_origin(run, -1).backbone_name}" if run.tasks else ""
    values = _results(run) if run.tasks else {}
    html = render(
        "run.html.j2",
        title=f"{names.title(run)}: Palimpsest",
        heading=names.title(run),
        finding=" ".join(filter(None, (names.finding(run), reference_sentence(references)))),
        what=f"Run folder {run.name}: {counted(len(run.tasks), 'task')} done{learned}.",
        seconds_between=SECONDS_BETWEEN if is_renewed else 0,
        has_tasks=bool(run.tasks),
        has_start=bool(run.run.started),
        command=command(run),
        provenance=_provenance(run),
        records=_records(run),
        **figures,
        **values,
        **_settings(run),
    )
    return Page(html, [figure for section in figures.values() if isinstance(section, list) for figure in section if isinstance(figure, Figure)])


def _figures(run: ReportedRun, extras: Extras, references: Sequence[Reference]) -> dict[str, Any]:
    assert run.evaluations is not None and run.among_all is not None
    tasks = list(run.tasks)
    losses = training_figures.read_losses(os.path.join(run.run.folder, "metrics.jsonl"))
    curve = training_figures.loss_curve(losses, tasks)
    remarks = [] if curve else ["metrics.jsonl has no steps to draw a loss curve of."]
    if losses.damaged:
        it = form(losses.damaged, "it", "they")
        remarks.append(f"{counted(losses.damaged, 'line')} of metrics.jsonl can't be read: what {it} said is missing in the loss curve.")
    budget = merge_figures.error_budget(tasks)
    return {
        "results": _known(
            *result_figures.accuracy_matrices(run.evaluations),
            result_figures.accuracy_over_tasks(run.evaluations),
            result_figures.general_loss(run.evaluations),
            result_figures.beside_references(run.evaluations, reference_lines(references, len(tasks))),
            result_figures.forgetting_figure(run.evaluations),
        ),
        "merges": _known(
            merge_figures.alphas(tasks),
            budget,
            *(read_sweep(run, path, f"sweep{i or ''}") for i, path in enumerate(extras.sweeps)),
            merge_figures.alpha_by_layer(tasks),
            merge_figures.fisher_by_layer(tasks),
            merge_figures.cosines_figure(run),
        ),
        "has_budget": budget is not None,
        "losses": _known(
            result_figures.samples_figure(run.among_all),
            result_figures.lost_accuracy(run.evaluations),
            *(read_confusion(run, path, f"confusion{i or ''}") for i, path in enumerate(extras.predictions)),
        ),
        "training": _known(curve, training_figures.times(tasks)),
        "training_remarks": remarks,
    }


def _known(*figures: Figure | str | None) -> list[Figure | str]:
    """A text is what the page says in place of a figure."""
    return [figure for figure in figures if figure is not None]


def _results(run: ReportedRun) -> dict[str, Any]:
    assert run.evaluations is not None
    values = measure_values(run.evaluations)
    listed = measures(run.evaluations)
    rows = [[one.name, measure_text(one, values.get(one.key)), one.meaning if one.key in values else one.needs or one.meaning] for one in listed]
    tasks = []
    for task in run.tasks:
        tested = grouped(int(run.evaluations.after_merge[task.index].samples[-1]))
        tasks.append([str(task.index + 1), task.name, grouped(task.samples), tested, ", ".join(task.classes)])
    match = published_number(run)
    return {
        "is_task_given": run.is_task_given,
        "losses_heading": titled("Where accuracy was lost", run.score_title),
        "headlines": [(measure_text(measure, values.get(measure.key)), measure.name) for measure in listed if measure.key in HEADLINES],
        "measures": Table(["number", "value", "meaning"], rows, "lrl"),
        "classifiers": _classifier_table(run),
        "tasks": Table(["task", "name", "trained on", "tested on", "classes"], tasks, "rlrrl"),
        "published": _published_lines(match, values),
        "conditions": None
        if isinstance(match, str)
        else Table(
            ["condition", "agrees", "this run, and what is published"], [[*map(str, (one.name, one.met, one.found))] for one in match.conditions], "lll"
        ),
    }


def _published_lines(match: PublishedNumber | str, values: dict[str, float]) -> list[str]:
    if isinstance(match, str):
        return [f"None: {match}."]
    anytime = "" if match.average_anytime is None else f", average anytime accuracy {fixed(match.average_anytime, 2)} %"
    ours = " and ".join(f"{percent(values[key], 2)} %" for key in ("last", "average_anytime") if key in values) or UNTESTED
    line = f"Published for {match.row} on {column_in_words(match.column)}: last accuracy {fixed(match.last, 2)} %{anytime}; this run: {ours}."
    comparable = "Not all conditions are the same" if match.names(NO) else "The two may be compared as far as all of these agree"
    return [line, f"{comparable}:"]


def _classifier_table(run: ReportedRun) -> Table | None:
    """None where the run has one alone."""
    if not run.others or run.evaluations is None:
        return None
    shown = [measure for measure in measures(run.evaluations) if not measure.is_of_a_score]
    rows = []
    for one in (run.evaluations, *(given_task_if(run, other) for other in run.others)):
        values = measure_values(one)
        rows.append([one.classifier, *(measure_text(measure, values.get(measure.key)) for measure in shown)])
    return Table(["classifier", *(measure.name for measure in shown)], rows, "l" + "r" * len(shown))


def _settings(run: ReportedRun) -> dict[str, Any]:
    changed, unchanged, departures = sorted_settings(run)
    heading = ["setting", "this run", "default", "paper"]
    remark = "Settings that are not the default, or not the paper's."
    remark += f" Not as in the paper (≠): {', '.join(departures)}." if departures else ""
    return {
        "settings_remark": remark,
        "changed": Table(heading, [list(row) for row in changed], "llll"),
        "unchanged": Table(heading, [list(row) for row in unchanged], "llll"),
    }


def _provenance(run: ReportedRun) -> Table:
    start = run.run.started
    said = {label: setting_text(start[key]) if key in start else "-" for label, key in (("by", "writer"), ("source revision", "source_revision"))}
    said |= {label: setting_text(start[key]) if key in start else "-" for label, key in (("host of rank 0", "host"), ("ranks at the start", "world_size"))}
    rows = [["run folder", run.run.folder], ["begun", _utc(start.get("started"))], *map(list, said.items())]
    numerics = start.get("numerics")
    rows += [[name, setting_text(value)] for name, value in numerics.items()] if isinstance(numerics, dict) else []
    if run.tasks:
        origin = read_origin(run, -1)
        rows += [
            ["backbone", origin.backbone_name],
            ["backbone, SHA-256", origin.backbone_sha256],
            ["pack, content SHA-256", origin.pack_content_sha256],
            ["newest state, content SHA-256", state_content_sha256(run)],
            ["merged weights, SHA-256", run.tasks[-1].merge.weights_after],
        ]
    return Table([], rows, "ll")


def _records(run: ReportedRun) -> Table:
    rows = []
    for task in run.tasks:
        origin = read_origin(run, task.index)
        rows.append([str(task.index + 1), origin.content_sha256, task.merge.weights_after, origin.writer, origin.version])
    return Table(["task", "content SHA-256", "merged weights, SHA-256", "written by", "format"], rows, "rllll")


def _utc(seconds: object) -> str:
    if type(seconds) is not int:
        return "-"
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def accuracy_csv(run: ReportedRun) -> str:
    """A line for each test of a task, by each classifier, as docs/report.md has it."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    if run.among_all is not None and run.is_of_completions:
        _write_means(writer, run, run.among_all)
        return file.getvalue()
    file.write(CSV_COLUMNS + "\n")
    if run.among_all is not None:
        _write_lines(writer, run, run.tasks[-1].classifier, run.among_all)
        for other in run.others:
            _write_lines(writer, run, other.classifier, other)
    return file.getvalue()


def _write_means(writer: Any, run: ReportedRun, evaluations: Evaluations) -> None:
    """Of the scores of completions; nothing where a score isn't of this task."""
    names = [score.name for score in evaluations.after_merge[-1].scores]
    columns = [f"{score_info(name).mean}{moment}" for name in names for moment in ("_before_merge", "")]
    writer.writerow(["after_task", "task", "name", "samples", *columns])
    for t, pair in enumerate(zip(evaluations.before_merge, evaluations.after_merge, strict=True)):
        for j in range(t + 1):
            if pair[1].samples[j] == 0:
                continue
            found = [row.find(name) for name in names for row in pair]
            means = [f"{score.sums[j] / score.weights[j]:.6f}" if score and score.weights[j] > 0 else "" for score in found]
            writer.writerow([t + 1, j + 1, run.tasks[j].name, int(pair[1].samples[j]), *means])


def _write_lines(writer: Any, run: ReportedRun, classifier: str, evaluations: Evaluations) -> None:
    for t, (before, after) in enumerate(zip(evaluations.before_merge, evaluations.after_merge, strict=True)):
        for j in range(t + 1):
            if after.samples[j] == 0:
                continue
            pair = [row if row.samples[j] > 0 else None for row in (before, after)]
            given = [row and row.find(GIVEN_TASK) for row in pair]
            sums = [int(score.sums[j]) if score else "" for score in (*(row and row.scores[0] for row in pair), *given)]
            shares = [f"{accuracy(row, j):.6f}" if row else "" for row in pair]
            writer.writerow([t + 1, j + 1, run.tasks[j].name, int(after.samples[j]), *sums, *shares, classifier])
