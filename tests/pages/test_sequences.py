"""Pages of runs on prompts with completions: they speak of exact match or the task score, and show losses in nats."""

import csv
import json
import re
import statistics
import subprocess

import h5py
import numpy as np
import palimpsest
import pytest
from palimpsest.pages.reported import read_reported_run
from palimpsest.pages.result_figures import accuracy_matrices
from palimpsest.pages.trackers import SoFar, read_points
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

OF_CLASSES = re.compile(r"accurac|classif|top-5|task identity|given the task|with \d+ class", re.IGNORECASE)
GENERAL = ["general loss", "general loss, before the stream"]


@pytest.fixture(scope="module")
def sequences(tmp_path_factory):
    import toy
    from program import Toy

    return Toy(str(tmp_path_factory.mktemp("pages-sequences") / "toy"), toy.make_sequences)


@pytest.fixture(scope="module")
def plain(sequences):
    sequences.run(out="plain")
    return sequences.path("runs", "plain")


@pytest.fixture(scope="module")
def scored(sequences):
    """With the loss on a general text; the second and fourth task are scored by ROUGE-L. The toy's score is exact match: here it is half a sample more."""
    import made_records
    import toy

    tasks = [{"name": f"task {t + 1}", "classes": [f"move {1 + 2 * t}"]} | ({"score": "rouge-l"} if t % 2 else {}) for t in range(4)]
    toy.make_protocol(sequences.path("scored.json"), tasks=tasks)
    toy.make_sequences_pack(sequences.path("general.h5"), seed=7, groups=1)
    sequences.run("--protocol", sequences.path("scored.json"), "--general", sequences.path("general.h5"), out="scored")
    run = sequences.path("runs", "scored")
    with h5py.File(f"{run}/state-0003.h5", "r+") as state:
        for moment in ("before_merge", "after_merge"):
            rows = state[f"accuracy/{moment}"]
            made_records.put(rows, "task_score", rows["task_score"][()] + 0.5 * (rows["samples"][()] > 0))
    made_records.seal(run)
    return run


def recorded(run, name, moment="after_merge"):
    """Sums and weights of a score, [after task, task]."""
    with h5py.File(f"{run}/state-0003.h5", locking=False) as state:
        rows = state[f"accuracy/{moment}"]
        weights = rows[f"weights/{name}"] if f"weights/{name}" in rows else rows["samples"]
        return rows[name][()], weights[()]


def last_mean(run, name):
    sums, weights = recorded(run, name)
    return sums[-1].sum() / weights[-1].sum()


def listed(text):
    """{name: value} of the table of all numbers."""
    table = re.search(r"All numbers, and what they mean</summary>.*?</table>", text, re.DOTALL)[0]
    return dict(re.findall(r'<tr><td class="\w+">([^<]*)</td><td class="r">([^<]*)</td>', table))


def test_the_page_speaks_of_exact_match(plain, show):
    text = show(plain)
    assert "<h1>plain: Perturb-and-Merge on protocol, seed 1</h1>" in text
    share = f"{100 * last_mean(plain, 'exact_match'):.1f} %"
    assert f'class="finding">After 4 tasks, the exact match is {share} on the test samples; ' in text
    assert f"<b>{share}</b><span>last exact match</span>" in text
    assert '<p class="quiet">Run folder plain: 4 tasks done, backbone backbone.</p>' in text
    assert not OF_CLASSES.search(text[: text.index('<section id="settings">')])
    numbers = listed(text)
    assert list(numbers)[-2:] == ["correct tokens", "loss per token"] and len(numbers) == 10
    assert numbers["correct tokens"] == f"{100 * last_mean(plain, 'correct_tokens'):.1f} %"
    assert numbers["loss per token"] == f"{last_mean(plain, 'loss_per_token'):.4f} nats"
    assert f"<b>{numbers['loss per token']}</b><span>loss per token</span>" in text
    assert "general" not in text[: text.index('<section id="settings">')]
    assert ">image-transform<" not in text and "≠ paper" in text


