"""bench/study: the runs behind docs/results.md, and its tables. Run it with .venv/bin/python from the repository's folder."""

import argparse
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from study import choice, language, page, runs, stages, sweep, training  # noqa: E402
from study.children import STOPPED, Children, Failed, Stopped  # noqa: E402
from study.classifiers import CLASSIFIERS  # noqa: E402
from study.files import Places  # noqa: E402
from study.streams import STREAMS  # noqa: E402
from study.trainings import TRAININGS  # noqa: E402

DESCRIPTION = """\
The study behind docs/results.md. Every run is one rank of one thread and leaves one JSON file below bench/results/study; a run that
has a file is not repeated, and a run that was stopped is resumed at its newest saved step.

  choose STREAM   chooses schedule and classifiers of a stream on validation samples
  run             trains and evaluates everything that has no file yet
  sweep           the newest merge at many values of alpha, on validation samples
  language        the same for a decoder on six instruction tasks
  tables          writes the tables of docs/results.md from the files alone"""
EPILOG = """\
Examples:
  .venv/bin/python bench/study choose openclipart
  .venv/bin/python bench/study run --stage 1 --minutes 50
  .venv/bin/python bench/study tables --check
Exit codes: 0 done; 1 a run failed, or the tables differ; 2 wrong usage; 85 stopped by SIGINT, SIGTERM, SIGHUP or --minutes with
work left: the same command continues."""


def names_of(known):
    def parse(text):
        names = tuple(text.split(","))
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"expected names of {', '.join(known)}, found '{name}'")
        return names

    return parse


def positive(text):
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, found '{text}'")
    return int(text)


def parser():
    whole = argparse.ArgumentParser(prog="bench/study", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = whole.add_subparsers(dest="verb", required=True, metavar="VERB")
    places = Places()

    def verb(name, summary):
        sub = verbs.add_parser(name, help=summary)
        sub.add_argument("--results", type=lambda text: pathlib.Path(text).resolve(), default=places.results, metavar="FOLDER", help="of the JSON files (bench/results/study)")
        return sub

    def runner(name, summary):
        sub = verb(name, summary)
        sub.add_argument("--runs", type=lambda text: pathlib.Path(text).resolve(), default=places.runs, metavar="FOLDER", help="of unfinished runs (runs/study)")
        sub.add_argument("--build", type=lambda text: pathlib.Path(text).resolve(), default=places.build, metavar="FOLDER", help="with the programs (build/release)")
        sub.add_argument("--jobs", type=positive, default=2, help="runs side by side (2)")
        sub.add_argument("--minutes", type=positive, help="nothing is started after so many (no limit)")
        return sub

    def by_classifiers(name, summary):
        sub = runner(name, summary)
        sub.add_argument("--classifiers", type=names_of(CLASSIFIERS), default=tuple(CLASSIFIERS), metavar="NAME,...", help=f"only these of {', '.join(CLASSIFIERS)}; for trials, with --results")
        return sub

    def narrowed(sub, trainings):
        sub.add_argument("--seeds", type=lambda text: {positive(each) for each in text.split(",")}, metavar="N,...", help="only these seeds")
        sub.add_argument("--trainings", type=names_of(trainings), default=tuple(trainings), metavar="NAME,...", help=f"only these of {', '.join(trainings)}")
        sub.add_argument("--keep", action="store_true", help="keep the run folders")

    def selection(sub, parts):
        sub.add_argument("--stage", type=int, choices=sorted({part.stage for part in parts}), help="only this stage")
        sub.add_argument("--stream", choices=sorted({part.stream for part in parts}), help="only this stream")
        narrowed(sub, TRAININGS)

    by_classifiers("choose", "choose schedule and classifiers").add_argument("stream", choices=list(STREAMS), help="whose")
    selection(by_classifiers("run", "train and test"), stages.PARTS)
    selection(by_classifiers("sweep", "try other values of alpha"), stages.SWEPT)
    narrowed(runner("language", "train and test a decoder"), language.TRAININGS)
    verb("tables", "write the tables").add_argument("--check", action="store_true", help="fail if the page has others; nothing is written")
    return whole


def selected(parts, options):
    parts = [part for part in parts if options.stage in (None, part.stage) and options.stream in (None, part.stream)]
    return [run for run in stages.runs_of(parts) if run.training in options.trainings and (options.seeds is None or run.seed in options.seeds)]


def run_verb(options, places, children):
    """Failures by name, and how many works are left."""
    if options.verb == "language":
        return language.run_missing(language.runs_of(options.trainings, options.seeds), options.jobs, options.keep, children, places)
    names = options.classifiers
    if options.verb == "choose":
        training.prepare(STREAMS[options.stream], children, places)
        return choice.choose(STREAMS[options.stream], names, options.jobs, children, places)
    module, parts, name_of = (runs, stages.PARTS, lambda run: run.name) if options.verb == "run" else (sweep, stages.SWEPT, sweep.name_of)
    return runs.run_missing(
        selected(parts, options), name_of, lambda run: module.measure(run, names, options.keep, children, places), options.jobs, children, places
    )


def parsed():
    whole = parser()
    options = whole.parse_args()
    if options.verb in ("choose", "run", "sweep") and options.classifiers != tuple(CLASSIFIERS) and options.results == Places().results:
        whole.error("--classifiers leaves results without the others: expected another folder in --results")
    return options


def main():
    options = parsed()
    try:
        if options.verb == "tables":
            (page.check if options.check else page.write)(Places(options.results))
            return 0
        children = Children(options.minutes)
        children.listen()
        failures, left = run_verb(options, Places(options.results, options.runs, options.build), children)
    except Failed as failure:
        print(f"bench/study: {failure}", file=sys.stderr)
        return 1
    except Stopped:
        failures, left = {}, 1
    if left:
        print(f"bench/study: stopped{f' by {children.signal.name}' if children.signal else ''}; the same command continues", file=sys.stderr)
    return STOPPED if left else 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
