"""A run's log in a tracker: the numbers are TensorBoard's, a growing log is followed, and the trackers' offline modes take them."""

import glob
import json
import sys
import types

import pytest
from palimpsest.pages import trackers
from palimpsest.pages.trackers import SoFar, read_points
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def by_name(parts):
    found = {}
    for point in (point for part in parts for point in part):
        for name, value in point.values.items():
            found.setdefault(name, []).append((point.place, value))
    return found


def of_tensorboard(run):
    events = EventAccumulator(str(run), size_guidance={"scalars": 0}).Reload()
    return {tag: [(event.step, pytest.approx(event.value, rel=1e-6)) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_points_are_those_of_tensorboard(reference_run):
    expected = of_tensorboard(reference_run)
    found = by_name(read_points(f"{reference_run}/metrics.jsonl", False, lambda: True, SoFar()))
    assert len(expected["train/loss"]) > 10 and found == expected


def test_there_is_no_accuracy_on_all_tasks_where_the_newest_alone_was_tested(toy):
    toy.run("--epochs", 2, "--evaluate", "every:3", "--evaluate-before-merge", "false", out="pages-every-third")
    run = toy.path("runs", "pages-every-third")
    found = by_name(read_points(f"{run}/metrics.jsonl", False, lambda: True, SoFar()))
    assert found == of_tensorboard(run)
    assert [place for place, _ in found["stream/accuracy"]] == [1, 3, 4] and [place for place, _ in found["stream/accuracy_newest"]] == [1, 2, 3, 4]
    assert [place for place, _ in found["stream/forgetting"]] == [3, 4]


def test_a_row_without_a_task_whose_data_is_gone_is_over_the_others(tmp_path):
    log = tmp_path / "metrics.jsonl"
    rows = [([10], [8]), ([0, 10], [None, 6]), ([0, 10, 30], [None, 5, 24])]
    lines = [{"event": "evaluated", "task": t, "samples": samples, "correct": right, "after_merge": True} for t, (samples, right) in enumerate(rows)]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    so_far = SoFar()
    found = by_name(read_points(str(log), False, lambda: True, so_far))
    assert so_far.damaged == 0
    assert found["stream/accuracy"] == [(1, 0.8), (3, 29 / 40)] and found["tasks/2"] == [(2, 0.6), (3, 0.5)]


def test_a_growing_log_is_followed_and_damage_is_counted(reference_run, tmp_path, monkeypatch):
    monkeypatch.setattr(trackers, "SECONDS_BETWEEN", 0)
    with open(f"{reference_run}/metrics.jsonl") as file:
        text = file.read()
    log = tmp_path / "metrics.jsonl"
    parts = [text[:1000], text[1000:2500], "no JSON\n" + text[2500:]]
    parts[1], parts[2] = parts[1].rpartition("\n")[0] + "\n", "no JSON\n" + parts[1].rpartition("\n")[2] + text[2500:]

    def grow():
        with open(log, "a") as file:
            file.write(parts.pop(0))
        return not parts

    so_far = SoFar()
    pieces = list(read_points(str(log), False, grow, so_far))
    assert len(pieces) == 3 and so_far.damaged == 1
    assert by_name(pieces) == by_name(read_points(f"{reference_run}/metrics.jsonl", False, lambda: True, SoFar()))


def test_a_tracker_that_is_missing_or_refuses_is_named(golden, report, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert "pip install mlflow" in report(golden, "--mlflow", code=1)

    def refuse(values):
        raise RuntimeError("no room")

    run = types.SimpleNamespace(define_metric=lambda *names, **options: None, log=refuse, finish=lambda: None)
    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=lambda **options: run))
    assert "wandb rejected the data: no room" in report(golden, "--wandb", code=1)
    assert "found both" in report(golden, "--wandb", "--mlflow", code=2)


def test_what_wandb_is_sent(reference_run, report, monkeypatch):
    sent, options = [], {}
    run = types.SimpleNamespace(define_metric=lambda *names, **more: None, log=sent.append, finish=lambda: sent.append("finished"))
    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=lambda **more: options.update(more) or run))
    assert f"{len(sent_points(reference_run))} points" in report(reference_run, "--wandb")
    assert sent == [{point.axis: point.place} | point.values for point in sent_points(reference_run)] + ["finished"]
    assert options["name"] == "reference" and options["config"]["merge"].startswith("closed-form")


@pytest.mark.parametrize(("damaged", "said"), [(1, "1 line of metrics.jsonl could not be read and was"), (2, "2 lines of metrics.jsonl could not be read and were")])
def test_damaged_lines_of_the_log_are_counted(golden, report, monkeypatch, damaged, said):
    run = types.SimpleNamespace(define_metric=lambda *names, **more: None, log=lambda values: None, finish=lambda: None)
    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=lambda **more: run))
    (golden / "metrics.jsonl").write_text("no JSON\n" * damaged)
    assert f"{said} left out" in report(golden, "--wandb")


def sent_points(run):
    return [point for part in read_points(f"{run}/metrics.jsonl", False, lambda: True, SoFar()) for point in part]


@pytest.mark.slow
def test_wandb_offline(reference_run, report, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert "sent to wandb" in report(reference_run, "--wandb")
    assert glob.glob(str(tmp_path / "wandb" / "offline-run-*" / "*.wandb"))


@pytest.mark.slow
def test_mlflow_in_a_folder(reference_run, report, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri(f"file:{tmp_path}/mlruns")
    assert "sent to mlflow" in report(reference_run, "--mlflow")
    found = mlflow.MlflowClient().search_runs([mlflow.get_experiment_by_name("palimpsest").experiment_id])[0]
    expected = by_name([sent_points(reference_run)])
    assert found.data.metrics == pytest.approx({name: points[-1][1] for name, points in expected.items()})
    assert found.data.params["seed"] == "1"