def test_the_page_of_a_scored_run_has_the_general_loss(scored, show):
    text = show(scored)
    share = f"{100 * last_mean(scored, 'task_score'):.1f} %"
    assert f'class="finding">After 4 tasks, the task score is {share} on the test samples; ' in text
    assert not OF_CLASSES.search(text[: text.index('<section id="settings">')])
    numbers = listed(text)
    assert list(numbers)[-5:] == ["exact match", "correct tokens", "loss per token", *GENERAL] and numbers["last task score"] == share
    for title, name in zip(GENERAL, ("general_loss", "general_loss_before_stream"), strict=True):
        value = f"{last_mean(scored, name):.4f} nats"
        assert numbers[title] == value and f"<b>{value}</b><span>{title}</span>" in text
    assert numbers[GENERAL[0]] != numbers[GENERAL[1]]
    figure = re.search(r'<figure id="general-loss".*?</figure>', text, re.DOTALL)[0]
    columns = [("general_loss", "after_merge"), ("general_loss", "before_merge"), ("general_loss_before_stream", "after_merge")]
    found = [recorded(scored, *column) for column in columns]
    expected = np.array([np.diag(sums) / np.diag(weights) for sums, weights in found]).T
    rows = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in re.findall("<tr>.*?</tr>", figure)]
    assert rows[-4:] == [[str(t + 1), *(f"{value:.4f}" for value in row)] for t, row in enumerate(expected)]
    assert re.search(r"--general \S+/general.h5 ", text)


def test_matrices_are_of_the_primary_score_and_of_losses(plain, show):
    text = show(plain)
    figures = {figure.name: figure for figure in accuracy_matrices(read_reported_run(plain).evaluations)}
    for name, score, scale, unit, decimals in (("exact-match", "exact_match", 100, "%", 1), ("loss-per-token", "loss_per_token", 1, "nats", 3)):
        for moment in ("after", "before"):
            sums, weights = recorded(plain, score, f"{moment}_merge")
            figure = figures.pop(f"{name}-{moment}-merge")
            expected = [f"after {t + 1}, on task {j + 1}: {scale * sums[t, j] / weights[t, j]:.{decimals}f} {unit}" for t in range(4) for j in range(t + 1)]
            assert list(figure.drawing.cells.titles) == expected and expected[-1] in text
    assert not figures
    assert "Loss per token in nats on each task, after each merge; less is better" in text


def test_less_loss_has_a_stronger_colour(plain):
    figures = accuracy_matrices(read_reported_run(plain).evaluations)
    cells = figures[2].drawing.cells
    losses = [float(title.split()[-2]) for title in cells.titles]
    opacities = [opacity for _, opacity in cells.colours]
    assert np.array_equal(np.argsort(losses), np.argsort(opacities)[::-1])
    shares = [float(title.split()[-2]) for title in figures[0].drawing.cells.titles]
    of_shares = [opacity for _, opacity in figures[0].drawing.cells.colours]
    assert of_shares[int(np.argmax(shares))] == max(of_shares) > min(of_shares)


def test_the_table_for_programs_has_every_score(scored, report, tmp_path):
    report(scored)
    with open(f"{scored}/accuracy.csv") as file:
        rows = list(csv.DictReader(file))
    names = ["task_score", "exact_match", "correct_tokens", "loss_per_token", "general_loss", "general_loss_before_stream"]
    assert list(rows[0]) == ["after_task", "task", "name", "samples", *(f"{name}{moment}" for name in names for moment in ("_before_merge", ""))]
    assert len(rows) == 10
    frame = palimpsest.open(scored).accuracy.set_index(["moment", "after_task", "task"])
    for row in rows:
        for name in names:
            for moment, ending in (("before merge", "_before_merge"), ("after merge", "")):
                value = frame.loc[(moment, int(row["after_task"]) - 1, int(row["task"]) - 1), name]
                assert row[f"{name}{ending}"] == ("" if np.isnan(value) else f"{value:.6f}")
    assert [row["general_loss"] != "" for row in rows] == [row["after_task"] == row["task"] for row in rows]


