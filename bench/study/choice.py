"""The schedule and the classifiers of a stream, chosen once on validation samples, for all trainings alike.

The rule, which was fixed before anything was run. Sequential training and P&M with the secant scale run with every learning rate and
number of epochs of the grid, on the first tasks of a class order that the study doesn't have, with a fifth of the training samples kept
for validation. The schedule is the one with the highest last accuracy on these samples, as the mean over both trainings and over local heads
and ridge; of equals the one with fewer epochs, then the one with the lower learning rate. With that schedule, a classifier with several candidates
gets the one with the highest mean over both trainings; of equals the first."""

import itertools
import threading

from . import training
from .children import Failed
from .classifiers import CLASSIFIERS
from .files import read_json, write_json
from .stages import CHOICE_SEED, VALIDATION
from .streams import EPOCHS, LEARNING_RATES
from .trainings import MERGED

TRAININGS = ("sequential", MERGED)
JUDGES = ("local", "ridge")
ONE_TEST_SAMPLE = 1  # of each class, the fewest that a protocol has; its outcome isn't read


# (epochs, learning rate), as ties go.
GRID = tuple(itertools.product(EPOCHS, LEARNING_RATES))


def name_of(training_name, epochs, rate):
    return f"{training_name}-epochs{epochs}-lr{rate:g}"


def candidates_of(names):
    return [text for name in names for text in CLASSIFIERS[name].candidates]


def measure(stream, training_name, epochs, rate, names, children, places):
    """Last accuracies on validation samples by candidate, and seconds by phase."""
    folder = places.runs / "choice" / stream.name / name_of(training_name, epochs, rate)
    folder.parent.mkdir(parents=True, exist_ok=True)
    candidates = candidates_of(names)
    protocol = training.protocol_of(stream, CHOICE_SEED, children, places, tasks=stream.choice_tasks, test=ONE_TEST_SAMPLE)
    changes = {"epochs": epochs, "lr": f"{rate:g}", "validation": VALIDATION}
    training.train(stream, training_name, protocol, CHOICE_SEED, folder, candidates, changes, children, places)
    command = [places.palimpsest, "eval", "--weights", folder, "--split", "validation", "--json"]
    found = training.read_output(command, folder, "validation", children)
    inspected = training.read_output([places.inspect, "--json", folder], folder, "inspect", children)
    rows = [found, *found["others"]]
    if len(rows) != len(candidates):
        raise Failed(f"{folder}: expected an evaluation by {candidates}, found {[row['classifier'] for row in rows]}")
    accuracies = {text: row["all"]["accuracy"] for text, row in zip(candidates, rows)}
    point = {
        "training": training_name,
        "epochs": epochs,
        "lr": rate,
        "samples": found["all"]["samples"],
        "accuracy": accuracies,
        "seconds": training.seconds_of(folder, inspected),
        **training.origin(inspected),
    }
    training.remove(folder)
    return point


def mean_accuracy(points, texts):
    return sum(point["accuracy"][text] for point in points for text in texts) / (len(points) * len(texts))


def decide(points, names):
    """The rule. points: of the whole grid."""
    by_schedule = {each: [p for p in points if (p["epochs"], p["lr"]) == each] for each in GRID}
    texts = [CLASSIFIERS[name].candidates[0] for name in JUDGES]
    epochs, rate = max(GRID, key=lambda each: mean_accuracy(by_schedule[each], texts))
    chosen = by_schedule[epochs, rate]
    best = {name: max(CLASSIFIERS[name].candidates, key=lambda text: mean_accuracy(chosen, [text])) for name in names}
    accuracy = {name: mean_accuracy(chosen, [text]) for name, text in best.items()}
    return {
        "epochs": epochs,
        "lr": rate,
        "classifiers": best,
        "ranking": sorted(names, key=lambda name: -accuracy[name]),  # of equals the first
        "accuracy": accuracy,
    }


def choose(stream, names, jobs, children, places):
    """Runs what is missing of the grid, then decides. Returns failures and how many runs are left."""
    path = places.choice(stream.name)
    known = read_json(path) or {"stream": stream.name, "seed": CHOICE_SEED, "validation": VALIDATION, "points": {}}
    writing = threading.Lock()
    works = []
    for epochs, rate in GRID:
        for training_name in TRAININGS:
            name = name_of(training_name, epochs, rate)

            def work(name=name, arguments=(training_name, epochs, rate)):
                point = measure(stream, *arguments, names, children, places)
                with writing:
                    known["points"][name] = point
                    write_json(path, known)

            if not set(candidates_of(names)) <= set(known["points"].get(name, {"accuracy": {}})["accuracy"]):
                works.append((f"{stream.name}, choice, {name}", work))
    _, failures, left = children.do_all(works, jobs)
    if not failures and not left:
        write_json(path, {**known, "rule": " ".join(__doc__.split("\n\n")[1].split()), "chosen": decide(list(known["points"].values()), names)})
    return failures, left


def read(stream_name, places):
    """What was chosen for a stream; refuses where nothing is."""
    path = places.choice(stream_name)
    found = read_json(path)
    if not found or "chosen" not in found:
        raise Failed(f"{path}: expected the choice of schedule and classifiers on validation samples, found none; run: bench/study choose {stream_name}")
    return found["chosen"]
