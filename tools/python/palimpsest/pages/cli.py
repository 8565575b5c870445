"""The command line of palimpsest report."""

import argparse
import os
import sys
from collections.abc import Sequence

from ..counted import counted, form
from ..errors import InputError
from ..parser import Parser
from ..runs import Run
from .comparison import NamedTwice, compare_runs
from .comparison_page import comparison_page
from .comparison_tables import comparison_csv, comparison_json, comparison_text
from .program import NAME
from .reported import opened_run, read_reported_run
from .run_page import Extras, accuracy_csv, run_page
from .trackers import TrackerError, send_log
from .watch import has_ended, watch
from .write import NoPlace, check_places, write_figures, write_file

USAGE = """palimpsest report RUN [--out FILE]
       palimpsest report RUN RUN... [--out FILE] [--json | --csv]"""
DESCRIPTION = """One run folder: writes report.html and accuracy.csv into it; with --out, writes only the page, to FILE. --json and --csv print
the same as for several runs.

Several run folders: groups runs that differ only in seed and class order. Prints mean and sample deviation of each group, and the differences
between groups over the seeds and class orders that they share.

Published numbers are shown with every condition that prevents a comparison with the run. A page is one file and loads nothing else."""
EPILOG = """Example: palimpsest report runs/seed-1 runs/seed-2 --out comparison.html
Exit codes: 0 done, 1 failed, 2 usage, 3 a file is missing, damaged or of another kind."""


def main(words: Sequence[str]) -> int:
    """The exit code."""
    arguments = _parser().parse_args(words)
    _check(arguments)
    try:
        if arguments.wandb or arguments.mlflow:
            _track(arguments)
        elif arguments.watch:
            _say_watched(arguments.runs[0], "the page is written again")
            watch(arguments.runs[0], lambda is_last: _report_one(arguments, is_renewed=not is_last))
        elif len(arguments.runs) == 1 and not arguments.json and not arguments.csv:
            _report_one(arguments)
        else:
            _compare(arguments)
    except (InputError, NamedTwice, TrackerError, OSError) as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return 3 if isinstance(error, InputError) else 2 if isinstance(error, NamedTwice) else 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog=NAME, usage=USAGE, description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run folder, finished or not")
    parser.add_argument("--out", metavar="FILE", default="", help="the page to write, for one run or for the comparison")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--csv", action="store_true", help="print one line per run instead of tables")
    parser.add_argument(
        "--reference",
        nargs="+",
        metavar="RUN",
        default=[],
        help="runs of the same classes to draw for comparison: joint, frozen, sequential, or other seeds",
    )
    parser.add_argument("--predictions", nargs="+", metavar="FILE", default=[], help="tables from palimpsest predict, for the confusion between tasks")
    parser.add_argument("--sweep", nargs="+", metavar="FILE", default=[], help="JSON from palimpsest eval --sweep, for accuracy against alpha")
    parser.add_argument("--figures", metavar="FOLDER", default="", help="also write each figure of the page to FOLDER, as SVG and PNG")
    parser.add_argument("--wandb", action="store_true", help="send the run's log to Weights & Biases instead of writing a page")
    parser.add_argument("--mlflow", action="store_true", help="send the run's log to MLflow instead of writing a page")
    parser.add_argument(
        "--watch", action="store_true", help="for one run: write its page again after each task (or send its log), until the run ends or Ctrl-C"
    )
    return parser


def _check(arguments: argparse.Namespace) -> None:
    """Exits with 2 where options contradict each other."""
    parser = _parser()
    several = len(arguments.runs) > 1 or arguments.json or arguments.csv
    if arguments.json and arguments.csv:
        parser.error("expected --json or --csv, found both")
    if arguments.wandb and arguments.mlflow:
        parser.error("expected --wandb or --mlflow, found both")
    for name in ("predictions", "sweep", "watch", "wandb", "mlflow"):
        if several and getattr(arguments, name):
            parser.error(f"--{name} is for the page of one run: expected one RUN and neither --json nor --csv")
    if several and not arguments.out and (arguments.figures or arguments.reference):
        parser.error("--figures and --reference of several runs need a page: expected --out FILE")
    try:
        check_places(arguments.out, arguments.figures)
    except NoPlace as error:
        parser.error(str(error))


def _report_one(arguments: argparse.Namespace, is_renewed: bool = False) -> None:
    folder = arguments.runs[0]
    with opened_run(folder) as run:
        page = run_page(run, Extras(arguments.reference, arguments.predictions, arguments.sweep), is_renewed)
        table = accuracy_csv(run)
    files = {arguments.out: page.html} if arguments.out else {os.path.join(folder, "report.html"): page.html, os.path.join(folder, "accuracy.csv"): table}
    for path, content in files.items():
        write_file(path, content)
        print(path)
    write_figures(arguments.figures, page.figures)


def _say_watched(folder: str, what: str) -> None:
    """Nothing of a run that has ended, for which nobody waits. Raises InputError where it is no run."""
    Run(folder)
    if not has_ended(folder):
        print(f"watching {folder}: {what} after each task, until the run ends. Ctrl-C stops watching", flush=True)


def _track(arguments: argparse.Namespace) -> None:
    name = "wandb" if arguments.wandb else "mlflow"
    run = read_reported_run(arguments.runs[0])
    if arguments.watch:
        _say_watched(arguments.runs[0], "its log is sent")
    sent = send_log(run, name, arguments.watch)
    left_out = f"; {counted(sent.damaged, 'line')} of metrics.jsonl could not be read and {form(sent.damaged, 'was', 'were')} left out" if sent.damaged else ""
    print(f"{counted(sent.points, 'point')} of the log sent to {name}{left_out}")


def _compare(arguments: argparse.Namespace) -> None:
    comparison = compare_runs(arguments.runs)
    if arguments.out:
        page = comparison_page(comparison, arguments.reference)
        write_file(arguments.out, page.html)
        write_figures(arguments.figures, page.figures)
        print(arguments.out, file=sys.stderr if arguments.json or arguments.csv else sys.stdout)
    show = comparison_json if arguments.json else comparison_csv if arguments.csv else comparison_text
    sys.stdout.write(show(comparison))
    sys.stdout.flush()