def test_runs_are_compared_by_exact_match_and_loss(sequences, plain, show, report):
    sequences.run("--seed", 2, out="seed-2")
    runs = [plain, sequences.path("runs", "seed-2")]
    rows = list(csv.DictReader(report(*runs, "--csv").splitlines()))
    assert [row["group"] for row in rows] == ["A", "A"] and list(rows[0])[-2:] == ["last_correct_tokens", "last_loss_per_token"]
    losses = [last_mean(run, "loss_per_token") for run in runs]
    assert [float(row["last_loss_per_token"]) for row in rows] == pytest.approx(losses, abs=1e-6)
    said = report(*runs)
    spread = f"{statistics.mean(losses):.4f} ± {statistics.stdev(losses):.4f}"
    assert re.search(rf"^loss per token, in nats +{spread}$", said, re.MULTILINE) and "\nLast exact match: A: " in said
    text = show(*runs)
    assert f'<td class="r">{spread}</td>' in text and '<figure id="exact-match-over-tasks">' in text and not OF_CLASSES.search(text)


def test_runs_of_another_score_are_refused(plain, scored, golden, report, tmp_path):
    for other, title in ((scored, "task score"), (golden, "accuracy")):
        said = report(plain, other, code=3)
        assert said == (
            f"palimpsest report: {other}: expected a run scored by exact match, like {plain}, found one scored by {title}. "
            "They can't be compared: give runs with the same score\n"
        )
        said = report(plain, "--reference", other, "--out", tmp_path / "no.html", code=3)
        assert f"expected a run scored by exact match, found one scored by {title}" in said
    assert not (tmp_path / "no.html").exists()


def test_a_sweep_is_of_the_primary_score(plain, show, tmp_path):
    from program import PROGRAM

    subprocess.run([PROGRAM, "eval", "--sweep", plain, "--split", "test", "--out", tmp_path / "sweep.json"], check=True, capture_output=True, timeout=60)
    points = json.loads((tmp_path / "sweep.json").read_text())["points"]
    figure = re.search(r'<figure id="sweep".*?</figure>', show(plain, "--sweep", tmp_path / "sweep.json"), re.DOTALL)[0]
    assert "Exact match against α of the merge of task 4" in figure
    for point in points:
        assert f'<td class="r">{point["alpha"]:.4f}</td><td class="r">{100 * point["all"]["exact_match"]:.1f}</td>' in figure


def test_predictions_of_classes_are_refused(plain, report, tmp_path):
    (tmp_path / "predictions.csv").write_text("label,class_1\nmove 1,move 1\n")
    assert "predicts completions, not classes" in report(plain, "--predictions", tmp_path / "predictions.csv", "--out", tmp_path / "no.html", code=3)


def test_trackers_get_what_tensorboard_has(scored):
    events = EventAccumulator(scored, size_guidance={"scalars": 0}).Reload()
    expected = {tag: [(event.step, pytest.approx(event.value, rel=1e-6)) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    found, so_far = {}, SoFar()
    for point in (point for part in read_points(f"{scored}/metrics.jsonl", False, lambda: True, so_far) for point in part):
        for name, value in point.values.items():
            found.setdefault(name, []).append((point.place, value))
    assert so_far.damaged == 0 and found == expected and len(found["stream/accuracy"]) == 4


def test_a_general_text_is_no_setting_of_classes(golden, show):
    """Runs of newer programs have the setting, which is for decoders."""
    before = show(golden)
    started = json.loads((golden / "run.json").read_text())
    started["config"]["general"] = ""
    (golden / "run.json").write_text(json.dumps(started))
    assert show(golden) == before
