"""The stages: which trainings run on which streams with which seeds, and by how many classifiers they are tested."""

import dataclasses

from .trainings import CHOSEN, FEW, PAPER, TRAININGS

# Class orders that no run of the study has.
CHOICE_SEED = 100
VALIDATION = 0.2  # of the training samples, in the choice and in sweeps


@dataclasses.dataclass(frozen=True)
class Part:
    stage: int
    stream: str
    trainings: tuple
    seeds: tuple
    regime: str = CHOSEN
    best: int | None = None  # besides local heads, so many classifiers: the best on the stream's validation samples; None: all


@dataclasses.dataclass(frozen=True)
class Run:
    part: Part
    training: str
    seed: int

    @property
    def name(self):
        return f"{self.training}{'' if self.part.regime == CHOSEN else '-' + self.part.regime}-seed{self.seed}"


FIVE, THREE, TWO = (1, 2, 3, 4, 5), (1, 2, 3), (1, 2)
BOUNDED = ("sequential", "pm-secant", "frozen", "joint")
SHORT = ("debian-sections-short", "openclipart", "fashion-mnist")
PARTS = (
    *(Part(1, stream, tuple(name for name in TRAININGS if name != FEW), FIVE) for stream in SHORT),
    *(Part(2, stream, BOUNDED, THREE, best=2) for stream in ("wordnet", "glyphs")),
    *(Part(3, "debian-sections", PAPER, THREE, regime) for regime in (CHOSEN, "temperature")),
    Part(3, "debian-sections", PAPER, TWO, "passes"),
    Part(3, "openclipart", PAPER, THREE, "temperature"),
    *(Part(4, stream, (FEW,), TWO) for stream in SHORT),
)
# The newest merge of these at many values of alpha.
SWEPT = tuple(Part(1, part.stream, ("lora-m", "pm-secant"), TWO, best=1) for part in PARTS if part.stage == 1)


def runs_of(parts):
    """A seed of every training first, so that a study that was stopped has pairs."""
    seeds = sorted({seed for part in parts for seed in part.seeds})
    return [Run(part, training, seed) for seed in seeds for part in parts if seed in part.seeds for training in part.trainings]
