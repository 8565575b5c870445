"""One run of the study: training, the outcome of every test sample, and the JSON that is committed."""

from . import choice, outcomes, training
from .children import Failed
from .classifiers import CLASSIFIERS
from .files import write_json
from .streams import STREAMS
from .trainings import REGIMES

NUMBERS = (
    "last", "last_before_merge", "average_anytime", "forgetting", "forgetting_from_peak_before_merge", "plasticity",
    "plasticity_before_merge", "last_given_task", "last_given_task_before_merge", "last_task_identity",
)  # fmt: skip


def kept_classifiers(part, chosen, names):
    """{name: text} of those that the part tests, local heads first: all of them, or the part's best on validation samples."""
    best = [name for name in chosen["ranking"] if name != "local"]
    kept = {"local", *(best if part.best is None else best[: part.best])}
    return {name: chosen["classifiers"][name] for name in CLASSIFIERS if name in kept and name in names and name in chosen["classifiers"]}


def changes_of(run, chosen):
    """The settings in which a run differs from its stream's configuration and its method."""
    return {"epochs": chosen["epochs"], "lr": f"{chosen['lr']:g}", **dict(REGIMES[run.part.regime].settings)}


def rows_of(task, count):
    """What was measured after a task, of the run's own classifier and of the others, in the order of --classifier."""
    metrics = task["metrics"]
    rows = [metrics, *metrics["others"]]
    if len(rows) != count:
        raise Failed(f"task {task['task']['index']}: expected rows by {count} classifiers, found {len(rows)}")
    return rows


def classifier_entry(place, text, inspected, count):
    summary = [inspected["summary"], *inspected["other_summaries"]][place]
    rows = [rows_of(task, count)[place] for task in inspected["tasks"]]
    return {
        "text": text,
        **{name: summary[name] for name in NUMBERS},
        "correct": [row["after_merge"]["correct"] for row in rows],
        "correct_before_merge": [row["before_merge"]["correct"] for row in rows],
    }


def content_of(run, folder, classifiers, inspected, predictions, test):
    tasks = inspected["tasks"]
    classes = [label for task in tasks for label in task["task"]["classes"]]
    samples, labels, right = outcomes.read(predictions, set(classes), test, list(classifiers))
    entries, rounded = {}, 0
    for place, (name, text) in enumerate(classifiers.items()):
        row = rows_of(tasks[-1], len(classifiers))[place]["after_merge"]
        rounded += outcomes.check(name, labels, right[name], classes, row, predictions)
        entries[name] = {**classifier_entry(place, text, inspected, len(classifiers)), "right": outcomes.hex_text(right[name])}
    return {
        "stream": run.part.stream,
        "training": run.training,
        "regime": run.part.regime,
        "seed": run.seed,
        **training.origin(inspected),
        "backbone_sha256": inspected["run"]["backbone_sha256"],
        "pack_content_sha256": inspected["run"]["pack_content_sha256"],
        "settings": inspected["config"],
        "tasks": [task["task"]["classes"] for task in tasks],
        "samples": tasks[-1]["metrics"]["after_merge"]["samples"],
        "test_samples": outcomes.ranges_text(samples.tolist()),
        "alphas": inspected["alphas"],
        "seconds": training.seconds_of(folder, inspected),
        "rounded": rounded,
        "classifiers": entries,
    }


def measure(run, names, keep, children, places):
    """Trains, predicts, and writes the JSON."""
    stream = STREAMS[run.part.stream]
    chosen = choice.read(stream.name, places)
    classifiers = kept_classifiers(run.part, chosen, names)
    folder = places.runs / stream.name / run.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    protocol = training.protocol_of(stream, run.seed, children, places)
    training.train(stream, run.training, protocol, run.seed, folder, classifiers.values(), changes_of(run, chosen), children, places)
    predictions = training.beside(folder, ".csv")
    command = [places.palimpsest, "predict", "--weights", folder, "--split", "test", "--top", 1, "--out", predictions, "--json"]
    training.read_output(command, folder, "predict", children)
    inspected = training.read_output([places.inspect, "--json", folder], folder, "inspect", children)
    write_json(places.result(stream.name, run.name), content_of(run, folder, classifiers, inspected, predictions, stream.test))
    if not keep:
        training.remove(folder)


def run_missing(runs, name_of, measure_one, jobs, children, places):
    """Calls measure_one for each run without a JSON of the name. Returns failures and how many are left."""
    wanted = [run for run in runs if not places.result(run.part.stream, name_of(run)).exists()]
    for stream in sorted({run.part.stream for run in wanted}):
        choice.read(stream, places)
        training.prepare(STREAMS[stream], children, places)
    works = [(f"{run.part.stream}, {name_of(run)}", lambda run=run: measure_one(run)) for run in wanted]
    _, failures, left = children.do_all(works, jobs)
    return failures, left
