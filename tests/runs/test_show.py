"""How a run looks at a prompt and in a notebook."""

import html.parser
import json
import os
import re

import palimpsest
import pytest


class Cells(html.parser.HTMLParser):
    """The text of each cell by row; fails for tags that aren't closed in their order."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag != "br":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_text_and_table_have_the_same_numbers(reference_run):
    run = palimpsest.open(reference_run)
    rows = Cells(run._repr_html_()).rows
    accuracies = run.matrix()
    assert [row[0] for row in rows] == ["in %", "local", "task", "0", "1", "2", "3"]
    assert rows[1][1:4] == [f"{100 * run.metrics.loc[name, 'local']:.1f}" for name in ("last", "average_anytime", "forgetting")]
    for task, row in zip(run.tasks, rows[3:], strict=True):
        assert row[1:5] == ["2", "40", f"{run.alphas[task.index]:.3f}", f"{100 * accuracies.loc[task.index, task.index]:.1f}"]
        assert row in [line.split() for line in repr(run).splitlines()]
    for name, value in zip(rows[0][1:], rows[1][1:], strict=True):
        assert f"{name} {value}" in repr(run)


def test_no_line_of_settings_is_long_and_none_breaks_a_setting(reference_run):
    run = palimpsest.open(reference_run)
    lines = [line for line in repr(run).splitlines()[1:] if "%" not in line][: -len(run.tasks)]
    assert len(lines) > 1 and max(map(len, lines)) <= 100
    assert [part for line in lines for part in line.strip().removesuffix(";").split("; ")] == [
        *(f"{name} {run.config[name]}" for name in ("scenario", "adapter", "perturbation", "merge", "curvature", "seed")),
        "classifier local",
    ]


def test_before_the_first_task_all_classifiers_are_shown(golden):
    started = json.loads((golden / "run.json").read_text())
    started["config"]["classifier"] = "local:refit=0,align=none,ridge:projection=8"
    (golden / "run.json").write_text(json.dumps(started))
    os.remove(golden / "manifest.json")
    run = palimpsest.open(golden)
    assert run.classifiers == ("local:refit=0,align=none", "ridge:projection=8")
    assert repr(run).endswith("classifier local:refit=0,align=none, ridge:projection=8")


def test_parts_are_short_and_say_their_shapes(golden, tmp_path, make_long_run):
    run = palimpsest.open(golden)
    task = run.tasks[0]
    lora, head = next(iter(task.lora.values())), task.head
    assert repr(lora) == f"<Lora of rank {lora.rank}: A {list(lora.A.shape)}, B {list(lora.B.shape)}, scale 1>"
    assert repr(head) == f"<Head linear: weight {list(head.weight.shape)}, bias [2], scale 1, of {', '.join(task.classes)}>"
    assert repr(run.evaluations) == "{'%s': <Evaluations by %s after 2 tasks>}" % (run.classifiers * 2)
    assert repr(run.evaluations[run.classifiers[0]].after_merge[0]).startswith("<Row of 1 task: correct, ")
    make_long_run(tmp_path / "one", 1)
    one = palimpsest.open(tmp_path / "one")
    assert repr(one.tasks) == "<1 task>" and repr(one.state).startswith("<State after 1 task: ") and repr(run.tasks) == "<2 tasks>"


def test_names_are_escaped(golden):
    run = palimpsest.open(golden)
    run.tasks[0].__dict__["_identity"] = run.tasks[0]._identity | {"name": "<b>&", "classes": ("<i>", "x" * 3)}
    assert "“&lt;b&gt;&amp;”" in run.tasks[0]._repr_html_() and "2: &lt;i&gt;, xxx" in run.tasks[0]._repr_html_()
    assert Cells(run.tasks[0]._repr_html_()).rows[0] == ["classes", "2: <i>, xxx"]


@pytest.mark.parametrize("part", ["run", "task"])
def test_colours_are_the_page_s_own(part, golden):
    """So that light and dark pages both show it: text has no colour, and what is drawn lets the page through."""
    run = palimpsest.open(golden)
    text = (run if part == "run" else run.tasks[0])._repr_html_()
    assert set(re.findall(r"(?<![-\w])color:([^;}]+)", text)) == {"inherit"}
    colours = re.findall(r"#[0-9a-f]{3,8}|rgba?\([^)]*\)", text)
    assert colours and all(0 < float(colour[5:-1].split(",")[3]) < 0.5 for colour in colours)
