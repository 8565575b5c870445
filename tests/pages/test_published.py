"""Published numbers are shown with every condition, and only for their classes and methods."""

import json
import re

import h5py
import made_records
import numpy as np
import pytest
from palimpsest.pages.published import NO, UNKNOWN, YES, departs_from_paper, published, published_line, published_number, value_in_paper
from palimpsest.pages.reported import read_reported_run
from palimpsest.pages.run_page import run_page

ROOT_OF_PROTOCOLS = "configs/protocols"
METHOD = {"perturbation": "sign:epsilon=0.5", "merge": "closed-form:by=global,shrink=0"}


@pytest.fixture
def make(make_long_run, pytestconfig):
    """make(settings): a run whose classes are those of CIFAR-100 in ten tasks."""
    protocol = json.loads((pytestconfig.rootpath / ROOT_OF_PROTOCOLS / "cifar-100-10.json").read_text())

    def run(newest_alone=(), **settings):
        folder = make_long_run(10, newest_alone=newest_alone)
        for t, task in enumerate(protocol["tasks"]):
            with h5py.File(folder / "tasks" / f"task-{t:04}.h5", "r+") as file:
                made_records.put(file, "task/classes", made_records.texts(task["classes"]))
                file["task"].attrs["train_samples"] = np.int64(5000)
                recorded = json.loads(file["config"][()]) | published()["settings"] | METHOD | settings
                made_records.put(file, "config", np.bytes_(json.dumps(recorded)))
                file["base"].attrs["name"] = np.bytes_(published()["weights"]["folders"][0])
        made_records.seal(folder)
        return read_reported_run(folder)

    return run


def row_named(name):
    return next(row for row in published()["rows"] if row["name"] == name)


def test_the_number_of_its_classes_and_method_with_every_condition(make):
    found = published_number(make())
    expected = next(row for row in published()["rows"] if row.get("method") == {"perturbation": "sign", "merge": METHOD["merge"]})
    assert (found.column, found.row, found.last) == ("C100-10", expected["name"], expected["last"]["C100-10"])
    met = {condition.name: condition.met for condition in found.conditions}
    # Ten test samples a task are not those of the data set.
    assert met == {"split": NO, "class order": UNKNOWN, "weights": UNKNOWN, "normalisation": UNKNOWN, "settings": YES}
    line = f" on C100-10 (CIFAR-100 in 10 tasks): {expected['last']['C100-10']:.2f} %; not the same: split; not known: class order, weights, normalisation"
    assert line in published_line(found)


def test_a_setting_that_differs_is_named(make):
    run = make(epochs=3, batch=256)
    condition = next(one for one in published_number(run).conditions if one.name == "settings")
    assert (condition.met, condition.found) == (NO, "epochs 3 (published: 10)")


@pytest.mark.parametrize(("merge", "perturbation", "row"), [("none", "none", "sequential LoRA"), ("average", "none", "model averaging")])
def test_other_methods_have_their_own_row(make, merge, perturbation, row):
    found = published_number(make(merge=merge, perturbation=perturbation))
    assert (found.row, found.last) == (row, row_named(row)["last"]["C100-10"])


@pytest.mark.parametrize(("last_alone", "count"), [(False, 1), (True, 0)])
def test_beside_it_is_what_was_tested(make, last_alone, count):
    run = make(newest_alone=range(1, 10) if last_alone else range(1, 9))
    text = re.search("<p>Published for .*?; this run: (.*?)\\.</p>", run_page(run).html)[1]
    assert ("not tested (--evaluate" in text) == last_alone and text.count(" %") == count and "-" not in text.replace("--evaluate", "")


def test_without_a_row_or_a_column_it_says_why(make, golden):
    assert published_number(make(merge="first")).startswith("no number is published on C100-10 (CIFAR-100 in 10 tasks) for adapter")
    assert published_number(read_reported_run(golden)) == (
        "no number is published for these tasks; there are numbers for ImageNet-R in 10 or 20 tasks, ImageNet-A in 10 tasks, "
        "part of DomainNet in 5 tasks, CIFAR-100 in 10 tasks and CUB-200-2011 in 10 tasks"
    )


def test_values_of_the_paper():
    assert value_in_paper("epochs") == str(published()["settings"]["epochs"]) and value_in_paper("seed") == "not published" and value_in_paper("out") == ""
    assert departs_from_paper("lr", 0.5) and not departs_from_paper("lr", 0.001) and not departs_from_paper("out", "x")
    assert departs_from_paper("perturbation", "sign:epsilon=0.1") and not departs_from_paper("perturbation", "sign")
    assert departs_from_paper("joint", True) and not departs_from_paper("validation", 0.0)
