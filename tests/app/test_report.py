"""report.html, accuracy.csv, TensorBoard's events and palimpsest-report: what is reported of finished runs."""

import csv
import glob
import html.parser
import json
import os
import re
import shutil
import statistics
import subprocess

import browser
import h5py
import pytest
from program import INSPECT
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiers import quick

REPORT = os.path.join(os.path.dirname(INSPECT), "palimpsest-report")
EVENTS = "events.out.tfevents.palimpsest"


def report(*arguments, code=0):
    done = subprocess.run([REPORT, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def read(*path):
    with open(os.path.join(*path)) as file:
        return file.read()


class Nesting(html.parser.HTMLParser):
    """Fails where a tag is closed that isn't the last one opened."""

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag


def test_a_run_leaves_a_page_and_a_table(toy, reference_run):
    page = read(reference_run, "report.html")
    Nesting(page)
    rows = list(csv.DictReader(open(os.path.join(reference_run, "accuracy.csv"))))
    assert len(rows) == 10
    for row in rows:
        after, task = int(row["after_task"]) - 1, int(row["task"]) - 1
        with h5py.File(os.path.join(reference_run, "tasks", f"task-{after:04}.h5")) as file:
            for field, name in (("correct", "after_merge/correct"), ("correct_before_merge", "before_merge/correct"),
                                ("correct_given_task", "after_merge/correct_given_task"), ("samples", "after_merge/samples")):
                assert int(row[field]) == file[f"metrics/{name}"][task]
    last = json.loads(subprocess.run([INSPECT, reference_run, "--json"], capture_output=True).stdout)["summary"]["last"]
    assert f"<b>{100 * last:.1f} %</b><span>last accuracy" in page
    table = read(reference_run, "accuracy.csv")
    report(reference_run)
    assert (read(reference_run, "report.html"), read(reference_run, "accuracy.csv")) == (page, table)


def untimed(page):
    """What a page says, except for times, names and where the run was made."""
    sections = dict(re.findall(r'<section id="(\w+)">(.*?)</section>', page, re.DOTALL))
    sections["training"] = sections["training"].partition('<div id="times">')[0]
    command = re.sub(r"(--out|-n) \S+|launch/mpirun.sh", "", re.search("<pre>(.*?)</pre>", page, re.DOTALL)[1])
    return {name: sections[name] for name in ("results", "merges", "losses", "training", "published")} | {"command": command}


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
def test_a_resumed_run_gives_the_same_page_and_events(reference_run, resumed_run):
    assert untimed(read(resumed_run, "report.html")) == untimed(read(reference_run, "report.html"))
    assert read(resumed_run, "accuracy.csv") == read(reference_run, "accuracy.csv")
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


@pytest.fixture(scope="module")
def compared(toy, reference_run):
    for seed in (1, 2):
        toy.run("--merge", "none", "--seed", seed, "--tasks", 2, out=f"none-{seed}")
        toy.run("--seed", seed, "--tasks", 2, out=f"closed-{seed}")
    return [toy.path("runs", name) for name in ("closed-1", "closed-2", "none-1", "none-2")]


def test_runs_are_pooled_over_seeds_and_paired(compared):
    rows = list(csv.DictReader(report(*compared, "--csv").splitlines()))
    assert [row["group"] for row in rows] == ["A", "A", "B", "B"] and [row["seed"] for row in rows] == ["1", "2", "1", "2"]
    found = json.loads(report(*compared, "--json"))
    assert [group["differs_in"] for group in found["groups"]] == ["merge closed-form:by=global,shrink=0", "merge none"]
    for measure in ("last", "average_anytime", "forgetting", "plasticity"):
        values = [float(row[measure]) for row in rows]
        for group, own in zip(found["groups"], (values[:2], values[2:])):
            assert group["spreads"][measure]["mean"] == pytest.approx(statistics.mean(own), abs=1e-6)
            assert group["spreads"][measure]["deviation"] == pytest.approx(statistics.stdev(own), abs=1e-6)
        differences = [values[2] - values[0], values[3] - values[1]]
        pair = found["differences"][0]["spreads"][measure]
        assert pair["mean"] == pytest.approx(statistics.mean(differences), abs=2e-6)
        assert pair["deviation"] == pytest.approx(statistics.stdev(differences), abs=2e-6)
    assert "B - A (n = 2)" in report(*compared)


def test_what_cannot_be_compared_is_refused(toy, compared, tmp_path):
    shutil.copytree(compared[0], tmp_path / "copy")
    assert "counts twice" in report(compared[0], tmp_path / "copy", code=2)
    assert "expected a run folder" in report(tmp_path, code=3)
    assert "--josn" in report(compared[0], "--josn", code=2)


@pytest.mark.parametrize("width", quick(1, [390, 1280]))
def test_a_browser_shows_the_pages_and_requests_nothing_else(toy, compared, tmp_path, width):
    if browser.CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    run = tmp_path / "a <b> & 'c'"
    shutil.copytree(toy.path("runs", "reference"), run)
    report(run)
    report(*compared, "--out", tmp_path / "comparison.html")
    with browser.Browser() as window:
        for page in (run / "report.html", tmp_path / "comparison.html"):
            window.open(str(page).replace("%", "%25"), width)
            assert window.complaints() == []
            assert len(window.requests()) == 1, window.requests()
            for every_table in (False, True):
                window.value(f"document.querySelectorAll('details').forEach(d => d.open = {str(every_table).lower()})")
                assert window.value("document.documentElement.scrollWidth") <= width
            assert window.value("[...document.querySelectorAll('svg[role=img]')].every(s => s.getBoundingClientRect().height > 40"
                                " && s.querySelector('title').textContent.length > 10)")
            assert window.value("document.querySelectorAll('svg[role=img]').length") == (10 if page.parent == run else 1)
            assert window.value("document.title") == ("a <b> & 'c': Palimpsest" if page.parent == run else "Runs compared: Palimpsest")
            if pictures := os.environ.get("PALIMPSEST_PICTURES"):
                with open(os.path.join(pictures, f"{page.stem}-{width}.png"), "wb") as file:
                    file.write(window.picture())
            assert window.pdf().startswith(b"%PDF-")
            assert window.complaints() == [] and len(window.requests()) == 1
