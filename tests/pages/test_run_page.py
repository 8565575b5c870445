"""A run's page says what its records say."""

import csv
import html
import html.parser
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import palimpsest
import pandas as pd
import pytest
from palimpsest.pages.reported import read_reported_run
from palimpsest.pages.settings import sorted_settings
from palimpsest.pages.write import write_file

VOID = ("meta", "link")


class Nesting(html.parser.HTMLParser):
    """Fails where a tag is closed that isn't the last one opened."""

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag


@pytest.fixture
def page(report):
    """page(run, options...): the text of its page."""

    def make(run, *options):
        report(run, *options)
        return (run / "report.html").read_text()

    return make


def counts(run, moment="after_merge"):
    """(right, samples) of the evaluation after each task, from the tasks' records."""
    found = []
    for name in sorted(os.listdir(run / "tasks")):
        with h5py.File(run / "tasks" / name) as file:
            found.append((file[f"metrics/{moment}/correct"][()], file[f"metrics/{moment}/samples"][()]))
    return found


def edit_json(path, change):
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


def figure(text, name):
    return re.search(rf'<figure id="{name}".*?</figure>', text, re.DOTALL)[0]


def command_of(text):
    return html.unescape(re.search("<pre>(.*?)</pre>", text, re.DOTALL)[1])


def titles(text, name):
    return [html.unescape(title) for title in re.findall(r"<title>(.*?)</title>", figure(text, name))[1:]]


