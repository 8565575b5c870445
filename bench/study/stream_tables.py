"""By stream: what was chosen, and last accuracy, anytime accuracy and forgetting of every training by every classifier."""

import statistics

from .classifiers import CLASSIFIERS
from .markdown import MISSING, mean_cell, table
from .results import Arm
from .stages import PARTS
from .streams import STREAMS
from .trainings import CHOSEN, MERGED, REGIMES, TRAININGS

NUMBERS = (("last", "Last accuracy"), ("average_anytime", "Anytime accuracy"), ("forgetting", "Forgetting"))


def chosen_table(results):
    """Schedule and classifiers of each stream."""
    rows = []
    for stream in results.streams:
        chosen = results.choices.get(stream)
        cells = [str(chosen["epochs"]), f"{chosen['lr']:g}"] if chosen else [MISSING, MISSING]
        ranking = [f"{chosen['classifiers'][name]} {100 * chosen['accuracy'][name]:.1f}" for name in chosen["ranking"]] if chosen else [MISSING]
        rows.append([stream, *cells, ", ".join(ranking)])
    return table(["stream", "epochs", "lr", "classifiers, by accuracy on validation samples"], rows)


def candidates_table(results):
    """What P&M's merged backbone reaches by each candidate: on which classifier to count where nothing is known of a stream."""
    known = results.candidates(MERGED)
    streams = [stream for stream in results.streams if stream in known]
    rows = []
    for classifier in CLASSIFIERS.values():
        for text in classifier.candidates:
            values = [100 * known[stream][text] for stream in streams if text in known[stream]]
            if values and len(values) == len(streams):
                rows.append((statistics.mean(values), text, values))
    cells = [[f"`{text}`", *(f"{value:.1f}" for value in values), f"{mean:.1f}"] for mean, text, values in sorted(rows, reverse=True)]
    return table(["classifier", *streams, "mean"], cells) if cells else MISSING.capitalize() + "."


def number_table(results, part, number, classifiers):
    rows = []
    for training in part.trainings:
        arms = [Arm(training, name, part.regime) for name in classifiers]
        rows.append([TRAININGS[training].title, *(mean_cell(results.values(part.stream, arm, number), seeds_with(results, part, arm, number)) for arm in arms)])
    return table(["training", *(CLASSIFIERS[name].title for name in classifiers)], rows)


def seeds_with(results, part, arm, number):
    """How many values are expected: a run that is there may have no such number."""
    lacking = sum(entry[number] is None for _, entry in results.by_seed(part.stream, arm).values())
    return len(part.seeds) - lacking


def part_tables(results, part):
    title = f"### Stream {part.stream}" + ("" if part.regime == CHOSEN else f", {REGIMES[part.regime].title}")
    about = f"{STREAMS[part.stream].title[0].upper()}{STREAMS[part.stream].title[1:]}; {len(part.seeds)} seeds, each with its own class order."
    classifiers = [name for name in CLASSIFIERS if any(results.by_seed(part.stream, Arm(training, name, part.regime)) for training in part.trainings)]
    if not classifiers:
        return [title, f"{about} {MISSING.capitalize()}."]
    texts = [title, about]
    for number, name in NUMBERS:
        texts += [f"{name}, {'points' if number == 'forgetting' else '%'}:", number_table(results, part, number, classifiers)]
    return texts


def texts(results):
    candidates = "P&M with the secant scale by the chosen schedule: accuracy on validation samples in %, by every classifier that was a candidate; highest mean first."
    return ["## Choices on validation samples", chosen_table(results), candidates, candidates_table(results), "## By stream", *(text for part in PARTS if part.stage < 4 for text in part_tables(results, part))]
