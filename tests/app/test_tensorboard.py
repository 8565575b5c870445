"""TensorBoard's events: what is in them, also of a run that was resumed."""

import glob
import json
import os
import subprocess

import pytest
from program import INSPECT
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

EVENTS = "events.out.tfevents.palimpsest"


def scalars(folder):
    """{tag: [(step, value)]}, as TensorBoard has them."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.fixture(scope="module")
def resumed_run(toy, reference_run):
    """Stopped within its first task, with half a record after what was saved, and resumed over two ranks."""
    assert toy.code("--stop-after", 1e-9, out="report-resumed") == 85
    run = toy.path("runs", "report-resumed")
    with open(os.path.join(run, EVENTS), "ab") as file:
        file.write(b"\x18\0\0\0\0\0\0\0 half a record")
    toy.run("--resume", "auto", ranks=2, out="report-resumed")
    assert toy.records("report-resumed") == toy.records("reference")
    return run


@pytest.mark.slow
def test_a_resumed_run_gives_the_same_events(reference_run, resumed_run):
    assert scalars(resumed_run) == scalars(reference_run)


def test_tensorboard_reads_what_happened(toy, reference_run):
    found = scalars(reference_run)
    lines = toy.metrics("reference")
    steps = [line for line in lines if line["event"] == "step"]
    for tag, field in (("loss", "loss"), ("gradient_norm", "gradient_norm"), ("learning_rate", "learning_rate"), ("scale", "scale")):
        assert found[f"train/{tag}"] == [(n, pytest.approx(step[field], rel=1e-6)) for n, step in enumerate(steps)]
    assert found["stream/alpha"] == [(line["task"] + 1, pytest.approx(line["alpha"], rel=1e-6))
                                     for line in lines if line["event"] == "merged"]
    after = [line for line in lines if line["event"] == "evaluated" and line["after_merge"]]
    for task in range(4):
        assert found[f"tasks/{task + 1}"] == [(line["task"] + 1, pytest.approx(line["correct"][task] / line["samples"][task]))
                                              for line in after[task:]]
    summary = json.loads(subprocess.run([INSPECT, reference_run, "--json"], capture_output=True).stdout)["summary"]
    assert found["stream/accuracy"][-1] == (4, pytest.approx(summary["last"]))
    assert found["stream/forgetting"][-1] == (4, pytest.approx(summary["forgetting"]))
    toy.run("--tensorboard", "false", "--tasks", 1, out="no-events")
    assert not glob.glob(toy.path("runs", "no-events", "events*"))
