"""The newest merge at many values of alpha, on validation samples: was alpha by the closed form well chosen?"""

from . import choice, training
from .choice import ONE_TEST_SAMPLE
from .files import write_json
from .runs import changes_of, kept_classifiers
from .stages import VALIDATION
from .streams import STREAMS


def name_of(run):
    return f"sweep-{run.name}"


def points_of(stream):
    """So many that 1 over the number of tasks is one of the points from 0 to 1."""
    return 2 * stream.tasks + 1


def curve(found):
    return {
        "own_alpha": found["own_alpha"],
        "best_alpha": found["best_alpha"],
        "points": [[round(point["alpha"], 6), point["all"]["accuracy"], point["new_task"]["accuracy"]] for point in found["points"]],
    }


def measure(run, names, keep, children, places):
    stream = STREAMS[run.part.stream]
    chosen = choice.read(stream.name, places)
    classifiers = kept_classifiers(run.part, chosen, names)
    folder = places.runs / stream.name / name_of(run)
    folder.parent.mkdir(parents=True, exist_ok=True)
    protocol = training.protocol_of(stream, run.seed, children, places, test=ONE_TEST_SAMPLE)
    changes = {**changes_of(run, chosen), "validation": VALIDATION}
    training.train(stream, run.training, protocol, run.seed, folder, classifiers.values(), changes, children, places)
    curves = {}
    for name, text in classifiers.items():
        command = [places.palimpsest, "eval", "--sweep", folder, "--classifier", text, "--points", points_of(stream), "--json"]
        curves[name] = {"text": text, **curve(training.read_output(command, folder, "sweep", children))}
    inspected = training.read_output([places.inspect, "--json", folder], folder, "inspect", children)
    content = {
        "stream": stream.name,
        "training": run.training,
        "seed": run.seed,
        "validation": VALIDATION,
        **training.origin(inspected),
        "settings": inspected["config"],
        "alphas": inspected["alphas"],
        "seconds": training.seconds_of(folder, inspected),
        "classifiers": curves,
    }
    write_json(places.result(stream.name, name_of(run)), content)
    if not keep:
        training.remove(folder)
