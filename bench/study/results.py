"""The committed results, by stream, training, regime and seed; and which of them form pairs."""

import dataclasses
import functools

import numpy as np

from .bootstrap import Pairs, difference
from .children import Failed
from .classifiers import CLASSIFIERS
from .files import read_json
from .outcomes import bits_in, numbers_in
from .stages import PARTS, SWEPT, runs_of
from .sweep import name_of as sweep_name
from .trainings import CHOSEN

BEST = "best"  # the analytic classifier with the highest accuracy on the stream's validation samples


@dataclasses.dataclass(frozen=True)
class Arm:
    """One side of a comparison."""

    training: str
    classifier: str
    regime: str = CHOSEN


class Results:
    def __init__(self, places):
        runs = {run: read_json(places.result(run.part.stream, run.name)) for run in runs_of(PARTS)}
        sweeps = {run: read_json(places.result(run.part.stream, sweep_name(run))) for run in runs_of(SWEPT)}
        self._runs = {(run.part.stream, run.part.regime, run.training, run.seed): found for run, found in runs.items() if found}
        self._sweeps = {(run.part.stream, run.training, run.seed): found for run, found in sweeps.items() if found}
        self._choices = {stream: found for stream in self.streams if (found := read_json(places.choice(stream))) and "chosen" in found}
        self.choices = {stream: found["chosen"] for stream, found in self._choices.items()}

    @property
    def streams(self):
        return list(dict.fromkeys(part.stream for part in PARTS))

    def candidates(self, training):
        """{stream: {candidate: the training's accuracy on validation samples by the chosen schedule}} of streams with a choice."""
        return {
            stream: next(
                point["accuracy"]
                for point in found["points"].values()
                if (point["training"], point["epochs"], point["lr"]) == (training, found["chosen"]["epochs"], found["chosen"]["lr"])
            )
            for stream, found in self._choices.items()
        }

    def best_analytic(self, stream):
        ranking = self.choices.get(stream, {"ranking": []})["ranking"]
        return next((name for name in ranking if CLASSIFIERS[name].is_analytic), None)

    def by_seed(self, stream, arm):
        """{seed: (the run's JSON, its entry of the classifier)} of those that are measured."""
        name = self.best_analytic(stream) if arm.classifier == BEST else arm.classifier
        found = {}
        for (of, regime, training, seed), run in self._runs.items():
            if (of, regime, training) == (stream, arm.regime, arm.training) and name in run["classifiers"]:
                found[seed] = (run, run["classifiers"][name])
        return found

    def sweeps(self, stream, training):
        return [found for (of, which, _), found in self._sweeps.items() if (of, which) == (stream, training)]

    def values(self, stream, arm, number="last"):
        """In percent, of each measured seed, without those that have no such number, as forgetting after a single task."""
        entries = [entry for _, entry in self.by_seed(stream, arm).values()]
        return [100 * entry[number] for entry in entries if entry[number] is not None]

    @functools.cache  # noqa: B019 (there is one Results in a call)
    def difference(self, streams, one, other):
        """Last accuracy of one less that of the other, over the streams and seeds that have both; None where none has."""
        pairs = [each for stream in streams if (each := self._pairs(stream, one, other))]
        return difference(pairs) if pairs and len(pairs) == len(streams) else None

    def _pairs(self, stream, one, other):
        ones, others = self.by_seed(stream, one), self.by_seed(stream, other)
        seeds = sorted(ones.keys() & others.keys())
        if not seeds:
            return None
        samples = {seed: numbers_in(ones[seed][0]["test_samples"]) for seed in seeds}
        packs = {of[seed][0]["pack_content_sha256"] for of in (ones, others) for seed in seeds}
        if len(packs) > 1:
            raise Failed(f"{stream}: expected results on one pack, found packs {', '.join(sorted(packs))}; delete the results on all but one")
        for seed in seeds:
            if not np.array_equal(samples[seed], numbers_in(others[seed][0]["test_samples"])):
                raise Failed(f"{stream}, seed {seed}: expected {one} and {other} to be tested on the same samples, found others")
        union = np.unique(np.concatenate(list(samples.values())))
        values, tested = np.zeros((len(seeds), len(union)), np.int8), np.zeros((len(seeds), len(union)), np.int8)
        for row, seed in enumerate(seeds):
            places = np.searchsorted(union, samples[seed])
            count = len(places)
            bits = [bits_in(of[seed][1]["right"], count).astype(np.int8) for of in (ones, others)]
            values[row, places] = bits[0] - bits[1]
            tested[row, places] = 1
        return Pairs(stream, values, tested)
