"""How runs and tasks look at a prompt and in a notebook."""

import math
from html import escape

from ..counted import counted
from .run import Run
from .stream_metrics import UNTESTED, Number, accuracy, overall
from .task import Task

SETTINGS = ("scenario", "adapter", "perturbation", "merge", "curvature", "seed")
SHOWN_METRICS = ("last", "average_anytime", "forgetting", "plasticity_before_merge", "plasticity")
LINE_WIDTH = 100  # of text
SHOWN_TASKS = 24  # of a table: the first and the last of more

# Grey lines and green cells are drawn over whatever the page's own background is, so that both light and dark pages show them.
STYLE = (
    "<style>.palimpsest-run{border-collapse:collapse;margin:.3em 0 .6em;font-variant-numeric:tabular-nums}"
    ".palimpsest-run th,.palimpsest-run td{padding:.15em .6em;border:0;border-bottom:1px solid rgba(128,128,128,.35);"
    "text-align:right;color:inherit;background:none}"
    ".palimpsest-run th{font-weight:600}.palimpsest-run .left{text-align:left}"
    ".palimpsest-run .bar{background-repeat:no-repeat;background-image:linear-gradient(rgba(46,160,67,.38),rgba(46,160,67,.38))}</style>"
)


def run_text(run: Run) -> str:
    """A few lines: what the run is, its metrics, and a line for each task."""
    lines = [f"Run {run.name}: {_progress(run)}", _in_lines(_settings(run))]
    if not run.tasks:
        return "\n".join(lines)
    for classifier in run.classifiers:
        label = f"{classifier}: " if len(run.classifiers) > 1 else ""
        lines.append(f"  {_what(run)}: {label}{', '.join(f'{name} {_percent(value)}' for name, value in _metrics(run, classifier))}")
    lines.append(f"  {'task':>4} {'classes':>7} {'samples':>8} {'alpha':>6} {'new task %':>10} {'all so far %':>12}")
    rows = _rows(run)
    for row in rows:
        lines.append("   ..." if row is None else f"  {row[0]:>4} {row[1]:>7} {row[2]:>8} {row[3]:>6} {row[4]:>10} {row[5]:>12}")
    if remark := _remark(rows):
        lines.append(f"  {remark}")
    return "\n".join(lines)


def run_html(run: Run) -> str:
    """The same as a table; green bars are as long as the accuracies."""
    head = f"<b>{escape(run.name)}</b>: {escape(_progress(run))}<br><small>{escape('; '.join(_settings(run)))}</small>"
    if not run.tasks:
        return f"<div>{head}</div>"
    names = [name for name, _ in _metrics(run, run.classifiers[0])]
    metrics = _header([_what(run), *names]) + "".join(
        _cells([escape(classifier), *(_percent(value) for _, value in _metrics(run, classifier))]) for classifier in run.classifiers
    )
    tasks = _header(["task", "classes", "samples", "alpha", "new task %", "all so far %"])
    rows = _rows(run)
    for row in rows:
        tasks += '<tr><td class="left" colspan="6">…</td></tr>' if row is None else _cells(row, bars=(4, 5))
    tables = "".join(f'<table class="palimpsest-run">{table}</table>' for table in (metrics, tasks))
    return f"{STYLE}<div>{head}{tables}<small>{escape(_remark(rows))}</small></div>"


def task_text(task: Task) -> str:
    return "\n".join([f'Task {task.index}, "{task.name}"', *(f"  {name:<14} {value}" for name, value in _facts(task))])


def task_html(task: Task) -> str:
    rows = "".join(f'<tr><th class="left">{escape(name)}</th><td class="left">{escape(value)}</td></tr>' for name, value in _facts(task))
    return f'{STYLE}<div><b>Task {task.index}</b>, “{escape(task.name)}”<table class="palimpsest-run">{rows}</table></div>'


def _progress(run: Run) -> str:
    text = f"{counted(len(run.tasks), 'task')} finished"
    return text + (f", {run.tasks_before} of them by the run that it continues" if run.tasks_before else "")


