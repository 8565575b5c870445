"""Domains have the same labels and one head: what distinguishes them is their names, not their place in a list."""

import csv
import json
import os
import shutil
import subprocess

import h5py
import numpy as np
import pytest
import toy as toy_module
from memory import heads_of
from palimpsest.pack import pack_file
from program import INSPECT, MPIRUN, PROGRAM, REPORT
from tiers import quick

TOOLS = os.path.dirname(INSPECT)
NAMES = ["photo", "sketch", "clipart"]
LABELS = ["even", "odd"]


def start(*command, ranks=1, code=0):
    launcher = [MPIRUN, "-n", str(ranks)] if ranks > 1 else []
    done = subprocess.run([*launcher, *map(str, command)], capture_output=True, text=True, timeout=60)
    text = done.stdout + done.stderr
    assert done.returncode == code, f"exit code {done.returncode}, expected {code}:\n{text}"
    return done.stdout if code == 0 else text


def evaluate(*arguments, ranks=1):
    return json.loads(start(PROGRAM, "eval", "--json", *arguments, ranks=ranks))


def accuracies(evaluation):
    """{domain: accuracy}, of those that were tested."""
    return {task["name"]: task["accuracy"] for task in evaluation["tasks"] if task["samples"] > 0}


def task(name, labels=LABELS, number=None):
    number = NAMES.index(name) if number is None else number
    return {"name": name, "classes": [f"{NAMES[number]}/{label}" for label in LABELS], "labels": labels}


