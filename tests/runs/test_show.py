"""How a run looks at a prompt and in a notebook."""

import html.parser
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
