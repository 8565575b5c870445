"""Groups that were tested on other data are not ranked, and every group and run is named."""

import html
import json
import re
import shutil

import h5py
import made_records
import numpy as np
import pytest
from palimpsest.pages.cli import main


def change(run, settings=(), pack=None):
    """Other settings, or another pack, in all records of a run."""
    for path in sorted((run / "tasks").iterdir()):
        with h5py.File(path, "r+") as file:
            recorded = json.loads(file["config"][()]) | dict(settings)
            made_records.put(file, "config", np.bytes_(json.dumps(recorded)))
            if pack:
                file["pack"].attrs["content_sha256"] = np.bytes_(pack * 64)
    made_records.seal(run)
    return run


def name_protocol(run, name):
    started = json.loads((run / "run.json").read_text())
    started["config"]["protocol"] = f"data/{name}.json"
    (run / "run.json").write_text(json.dumps(started))
    return run


@pytest.fixture
def finding(report, tmp_path):
    """finding(runs...): that of the page, which the text has, too."""

    def find(*runs):
        shown = report(*runs, "--out", tmp_path / "page.html")
        found = html.unescape(re.search('class="finding">(.*?)</p>', (tmp_path / "page.html").read_text())[1])
        assert found in shown.replace("\n", " ")
        return found

    return find


def test_other_classes_and_tasks_are_not_ranked(make_long_run, finding, tmp_path):
    runs = [name_protocol(make_long_run(3, "z"), "zebras"), name_protocol(make_long_run(1, "one"), "apes")]
    assert finding(*runs) == "These accuracies can't be compared: the groups differ in classes and number of tasks."
    text = (tmp_path / "page.html").read_text()
    assert "<h1>zebras and apes: 2 groups of runs compared</h1>" in text
    assert ">A: zebras</td>" in text and ">B: apes</td>" in text and "<title>A: zebras, after task 3: " in text
    assert "Forgetting needs an earlier task, tested after the last one; without it, and so without a point here: one (group B)." in text


def test_another_pack_is_named_and_groups_of_one_pack_are_ranked(make_long_run, finding, report):
    first, second, third = make_long_run(2, "first"), change(make_long_run(2, "second"), {"lr": 0.5}), change(make_long_run(2, "third"), pack="1")
    assert re.fullmatch(r"Last accuracy: . ?: \w+ reaches .*", finding(first, second))
    assert finding(first, third) == "These accuracies can't be compared: the groups differ in pack."
    assert finding(first, second, third).startswith(
        "Not all of these accuracies can be compared: the groups differ in pack. Last accuracy, of those that can: A: first reaches "
    )
    found = json.loads(report(first, second, third, "--json"))
    assert [(one["first"], one["second"]) for one in found["differences"]] == [("A", "B")]


def test_joint_training_is_compared_with_any_number_of_tasks(make_long_run, finding):
    joint = change(make_long_run(1, "joint"), {"joint": True})
    with h5py.File(joint / "tasks" / "task-0000.h5", "r+") as file:
        made_records.put(file, "task/classes", made_records.texts([f"class {i}" for i in range(4)]))
    made_records.seal(joint)
    assert finding(make_long_run(2, "stream"), joint).startswith("Last accuracy: ")


def test_the_page_s_path_is_printed_and_tables_for_programs_stay_whole(make_long_run, report, tmp_path, capsys):
    runs = [make_long_run(2, "first"), shutil.copytree(make_long_run(3, "second"), tmp_path / "third")]
    assert report(*runs, "--out", tmp_path / "page.html").splitlines()[0] == str(tmp_path / "page.html")
    assert main([*map(str, runs), "--json", "--out", str(tmp_path / "page.html")]) == 0
    written = capsys.readouterr()
    assert written.err == f"{tmp_path / 'page.html'}\n" and [group["name"] for group in json.loads(written.out)["groups"]] == ["A", "B"]