class Domains:
    """Three domains of two labels; the packs' classes are named DOMAIN/LABEL. A seen order and other orders of the protocol."""

    def __init__(self, toy):
        self.toy = toy
        toy_module.make_pack(toy.path("six.h5"), only=range(6))
        with h5py.File(toy.path("six.h5"), "r") as file:
            tokens = np.split(file["bytes"][:].view("<i4"), np.cumsum(file["shape"][:, 0])[:-1])
            labels, split = file["labels"][:], file["split"][:]
        classes = [f"{name}/{label}" for name in NAMES for label in LABELS]
        # Domains must differ for their accuracies to differ: the second one has few right labels.
        labels = np.where((labels // 2 == 1) & (np.arange(len(labels)) % 3 == 0), 5 - labels, labels).astype("<i4")
        pack = pack_file.Pack(toy_module.VOCABULARY, classes, tokens, labels, split, "{}")
        pack_file.write_pack(toy.path("domains.h5"), pack)
        self.protocol("in-order.json", *(task(name) for name in NAMES))
        self.settings = ["--pack", toy.path("domains.h5"), "--backbone", toy.path("backbone")]
        toy.run(*self.settings, "--protocol", toy.path("in-order.json"), "--scenario", "domain-incremental", "--epochs", 2,
                out="by-name")
        self.run = toy.path("runs", "by-name")

    def protocol(self, file, *tasks):
        toy_module.make_protocol(self.toy.path(file), tasks=list(tasks), train_per_class=0, test_per_class=0)
        return ["--protocol", self.toy.path(file)]

    def merged(self, name, *options):
        path = self.toy.path(f"{name}.h5")
        text = start(os.path.join(TOOLS, "palimpsest-merge"), self.run, *options, "--out", path)
        return path, text


@pytest.fixture(scope="module")
def domains(toy):
    return Domains(toy)


@pytest.fixture(scope="module")
def own(domains):
    found = accuracies(evaluate("--weights", domains.run))
    assert list(found) == NAMES and len(set(found.values())) == 3, found
    return found


@pytest.mark.parametrize("ranks", quick(1, [1, 2]))
def test_a_subset_of_the_tasks_is_tested_on_its_own_domains(domains, ranks):
    path, _ = domains.merged(f"first-and-third-{ranks}", "--tasks", "1,3")
    found = evaluate("--weights", path, *domains.settings, "--protocol", domains.toy.path("in-order.json"), ranks=ranks)
    assert list(accuracies(found)) == ["photo", "clipart"]
    assert "not tested, as the weights haven't learned them: 'sketch'" in found["remarks"], found
    alone = evaluate("--weights", path, *domains.settings, *domains.protocol("third.json", task("clipart")))
    assert accuracies(alone) == {"clipart": accuracies(found)["clipart"]}
    assert any("1 (photo)" in remark for remark in alone["remarks"]), alone


@pytest.mark.parametrize("order", [(2, 0, 1), *(pytest.param(order, marks=pytest.mark.slow) for order in [(1, 2), (2,)])])
def test_a_run_and_its_merge_are_tested_whatever_the_order_of_the_protocol(domains, own, order):
    turned = domains.protocol(f"order{len(order)}.json", *(task(NAMES[place]) for place in order))
    path, _ = domains.merged(f"all-{len(order)}")
    for weights in (domains.run, os.path.join(domains.run, "state-0002.h5"), path):
        found = evaluate("--weights", weights, *domains.settings, *turned)
        assert accuracies(found) == {NAMES[place]: own[NAMES[place]] for place in sorted(order)}


@pytest.mark.parametrize("name, tasks, message", quick(1, [
    ("renamed", [task("a", number=0), task("b", number=1)], "expected a task with the name of one of"),
    ("turned", [task("photo", ["odd", "even"])], "domain 'photo': expected the labels of"),
    ("twice", [task("photo"), task("photo", number=1)], "expected a task with the name of one of"),
]))
def test_domains_that_cannot_be_distinguished_are_refused(domains, name, tasks, message):
    protocol = domains.protocol(f"{name}.json", *tasks)
    text = start(PROGRAM, "eval", "--weights", domains.run, *domains.settings, *protocol, code=3)
    assert message in text and "photo" in text, text


def test_a_state_without_its_run_does_not_name_its_domains(domains, tmp_path):
    shutil.copy(os.path.join(domains.run, "state-0002.h5"), tmp_path)
    text = start(PROGRAM, "eval", "--weights", tmp_path / "state-0002.h5", *domains.settings,
                 "--protocol", domains.toy.path("in-order.json"), code=3)
    assert "expected the names of its tasks" in text and "Name the run folder" in text, text


@pytest.mark.slow
def test_a_record_of_another_run_does_not_name_a_domain(domains, tmp_path):
    """Both have two domains, in turned order."""
    runs = []
    for order in ((0, 1), (1, 0)):
        name = f"two-{order[0]}"
        domains.toy.run(*domains.settings, *domains.protocol(f"{name}.json", *(task(NAMES[place]) for place in order)),
                        "--scenario", "domain-incremental", "--epochs", 1, out=name)
        runs.append(domains.toy.path("runs", name))
    mixed = shutil.copytree(runs[0], tmp_path / "mixed")
    shutil.copy(os.path.join(runs[1], "tasks", "task-0000.h5"), mixed / "tasks")
    text = start(PROGRAM, "eval", "--weights", mixed, code=3)
    assert "task-0000.h5" in text and "replaced by another" in text, text


@pytest.mark.slow
def test_a_run_that_continues_another_is_tested_on_what_has_its_names(domains, toy):
    toy.run(*domains.settings, *domains.protocol("old.json", task("photo"), task("sketch")), "--scenario", "domain-incremental",
            "--epochs", 2, out="old-domains")
    for name in ("clipart", "photo"):  # one of another name, and one with the name of an old one
        new = domains.protocol(f"new-{name}.json", task(name, number=2))
        toy.run(*domains.settings, *new, "--scenario", "domain-incremental", "--epochs", 2, "--continue",
                toy.path("runs", "old-domains"), out=f"new-{name}")
        run = toy.path("runs", f"new-{name}")
        own = evaluate("--weights", run)
        assert [entry["samples"] > 0 for entry in own["tasks"]] == [False, False, True], own
        start(*REPORT, run)  # of tasks that are not tested any more, too
    everything = evaluate("--weights", toy.path("runs", "new-clipart"), *domains.settings, "--protocol", toy.path("in-order.json"))
    assert list(accuracies(everything)) == NAMES
    # Both are named "photo"; the new one comes first. Merged, they can't be distinguished.
    start(os.path.join(TOOLS, "palimpsest-merge"), toy.path("runs", "new-photo"), "--out", toy.path("two-photos.h5"))
    merged = evaluate("--weights", toy.path("two-photos.h5"), *domains.settings, "--protocol", toy.path("in-order.json"))
    assert list(accuracies(merged)) == ["sketch"]
    assert any("1 (photo), 3 (photo)" in remark for remark in merged["remarks"]), merged


@pytest.mark.slow
def test_a_joint_run_of_domains_is_tested_as_one_task(domains, toy):
    toy.run(*domains.settings, "--protocol", toy.path("in-order.json"), "--scenario", "domain-incremental", "--epochs", 2, "--joint",
            "--merge", "none", "--perturbation", "none", out="joint-domains")
    found = evaluate("--weights", toy.path("runs", "joint-domains"))
    assert list(accuracies(found)) == ["joint of 3 tasks"] and found["all"]["samples"] == 6 * toy_module.TEST
    done = subprocess.run([INSPECT, domains.run, "--joint", toy.path("runs", "joint-domains")], capture_output=True, text=True)
    assert done.returncode == 3 and "a joint run has no counts by domain" in done.stderr, done.stderr


def predict(domains, weights, tmp_path, *options, code=0):
    out = tmp_path / "predictions.csv"
    text = start(PROGRAM, "predict", "--weights", weights, "--out", out, "--json", *options, code=code)
    if code:
        return text, []
    with open(out, newline="") as file:
        return json.loads(text), list(csv.DictReader(file))


@pytest.mark.slow
def test_predictions_of_domains_are_scored(domains, own, tmp_path):
    expected = np.mean(list(own.values()))  # of as many samples each
    path, _ = domains.merged("predicted")
    for name, weights, options in (("labels of the run's protocol", domains.run, []),
                                   ("names as DOMAIN/LABEL", path, domains.settings)):
        found, rows = predict(domains, weights, tmp_path, "--split", "test", *options)
        assert found["accuracy"] == pytest.approx(expected), name
        assert all(row["correct"] == str(int(row["class_1"] == row["label"].split("/")[1])) for row in rows), name
        assert found["remarks"] == ([] if weights == domains.run else ["classes of the pack are read as DOMAIN/LABEL"])


def renamed(domains, tmp_path, names):
    with h5py.File(domains.toy.path("domains.h5")) as file:
        tokens = np.split(file["bytes"][:].view("<i4"), np.cumsum(file["shape"][:, 0])[:-1])
        pack = pack_file.Pack(toy_module.VOCABULARY, names, tokens, file["labels"][:], file["split"][:], "{}")
    pack_file.write_pack(tmp_path / "other.h5", pack)
    return ["--pack", tmp_path / "other.h5", "--backbone", domains.toy.path("backbone")]


@pytest.mark.slow
def test_a_protocol_says_what_the_classes_of_another_pack_are_called(domains, own, tmp_path):
    names = ["p0", "p1", "s0", "s1", "c0", "c1"]
    pack = renamed(domains, tmp_path, names)
    protocol = domains.protocol("labelled.json", *({"name": name, "classes": names[2 * t:2 * t + 2], "labels": LABELS}
                                                   for t, name in enumerate(NAMES)))
    path, _ = domains.merged("labelled")
    found, _ = predict(domains, path, tmp_path, "--split", "test", *pack, *protocol)
    assert found["accuracy"] == pytest.approx(np.mean(list(own.values()))) and found["remarks"][1:] == []
    found, rows = predict(domains, path, tmp_path, "--split", "test", *pack)
    assert found["accuracy"] is None and all(row["correct"] == "" for row in rows)
    assert any(remark.startswith("nothing can be scored: none of the pack's classes, 'p0', 'p1'")
               and "is one of the weights', 'even', 'odd'" in remark for remark in found["remarks"]), found
    text, _ = predict(domains, path, tmp_path, *pack, "--protocol", tmp_path / "missing.json", code=3)
    assert "missing.json" in text


@pytest.mark.slow
def test_classes_that_the_weights_do_not_know_are_named(domains, tmp_path):
    pack = renamed(domains, tmp_path, ["x/even", "x/odd", "x/else", "y/even", "y/odd", "z"])
    found, _ = predict(domains, domains.run, tmp_path, *pack)
    assert "not scored, as the weights don't know them: 'x/else', 'z'" in found["remarks"], found
    assert found["samples_of_known_classes"] == found["samples"] * 4 // 6


@pytest.mark.slow
def test_labels_of_a_protocol_are_scored_in_other_scenarios_too(toy, tmp_path):
    tasks = [{"name": f"task {t}", "classes": [f"class {2 * t}", f"class {2 * t + 1}"], "labels": [f"label {2 * t}", f"label {2 * t + 1}"]}
             for t in range(2)]
    toy_module.make_protocol(toy.path("labels.json"), tasks=tasks)
    toy.run("--protocol", toy.path("labels.json"), "--epochs", 2, out="labels")
    found = json.loads(start(PROGRAM, "predict", "--weights", toy.path("runs", "labels"), "--out", tmp_path / "out.csv", "--split", "test",
                             "--json"))
    assert found["accuracy"] == pytest.approx(evaluate("--weights", toy.path("runs", "labels"))["all"]["accuracy"])
    assert found["samples_of_known_classes"] == 4 * toy_module.TEST


@pytest.mark.parametrize("options, remark, post_hoc", quick(1, [
    (["--remove-task", 2], "task 2 was removed: the head that all tasks share stays, with what it learned there", True),
    (["--remove-task", 3], "task 3 was removed: the head that all tasks share is again that of task 2", False),
    (["--tasks", "1,3"], None, True),
]))
def test_what_becomes_of_a_shared_head_is_said(domains, options, remark, post_hoc):
    path, text = domains.merged(f"head{'-'.join(map(str, options))}", *options)
    words = " ".join(text.split())
    assert remark is None or remark in words, text
    assert "is dropped" not in words
    assert ("the head that all tasks share was trained on task 2, too" in words) == post_hoc, text
    with h5py.File(path) as merged, h5py.File(os.path.join(domains.run, "state-0002.h5")) as state:
        last = len(merged["heads"]) - 1
        serves = 1 if options == ["--remove-task", 3] else 2
        np.testing.assert_array_equal(merged[f"heads/{last}/weight"][:], heads_of(state)[serves]["weight"])


@pytest.mark.slow
def test_runs_of_domains_in_another_order_are_no_repetition(domains, toy):
    """Their classes are the same; only the names of the tasks show that the order isn't."""
    turned = domains.protocol("turned-order.json", *(task(name) for name in ("sketch", "clipart", "photo")))
    toy.run(*domains.settings, *turned, "--scenario", "domain-incremental", "--epochs", 2, out="turned-order")
    other = toy.path("runs", "turned-order")
    done = subprocess.run([*REPORT, domains.run, other, "--out", toy.path("compared.html")],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    # Accuracy beside a frozen backbone's, too, goes by the domains' names.
    frozen = ["--adapter", "none", "--merge", "none", "--perturbation", "none", "--scenario", "domain-incremental", "--epochs", 2]
    toy.run(*domains.settings, *turned, *frozen, out="turned-frozen")
    bounded = json.loads(start(INSPECT, domains.run, "--frozen", toy.path("runs", "turned-frozen"), "--json"))
    bounds = accuracies(evaluate("--weights", toy.path("runs", "turned-frozen")))
    assert [entry["frozen"] for entry in bounded["tasks"]] == [bounds[name] for name in NAMES]
