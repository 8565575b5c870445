"""Outcomes of test samples: read from a table of predictions, compared with a run's counts, and written as text."""

import numpy as np
import pytest
from study import outcomes
from study.children import Failed

TABLE = """sample,label,correct,class_1,probability_1,class by ridge
4,cat,1,cat,0.9,dog
5,dog,0,cat,0.6,dog
7,cat,0,dog,0.5,cat
8,cat,1,cat,0.8,cat
9,cow,,cat,0.7,dog
10,dog,1,dog,0.9,dog
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text(TABLE)
    return path


def test_the_first_samples_of_each_class_of_the_protocol(table):
    samples, labels, right = outcomes.read(table, {"cat", "dog"}, 2, ["local", "ridge"])
    assert samples.tolist() == [4, 5, 7, 10] and labels.tolist() == ["cat", "dog", "cat", "dog"]
    assert right["local"].tolist() == [True, False, False, True]
    assert right["ridge"].tolist() == [False, True, True, True]
    assert outcomes.read(table, {"cat", "dog"}, 0, ["local", "ridge"])[0].tolist() == [4, 5, 7, 8, 10]


def test_a_classifier_too_few_is_refused(table):
    with pytest.raises(Failed, match="by 2 more classifiers"):
        outcomes.read(table, {"cat"}, 0, ["local", "ridge", "gaussian"])


def test_outcomes_must_agree_with_the_counts():
    labels, bits = np.array(["cat"] * 5 + ["dog"] * 5), np.array([1] * 4 + [0] * 6, bool)

    def check(correct, samples=(5, 5)):
        return outcomes.check("ridge", labels, bits, ["cat", "dog"], {"class_samples": list(samples), "class_correct": correct}, "here")

    assert check([4, 0]) == 0
    assert check([3, 1]) == 2  # rounding
    with pytest.raises(Failed, match="counts of right test samples by ridge"):
        check([1, 0])
    with pytest.raises(Failed, match="test samples of each class"):
        check([4, 0], samples=(4, 5))


@pytest.mark.parametrize("numbers, text", [([], ""), ([3], "3"), ([3, 4, 5, 9], "3-5,9"), ([0, 2, 3], "0,2-3")])
def test_ranges(numbers, text):
    assert outcomes.ranges_text(numbers) == text
    assert outcomes.numbers_in(text).tolist() == numbers


@pytest.mark.parametrize("count", [1, 8, 13])
def test_bits(count):
    bits = np.random.default_rng(count).random(count) < 0.5
    assert np.array_equal(outcomes.bits_in(outcomes.hex_text(bits), count), bits)
