"""By stream: what was chosen, and last accuracy, anytime accuracy and forgetting of every training with every classifier."""

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
    return table(["stream", "epochs", "lr", "classifiers with their accuracy on validation samples, %"], rows)


def candidates_table(results):
    """Accuracy of P&M's merged backbone with each candidate: the classifier to take for a stream of which nothing is known."""
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
    """How many values are expected: none where no run has such a number, as forgetting after a single task."""
    entries = [entry for _, entry in results.by_seed(part.stream, arm).values()]
    lacking = sum(entry[number] is None for entry in entries)
    return 0 if entries and lacking == len(entries) else len(part.seeds) - lacking


def part_tables(results, part):
    title = f"### Stream {part.stream}" + ("" if part.regime == CHOSEN else f", {REGIMES[part.regime].title}")
    about = f"{STREAMS[part.stream].title[0].upper()}{STREAMS[part.stream].title[1:]}; {len(part.seeds)} seeds planned."
    classifiers = [name for name in CLASSIFIERS if any(results.by_seed(part.stream, Arm(training, name, part.regime)) for training in part.trainings)]
    if not classifiers:
        return [title, f"{about} {MISSING.capitalize()}."]
    texts = [title, about]
    for number, name in NUMBERS:
        texts += [f"{name}, {'points' if number == 'forgetting' else '%'}:", number_table(results, part, number, classifiers)]
    return texts


def texts(results):
    candidates = "All candidate classifiers after P&M with the secant scale and the chosen schedule: accuracy on validation samples in %, highest mean first."
    about = "Mean and sample deviation over seeds. `(2 of 5)`: two of the five planned seeds are measured. A dash: joint training has one task, so it has no forgetting."
    return ["## Choices on validation samples", chosen_table(results), candidates, candidates_table(results), "## By stream", about, *(text for part in PARTS if part.stage < 4 for text in part_tables(results, part))]
