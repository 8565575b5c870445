"""The numbers that the field reads from a stream's evaluations. Definitions: docs/how-it-works.md, "Metrics"."""

from collections.abc import Callable, Iterable, Sequence

from .evaluations import Counts, Evaluations, Row
from .scores import KNOWN

Number = float | None

UNTESTED = "not tested (--evaluate, or the data isn't available)"  # of a task without samples


def stream_metrics(evaluations: Evaluations) -> dict[str, Number]:
    """By name, in a fixed order; None where a metric is not defined. Sums are made in task order, as the C++ tools make them: results are equal."""
    after, before = evaluations.after_merge, evaluations.before_merge
    metrics: dict[str, Number] = {
        "last": overall(after[-1]),
        "last_before_merge": overall(before[-1]),
        "last_task_mean": task_mean(after[-1]),
        "last_task_mean_before_merge": task_mean(before[-1]),
        "average_anytime": _mean(map(overall, after)),
        "average_anytime_before_merge": _mean(map(overall, before)),
        "average_anytime_task_mean": _mean(map(task_mean, after)),
        "forgetting": _over_earlier(after, lambda j: _peak(after[:-1], j) - accuracy(after[-1], j)),
        "forgetting_with_last": _over_earlier(after, lambda j: _peak(after, j) - accuracy(after[-1], j)),
        "forgetting_from_peak_before_merge": _over_earlier(after, lambda j: max(_peak(after[:-1], j), _peak(before[:-1], j)) - accuracy(after[-1], j)),
        "backward_transfer": _over_earlier(after, lambda j: accuracy(after[-1], j) - accuracy(after[j], j)),
        "forward_transfer": None,  # a task's head doesn't exist before the task
        "plasticity": _mean(accuracy(row, t) for t, row in enumerate(after)),
        "plasticity_before_merge": _mean(accuracy(row, t) for t, row in enumerate(before)),
    }
    names = {info.name: info.metric for info in KNOWN if info.metric and info.of_completions == evaluations.is_of_completions}
    names |= {score.name: score.name for score in after[-1].scores if score.name not in {info.name for info in KNOWN}}
    for score, name in names.items():
        metrics[f"last_{name}"] = mean_over_seen(after[-1], score)
        metrics[f"last_{name}_before_merge"] = mean_over_seen(before[-1], score)
    return metrics


def accuracy(row: Row, task: int) -> float:
    """Of the primary score; 0 where the task wasn't tested."""
    score = row.scores[0]
    return _quotient(float(score.sums[task]), float(score.weights[task]))


def is_over_seen(samples: Sequence[int] | Counts) -> bool:
    """samples: of a row. Whether it says something of all tasks seen: of several, the newest isn't the only one that was tested."""
    return len(samples) == 1 or any(samples[:-1])


def overall(row: Row) -> Number:
    """A_t: accuracy on the samples of the tasks that were tested. None unless is_over_seen()."""
    return mean_over_seen(row, row.scores[0].name)


def mean_over_seen(row: Row, score: str) -> Number:
    """The same of another score; None also where the row hasn't got it."""
    found = row.find(score)
    return _quotient(_total(found.sums.tolist()), _total(found.weights.tolist())) if found and is_over_seen(row.samples) else None


def task_mean(row: Row) -> Number:
    """Mean of the accuracies of the tasks that were tested. None unless is_over_seen()."""
    return _mean(accuracy(row, j) for j in range(len(row.samples)) if row.samples[j] > 0) if is_over_seen(row.samples) else None


def _over_earlier(after: Sequence[Row], value: Callable[[int], float]) -> Number:
    """The mean over the tasks before the newest one that were tested after it."""
    return _mean(value(j) for j in range(len(after) - 1) if after[-1].samples[j] > 0)


def _peak(rows: Sequence[Row], task: int) -> float:
    return max([0.0, *(accuracy(row, task) for row in rows[task:])])


def _mean(values: Iterable[Number]) -> Number:
    """None of none, and where one is None."""
    listed = list(values)
    known = [value for value in listed if value is not None]
    return _total(known) / len(known) if known and len(known) == len(listed) else None


def _total(values: Iterable[float]) -> float:
    """In order, rounded after each step, which sum() isn't in every version of Python."""
    total = 0.0
    for value in values:
        total += value
    return total


def _quotient(total: float, weight: float) -> float:
    return 0.0 if weight == 0 else total / weight