def _settings(run: Run) -> list[str]:
    return [f"{name} {run.config[name]}" for name in SETTINGS if name in run.config] + [f"classifier {', '.join(run.classifiers)}"]


def _in_lines(parts: list[str]) -> str:
    """In lines of at most LINE_WIDTH that break between parts alone."""
    lines: list[str] = []
    for part in parts:
        if lines and len(f"{lines[-1]}; {part};") <= LINE_WIDTH:
            lines[-1] += f"; {part}"
        else:
            lines.append(f"  {part}")
    return ";\n".join(lines)


def _what(run: Run) -> str:
    """Of metrics and tasks: in which unit they are, and of what where it is not accuracy."""
    found = run.evaluations[run.classifiers[0]]
    return f"{found.score_title} in %" if found.is_of_completions else "in %"


def _metrics(run: Run, classifier: str) -> list[tuple[str, float]]:
    return [(name.replace("_", " "), float(run.metrics.loc[name, classifier])) for name in SHOWN_METRICS]  # type: ignore[arg-type]


def _rows(run: Run) -> list[list[str] | None]:
    """A line for each task; None where some are left out."""
    found = run.evaluations[run.classifiers[0]]
    rows = (found.given_task() if run.is_task_given else found).after_merge
    shown: list[int | None] = list(range(len(rows)))
    if len(rows) > SHOWN_TASKS:
        shown = [*range(SHOWN_TASKS // 2), None, *range(len(rows) - SHOWN_TASKS // 2, len(rows))]
    lines: list[list[str] | None] = []
    for t in shown:
        if t is None:
            lines.append(None)
            continue
        task, alpha = run.tasks[t], run.tasks[t].merge.alpha
        accuracies = [_percent(accuracy(rows[t], t)), _percent(overall(rows[t]))]
        lines.append([str(t), str(len(task.classes)), str(task.samples), "-" if alpha is None else f"{alpha:.3f}", *accuracies])
    return lines


def _remark(rows: list[list[str] | None]) -> str:
    """On what the lines leave out; "" where they don't."""
    return f"all so far -: earlier tasks were {UNTESTED}" if any(row and row[5] == "-" for row in rows) else ""


def _facts(task: Task) -> list[tuple[str, str]]:
    merge, fisher = task.merge, task.fisher
    alpha = "nothing merged" if merge.alpha is None else f"alpha {merge.alpha:.4f}"
    shapes = task.modules
    norm = math.sqrt(float((shapes["norm_delta"].astype(float) ** 2).sum()))
    names = ", ".join(task.classes[:6]) + (", ..." if len(task.classes) > 6 else "")
    return [
        ("classes", f"{len(task.classes)}: {names}"),
        ("samples", f"{task.samples} for training, seed {task.seed}"),
        ("adapter", f"{counted(len(shapes), 'module')}, |Delta| {norm:.4g}" if len(shapes) else "none"),
        ("merge", f"{merge.rule.get('name', '?')}, {alpha}{', ' + merge.remark if merge.remark else ''}"),
        ("Fisher", "none" if fisher is None else f"{fisher.kind} over {counted(fisher.samples, 'sample')}, factor {fisher.factor:.4g}"),
        ("seconds", ", ".join(f"{name} {value:.2f}" for name, value in task.seconds.items())),
    ]


def _percent(share: Number) -> str:
    return "-" if share is None or math.isnan(share) else f"{100 * share:.1f}"


def _header(names: list[str]) -> str:
    return "<tr>" + "".join(f"<th{_left(i)}>{escape(name)}</th>" for i, name in enumerate(names)) + "</tr>"


def _cells(cells: list[str], bars: tuple[int, ...] = ()) -> str:
    made = ""
    for i, cell in enumerate(cells):
        made += f'<td class="bar" style="background-size:{cell}% 100%">{cell}</td>' if i in bars and cell != "-" else f"<td{_left(i)}>{cell}</td>"
    return f"<tr>{made}</tr>"


def _left(column: int) -> str:
    return ' class="left"' if column == 0 else ""
