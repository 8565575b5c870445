"""A figure over the rounds, and a line of the table with its goal."""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Figure:
    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values):
        values = list(values)
        return cls(statistics.median(values), min(values), max(values))


@dataclasses.dataclass(frozen=True)
class Row:
    title: str
    unit: str
    ours: Figure
    other: Figure | None  # what ours is compared with
    other_name: str
    value: float  # what the goal is about
    goal: float | None
    kind: str  # of value and goal: times, percent, or the unit of ours
    at_least: bool
    undisturbed: float | None = None  # value again, from the fastest of the rounds at every step
    is_ratio_of_ours: bool = True  # ours over the other, less `offset`; else the other over ours
    offset: float = 0.0

    @property
    def met(self):
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    @property
    def is_clear(self):
        """Whether the goal lies on one side of all that the spreads of both figures allow."""
        if self.goal is None or self.other is None or self.kind not in ("times", "percent"):
            return True
        one, two = (self.ours, self.other) if self.is_ratio_of_ours else (self.other, self.ours)
        values = (one.least / two.greatest - self.offset, one.greatest / two.least - self.offset)
        return not min(values) < self.goal < max(values)
