"""Axes and colours of values that are all alike, or at the end of what is possible."""

from types import SimpleNamespace

import numpy as np
import pytest
from palimpsest.pages import merge_figures
from palimpsest.pages.draw import Bars, Line, Points, Scale, line_chart, scatter, share_bars
from palimpsest.pages.result_figures import accuracy_matrices, accuracy_over_tasks, forgetting_figure, lost_accuracy, share
from palimpsest.pages.svg import svg_file
from palimpsest.pages.text import short_number, with_power
from palimpsest.pages.training_figures import Losses, loss_curve
from palimpsest.runs.evaluations import Evaluations, Row, Score


def evaluations(*rows):
    """Of right samples by task of 1,000 each, the same before and after merges."""
    made = []
    for right in rows:
        samples = np.full(len(right), 1000)
        made.append(Row(samples, (Score("correct", np.array(right, float), samples.astype(float)),)))
    return Evaluations("local", tuple(made), tuple(made))


PERFECT = evaluations([1000], [1000, 1000], [1000, 1000, 1000])


def labels(axis):
    """That are seen."""
    low, high = axis.get_view_interval()
    return [label.get_text() for place, label in zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True) if low - 1e-9 <= place <= high + 1e-9]


@pytest.mark.parametrize(("right", "opacity"), [(1000, 1.0), (500, 1.0), (0, 0.06)])
def test_equal_accuracies_have_a_colour_that_says_how_good_they_are(right, opacity):
    for figure in accuracy_matrices(evaluations([right], [right, right])):
        assert {round(found, 2) for _, found in figure.drawing.cells.colours} == {opacity}
        bar = figure.drawing.canvas.axes[1]
        low, high = bar.get_ylim()
        assert low >= 0 and high <= 1 and high - low == pytest.approx(0.1)
        assert len(set(labels(bar.yaxis))) == len(labels(bar.yaxis)) >= 2


@pytest.mark.parametrize("found", [PERFECT, evaluations([0], [0, 0]), evaluations([999], [1000, 1000]), evaluations([0], [0, 1000])])
def test_axes_of_accuracy_end_where_accuracy_does(found):
    axes = accuracy_over_tasks(found).drawing.canvas.axes[0]
    low, high = axes.get_ylim()
    assert 0 <= low < high <= 1
    assert len(set(labels(axes.yaxis))) == len(labels(axes.yaxis)), "each label is another number"


def test_axes_of_stability_and_plasticity():
    axes = scatter("x", "y", [Points("A", [0.0], [1.0], ["one"]), Points("B", [0.3], [0.99], ["other"])], share).canvas.axes[0]
    assert axes.get_ylim()[1] == 1 and -1 <= axes.get_xlim()[0] < 0


def test_where_nothing_was_lost_a_sentence_says_so():
    assert "forgetting is 0.0 points after every task" in forgetting_figure(PERFECT)
    assert lost_accuracy(PERFECT) == "No task's accuracy was changed by its own merge or by the tasks after it."
    task = SimpleNamespace(metrics={"rise_predicted": 0.0, "rise_measured": 0.0})
    assert merge_figures.error_budget([task]) == "Error budget: no merge raised its own task's loss."
    lost = evaluations([1000], [900, 1000])
    assert not isinstance(forgetting_figure(lost), str) and not isinstance(lost_accuracy(lost), str)


def test_steps_are_whole_numbers():
    figure = loss_curve(Losses([(0, [1.2])], 0), [])
    assert labels(figure.drawing.canvas.axes[0].xaxis) == ["1"] and figure.drawing.mark_titles["line0"] == ["loss, step 1: 1.2"]


@pytest.mark.parametrize("tasks", [2, 3, 10])
@pytest.mark.parametrize("names", [("right", "wrong"), ("right", "taken for a class of another task", "wrong within the task too")])
def test_lying_bars_are_high_enough_for_their_labels(tasks, names):
    drawing = share_bars(Scale("task", "%", share), [str(t + 1) for t in range(tasks)], [Bars(name, [0.3] * tasks) for name in names])
    svg_file(drawing)
    axes = drawing.canvas.axes[0]
    assert axes.get_position().height * drawing.canvas.get_figheight() / tasks > 8 / 72 * 1.1, "as high as a line of text, in inches"


def test_an_axis_has_one_notation():
    def shown(*ys):
        return labels(line_chart(Scale("x", "y", short_number), [Line("y", range(len(ys)), ys)]).canvas.axes[0].yaxis)

    assert {"1.5e-04", "1e-04", "5e-05", "0"} <= set(shown(0, 0.00016))
    assert not any("e" in text for text in shown(0, 0.16))
    assert [with_power(value) for value in (0, 1, -0.00025)] == ["0", "1e+00", "-2.5e-04"]


def test_small_cosines_are_pale(monkeypatch):
    monkeypatch.setattr(merge_figures, "task_cosines", lambda run: (np.ones(2), np.array([[1, 0.013], [0.013, 1]])))
    cells = merge_figures.cosines_figure(None).drawing.cells
    assert cells.titles == ["task 2, with task 1: 0.013"] and cells.colours[0][1] < 0.25
