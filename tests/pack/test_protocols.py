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
    "cifar-100-10-splitlora": (10, 10, {0: "sunflower", 99: "whale"}),
    "cub-200-10-splitlora": (10, 20, {0: "106.Horned_Puffin", 199: "096.Hooded_Oriole"}),
    "imagenet-a-10-splitlora": (10, 20, {1: "n01616318"}),
    "imagenet-r-10-splitlora": (10, 20, {1: "n01531178"}),
    "imagenet-r-20-splitlora": (20, 10, {1: "n01531178"}),
    "s-domainnet-5-splitlora": (5, 40, {0: "wine_bottle", 199: "palm_tree"}),
}
# The first class ids of the two orders, of 100 and of 200 classes.
SPLITLORA = {100: [82, 36, 20, 5, 93, 16, 94, 52, 72, 90], 200: [105, 6, 168, 90, 65, 159, 71, 165, 111, 179]}


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


@pytest.mark.parametrize("ending", ["", "-splitlora"])
def test_streams_of_one_data_set_share_their_order(ending):
    assert order(read(f"imagenet-r-10{ending}")) == order(read(f"imagenet-r-20{ending}"))


@pytest.mark.parametrize("name", [name for name in EXPECTED if name.endswith("-splitlora")])
def test_another_order_has_the_same_classes_tasks_and_split(name):
    mine, other = read(name), read(name.removesuffix("-splitlora"))
    assert sorted(order(mine)) == sorted(order(other)) and order(mine) != order(other)
    assert mine["split"] == other["split"] and EXPECTED[name][:2] == EXPECTED[name.removesuffix("-splitlora")][:2]
    if not name.startswith("s-domainnet"):  # whose labels aren't in the order of the names
        ids = sorted(order(mine))
        assert [ids.index(class_name) for class_name in order(mine)[:10]] == SPLITLORA[len(ids)]
