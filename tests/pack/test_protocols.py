"""The protocols in configs/protocols: every class once, as many as the name says, in the order that the hash pins."""

import hashlib
import json
import pathlib

import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "configs" / "protocols"

# File: tasks, classes per task, and a few classes of known place.
EXPECTED = {
    "cifar-100-10": (10, 10, {0: "road", 99: "forest"}),
    "cub-200-10": (10, 20, {0: "169.Magnolia_Warbler", 199: "162.Canada_Warbler"}),
    "imagenet-a-10": (10, 20, {27: "n01498041"}),
    "imagenet-r-10": (10, 20, {27: "n01443537"}),
    "imagenet-r-20": (20, 10, {27: "n01443537"}),
    "s-domainnet-5": (5, 40, {27: "pickup_truck"}),
}


def read(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def order(protocol):
    return [name for task in protocol["tasks"] for name in task["classes"]]


def test_no_protocol_is_unknown_here():
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_protocol_is_whole(name):
    protocol = read(name)
    tasks, per_task, places = EXPECTED[name]
    assert protocol["palimpsest_type"] == "protocol" and protocol["palimpsest_version"] == "1.0.0"
    assert (protocol["train_per_class"], protocol["test_per_class"]) == (0, 0)
    assert [task["name"] for task in protocol["tasks"]] == [f"task {t + 1}" for t in range(tasks)]
    assert [len(task["classes"]) for task in protocol["tasks"]] == [per_task] * tasks
    classes = order(protocol)
    assert len(set(classes)) == len(classes) and all(classes)
    assert {place: classes[place] for place in places} == places
    text = "".join(f"{c}\n" for c in classes)
    assert hashlib.sha256(text.encode()).hexdigest() == protocol["order_sha256"]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_protocol_names_its_sources(name):
    protocol = read(name)
    for source in (*protocol["order_source"], protocol["class_names_source"]):
        assert source["repository"].count("/") == 1 and source["path"] and source["what"]
        assert len(source["commit"]) == 40 and int(source["commit"], 16)
    split = protocol["split"]
    for side in ("train", "test") if "repository" in split else ():
        assert len(split[side]["sha256"]) == 64 and split[side]["samples"] > 0


def test_streams_of_one_data_set_share_their_order():
    assert order(read("imagenet-r-10")) == order(read("imagenet-r-20"))
