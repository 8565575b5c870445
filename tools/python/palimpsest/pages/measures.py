"""The numbers of a run that pages and tables show, as the field calls them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..runs.evaluations import Evaluations
from ..runs.frames import matrix
from ..runs.scores import KNOWN
from ..runs.stream_metrics import accuracy, stream_metrics
from .text import Number, fixed, percent


class Measure(NamedTuple):
    """key: in stream_metrics(). A difference is in points of percent. One of a score is the last mean of another score than the primary one.

    needs: what is missing where it is not defined. What is in nats is less where it is better; all else is a share.
    """

    key: str
    name: str
    meaning: str
    is_difference: bool = False
    is_of_a_score: bool = False
    needs: str = ""
    is_in_nats: bool = False

    @property
    def heading(self) -> str:
        """In tables of percent."""
        return f"{self.name}, in nats" if self.is_in_nats else self.name


EARLIER = "needs an earlier task, tested after the last one"
OF_ACCURACY = (
    Measure("last", "last accuracy", "after the last task, on all tasks' samples", needs=EARLIER),
    Measure("last_task_mean", "last accuracy, mean over tasks", "the same, every task counting alike", needs=EARLIER),
    Measure("average_anytime", "average anytime accuracy", "mean of the accuracies on all tasks so far", needs="needs earlier tasks tested after every task"),
    Measure("forgetting", "forgetting", "best accuracy on a task, minus the last", True, needs=EARLIER),
    Measure(
        "forgetting_from_peak_before_merge", "forgetting, from before the merge", "the same, counting what was reached before a merge", True, needs=EARLIER
    ),
    Measure("backward_transfer", "backward transfer", "last accuracy on a task, minus its first", True, needs=EARLIER),
    Measure("plasticity_before_merge", "plasticity before the merge", "accuracy on the newest task, mean over tasks"),
    Measure("plasticity", "plasticity after the merge", "the same, of the model that stays"),
)
HEADLINES = ("last", "average_anytime", "forgetting", "plasticity", "last_loss_per_token", "last_general_loss", "last_general_loss_before_stream")


def titled(text: str, title: str) -> str:
    """What is said of accuracy, of a primary score of another title."""
    if title != "accuracy":
        for word in ("accuracies", "accuracy", "Accuracy"):
            text = text.replace(word, title.capitalize() if word[0] == "A" else title)
    return text


def figure_name(name: str, title: str) -> str:
    return titled(name, title).replace(" ", "-")


def measures(evaluations: Evaluations) -> tuple[Measure, ...]:
    """Of samples with classes always the same; of completions those whose scores were measured."""
    title, last = evaluations.score_title, evaluations.after_merge[-1]
    found = [one._replace(name=titled(one.name, title), meaning=titled(one.meaning, title)) for one in OF_ACCURACY]
    scores = [score for score in KNOWN if score.metric and score.of_completions == evaluations.is_of_completions]
    if evaluations.is_of_completions:
        scores = [score for score in scores if last.find(score.name) and score.name != last.scores[0].name]
    else:
        scores = [score for score in scores if not score.is_in_nats]
    return (*found, *(Measure(f"last_{score.metric}", score.title, score.meaning, is_of_a_score=True, is_in_nats=score.is_in_nats) for score in scores))


def measure_values(evaluations: Evaluations) -> dict[str, float]:
    """By key, of those that are defined; of at least one task."""
    metrics = stream_metrics(evaluations)
    return {measure.key: value for measure in measures(evaluations) if (value := metrics.get(measure.key)) is not None}


def measure_text(measure: Measure, value: Number) -> str:
    return "-" if value is None else number_text(measure, value) + (" nats" if measure.is_in_nats else " points" if measure.is_difference else " %")


def number_text(measure: Measure, value: float, signed: bool = False) -> str:
    """Without its unit."""
    text = fixed(value, 4) if measure.is_in_nats else percent(value)
    return f"+{text}" if signed and value > 0 and text.strip("0.") else text


def accuracy_on(evaluations: Evaluations, after: int, task: int) -> Number:
    """None where the task wasn't tested."""
    row = evaluations.after_merge[after]
    return accuracy(row, task) if row.samples[task] > 0 else None


def accuracy_matrix(evaluations: Evaluations, before_merge: bool = False, score: str | None = None) -> NDArray[np.float64]:
    """[after task, on task], NaN where not tested. score: another one than the primary."""
    return matrix(evaluations.before_merge if before_merge else evaluations.after_merge, score).to_numpy()


class Forgetting(NamedTuple):
    """After each task from the second one on: [tasks - 1], NaN where no earlier task was tested."""

    plain: NDArray[np.float64]
    from_before_merge: NDArray[np.float64]
    backward_transfer: NDArray[np.float64]


def forgetting_over_tasks(evaluations: Evaluations) -> Forgetting:
    after, before = accuracy_matrix(evaluations), accuracy_matrix(evaluations, before_merge=True)
    peaks = np.fmax.accumulate(after, axis=0)
    peaks_before = np.fmax.accumulate(np.fmax(after, before), axis=0)
    first = np.diag(after)
    plain: list[float] = []
    from_before: list[float] = []
    transfer: list[float] = []
    for t in range(1, len(after)):
        last, tested = after[t, :t], ~np.isnan(after[t, :t])
        for values, best, sign in ((plain, peaks[t - 1, :t], 1), (from_before, peaks_before[t - 1, :t], 1), (transfer, first[:t], -1)):
            values.append(float(np.mean(sign * (best - last)[tested])) if tested.any() else np.nan)
    return Forgetting(np.array(plain), np.array(from_before), np.array(transfer))