def test_every_format_version_has_a_page(golden_of_version, report, tmp_path):
    report(golden_of_version, "--out", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    Nesting(text)
    right, samples = counts(golden_of_version)[-1]
    assert f"<b>{100 * right.sum() / samples.sum():.1f} %</b><span>last accuracy" in text
    assert not (golden_of_version / "report.html").exists()


def test_it_loads_nothing(golden, page):
    text = page(golden)
    Nesting(text)
    assert not re.search(r"https?:|src=|@import|<script|url\((?!#)", text)


def test_title_and_finding(golden, page):
    edit_json(golden / "run.json", lambda run: run["config"].update(protocol="configs/protocols/some-stream.json"))
    text = page(golden)
    name = "golden: Perturb-and-Merge on some-stream, seed 1"
    assert f"<h1>{name}</h1>" in text and f"<title>{name}: Palimpsest</title>" in text
    edit_json(golden / "run.json", lambda run: run["config"].update(protocol="golden.json"))
    assert "<h1>golden: Perturb-and-Merge, seed 1</h1>" in page(golden)
    right, samples = counts(golden)[-1]
    finding = re.search('class="finding">(.*?)</p>', text)[1]
    assert finding.startswith(f"After 2 tasks with 4 classes, {100 * right.sum() / samples.sum():.1f} % of the test samples are classified right")


def test_every_cell_of_the_matrices_has_its_number(make_long_run, page):
    run = make_long_run(5)
    text = page(run)
    for name, moment in (("accuracy-after-merge", "after_merge"), ("accuracy-before-merge", "before_merge")):
        expected = [
            f"after {t + 1}, on task {j + 1}: {100 * right[j] / samples[j]:.1f} %"
            for t, (right, samples) in enumerate(counts(run, moment))
            for j in range(t + 1)
        ]
        assert titles(text, name) == expected and len(expected) == 15
        for title in expected:
            assert f">{title.split(': ')[1].removesuffix(' %')}</text>" in figure(text, name)


def test_what_a_task_lost(make_long_run, page):
    run = make_long_run(4)
    after = [right / samples for right, samples in counts(run)]
    before = [right / samples for right, samples in counts(run, "before_merge")]
    found = titles(page(run), "lost-accuracy")
    for task in range(4):
        own = 100 * (before[task][task] - after[task][task])
        later = 100 * (after[task][task] - after[-1][task])
        for name, value in (("its own merge", own), ("the tasks after it", later)):
            assert f"{name}, task {task + 1}: {abs(value) < 0.05 and '0.0' or f'{value:.1f}'}" in found


def test_a_sentence_takes_the_place_of_an_empty_chart(make_long_run, page):
    text = page(make_long_run(1))
    Nesting(text)
    assert '<p class="note">No task&#39;s accuracy was changed by its own merge' in text and 'id="lost-accuracy"' not in text


@pytest.mark.slow
def test_forgetting_after_each_task(make_long_run, page):
    run = make_long_run(4)
    matrix = np.full((4, 4), np.nan)
    for t, (right, samples) in enumerate(counts(run)):
        matrix[t, : t + 1] = right / samples
    found = titles(page(run), "forgetting")
    for t in range(1, 4):
        value = 100 * np.mean([np.nanmax(matrix[:t, j]) - matrix[t, j] for j in range(t)])
        assert any(title.startswith(f"forgetting, after task {t + 1}: ") and float(title.split(": ")[1]) == pytest.approx(value, abs=0.051) for title in found)


def test_the_table_for_programs_has_every_count(golden, report):
    shown = report(golden).splitlines()
    assert shown == [str(golden / "report.html"), str(golden / "accuracy.csv")]
    rows = list(csv.DictReader((golden / "accuracy.csv").open()))
    assert len(rows) == 3
    after, before = counts(golden), counts(golden, "before_merge")
    for row in rows:
        t, j = int(row["after_task"]) - 1, int(row["task"]) - 1
        assert (int(row["correct"]), int(row["samples"])) == (after[t][0][j], after[t][1][j])
        assert int(row["correct_before_merge"]) == before[t][0][j]
        assert float(row["accuracy"]) == pytest.approx(after[t][0][j] / after[t][1][j], abs=1e-6)


def test_names_are_text_and_the_command_is_quoted(golden, page):
    edit_json(golden / "run.json", lambda run: run["config"].update(protocol="<script>alert('1')&.json", pack="data/it's \x07.h5") or run.update(world_size=2))
    text = page(golden)
    assert "<script" not in text and "\x07" not in text
    assert "<h1>golden: Perturb-and-Merge on &lt;script&gt;alert(&#39;1&#39;)&amp;, seed 1</h1>" in text
    command = command_of(text)
    assert command.startswith("launch/mpirun.sh -n 2 build/release/src/palimpsest train \\\n  --") and r"--pack 'data/it'\''s �.h5'" in command


def test_settings_that_are_not_the_papers_are_marked(golden, page):
    text = page(golden)
    with h5py.File(golden / "tasks" / "task-0001.h5") as file:
        recorded = json.loads(file["config"][()])
    remark = re.search(r"Not as in the paper \(≠\): (.*?)\.</p>", text)[1].split(", ")
    assert recorded["epochs"] != 10 and "epochs" in remark and "seed" not in remark
    row = re.search("<tr><td[^>]*>epochs<.*?</tr>", text)[0]
    assert re.findall('data-heading="([a-z ]+)">(.*?)<', row) == [
        ("setting", "epochs"), ("this run", f"{recorded['epochs']} (≠ paper)"), ("default", "10"), ("paper", "10"),
    ]  # fmt: skip


def test_settings_of_images_are_left_out_of_runs_on_texts(golden):
    run = read_reported_run(golden)
    images = replace(run, tasks=(SimpleNamespace(modules=pd.DataFrame(index=["blocks.0.attn.key"])),))
    of_texts, of_images = ({row.name for row in sorted_settings(one).unchanged} for one in (run, images))
    assert of_images - of_texts == {"image-transform", "augmentation"} and of_texts < of_images


def test_every_classifier_is_in_the_finding_and_the_command_runs(toy, report, tmp_path):
    toy.run("--classifier", "local,ridge", "--tasks", 2, out="pages-two-classifiers")
    folder = toy.path("runs", "pages-two-classifiers")
    report(folder, "--out", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    last = [f"{100 * value:.1f} %" for value in palimpsest.open(folder).metrics.loc["last"]]
    assert f"{last[0]} of the test samples are classified right by local heads and {last[1]} by ridge; by local heads, earlier tasks" in text
    command = command_of(text)
    assert command.endswith(f"--out {folder}-again")
    here = command.replace("build/release/src/palimpsest", os.environ["PALIMPSEST"])
    done = subprocess.run(["bash", "-c", f"{here} --dry-run"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_loss_is_that_of_the_log_and_damaged_lines_are_counted(golden, page):
    lines = [
        '{"event":"step","time":1,"task":0,"step":0,"loss":2.5}',
        '{"event":"step","time":1,"task":0,"step":1,"loss":null}',
        '{"event":"step","time":1,"task":0,"step":2,"lo',
        '{"event":"step","time":1,"task":1,"step":0,"loss":1}',
    ]
    (golden / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    text = page(golden)
    assert titles(text, "loss") == ["loss, step 1: 2.5", "loss, step 2: 1"]
    assert "1 line of metrics.jsonl can&#39;t be read: what it said is missing" in text
    os.remove(golden / "metrics.jsonl")
    assert "metrics.jsonl has no steps" in page(golden)


def test_a_run_without_a_finished_task_has_a_page_and_no_run_has_none(golden, page, report, tmp_path):
    os.remove(golden / "manifest.json")
    text = page(golden)
    assert "No task is finished yet." in text and "The command that makes this run again" in text
    Nesting(text)
    (tmp_path / "nothing").mkdir()
    assert "expected a run folder" in report(tmp_path / "nothing", code=3)


@pytest.mark.slow
def test_without_its_start_the_page_says_what_is_missing(golden, page):
    assert "run.json is missing" not in page(golden)
    os.remove(golden / "run.json")
    assert "run.json is missing: pack, protocol and backbone must be added." in page(golden)


def test_a_damaged_record_is_named(golden, report):
    with open(golden / "tasks" / "task-0001.h5", "r+b") as file:
        file.truncate(1000)
    assert "task-0001.h5" in report(golden, code=3)


@pytest.mark.slow
def test_the_same_run_gives_the_same_page(golden, page, tmp_path):
    copy = shutil.copytree(golden, tmp_path / "copy" / "golden")
    assert page(copy).replace(str(copy), "") == page(golden).replace(str(golden), "")


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--josn"], "--josn"), (["--json", "--csv"], "found both"), (["--json", "--watch"], "--watch"), (["--csv", "--figures", "x"], "--out")],
)
def test_wrong_usage(golden, report, options, message):
    assert message in report(golden, *options, code=2)


@pytest.mark.slow
def test_the_program_as_a_process(golden, start_report):
    process = start_report(golden)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and errors == "" and output.splitlines()[0] == str(golden / "report.html")
    process = start_report(golden / "nowhere")
    assert "expected a run folder" in process.communicate(timeout=60)[1] and process.returncode == 3


def test_missing_folders_are_made(golden, report, tmp_path):
    out, figures = tmp_path / "new" / "deep" / "x.html", tmp_path / "other" / "figures"
    report(golden, "--out", out, "--figures", figures)
    assert out.exists() and list(figures.glob("*.svg"))


@pytest.mark.parametrize(
    ("option", "place", "message"),
    [
        ("--out", "folder", "--out: expected the name of a file, found the folder"),
        ("--figures", "file", "--figures: expected a folder, found the file"),
        ("--figures", "file/x", "--figures: expected only folders above the path, found the file"),
        ("--out", "file/x.html", "--out: expected only folders above the path, found the file"),
    ],
)
def test_places_that_cannot_be_written_are_wrong_usage(golden, report, tmp_path, option, place, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("kept")
    assert message in report(golden, option, tmp_path / place, code=2)
    assert (tmp_path / "file").read_text() == "kept" and not list((tmp_path / "folder").iterdir()) and not (golden / "report.html").exists()


def test_a_failed_write_names_the_file_alone(tmp_path):
    with pytest.raises(OSError, match=r"/here: the file cannot be written: Is a directory$"):
        (tmp_path / "here").mkdir()
        write_file(str(tmp_path / "here"), "x")
    assert [path.name for path in tmp_path.iterdir()] == ["here"]
