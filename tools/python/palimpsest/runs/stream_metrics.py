"""The numbers that the field reads from a stream's evaluations. Definitions: docs/how-it-works.md, "Metrics"."""

from collections.abc import Callable, Iterable, Sequence

from .evaluations import METRICS, Evaluations, Row, Score

Number = float | None


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
    others = {score.name: score.name for score in after[-1].scores if score.name not in METRICS and score.name != "correct"}
    for score, name in (METRICS | others).items():
        metrics[f"last_{name}"] = _overall_of(after[-1].find(score))
        metrics[f"last_{name}_before_merge"] = _overall_of(before[-1].find(score))
    return metrics


def accuracy(row: Row, task: int) -> float:
    """Of the primary score; 0 where the task wasn't tested."""
    score = row.scores[0]
    return _quotient(float(score.sums[task]), float(score.weights[task]))


def overall(row: Row) -> float:
    """Accuracy on all tasks' samples together."""
    return mean_over_tasks(row.scores[0])


def mean_over_tasks(score: Score) -> float:
    return _quotient(_total(score.sums.tolist()), _total(score.weights.tolist()))


def task_mean(row: Row) -> float:
    """Mean of the accuracies of the tasks that were tested."""
    values = [accuracy(row, j) for j in range(len(row.samples)) if row.samples[j] > 0]
    return _mean(values) if values else 0


def _overall_of(score: Score | None) -> Number:
    return None if score is None else mean_over_tasks(score)


def _over_earlier(after: Sequence[Row], value: Callable[[int], float]) -> Number:
    """The mean over the tasks before the newest one that were tested after it."""
    values = [value(j) for j in range(len(after) - 1) if after[-1].samples[j] > 0]
    return _mean(values) if values else None


def _peak(rows: Sequence[Row], task: int) -> float:
    return max([0.0, *(accuracy(row, task) for row in rows[task:])])


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return _total(listed) / len(listed)


def _total(values: Iterable[float]) -> float:
    """In order, rounded after each step, which sum() isn't in every version of Python."""
    total = 0.0
    for value in values:
        total += value
    return total


def _quotient(total: float, weight: float) -> float:
    return 0.0 if weight == 0 else total / weight
