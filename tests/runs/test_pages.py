"""The Python of docs/notebook.md and of the example notebook is run as it is written, cell by cell."""

import json
import os

import matplotlib
import palimpsest
import pytest
from page import ROOT, blocks

PAGE, NOTEBOOK = "docs/notebook.md", "docs/examples/open_a_run.ipynb"


@pytest.fixture
def folder(tmp_path, reference_run, toy, monkeypatch):
    """Has the runs that the page and the notebook open, and is the current folder."""
    if not os.path.exists(toy.path("runs", "page-other")):
        toy.run("--merge", "average", "--tasks", 2, out="page-other")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "mine").symlink_to(reference_run)
    (tmp_path / "runs" / "other").symlink_to(toy.path("runs", "page-other"))
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")


def run_cells(cells):
    """Each cell's code in one namespace, which is returned."""
    namespace = {}
    for place, text in cells:
        exec(compile(text, place, "exec"), namespace)
    return namespace


def test_the_code_of_the_page_runs(folder):
    cells = [(block.place, block.text) for block in blocks(PAGE) if block.language == "python"]
    assert len(cells) >= 6
    names = run_cells(cells)
    assert isinstance(names["run"], palimpsest.Run) and names["model"].config.model_type == "bert" and len(names["weights"]) == 4


def test_the_page_names_every_column_and_what_the_package_offers(folder):
    text = (ROOT / PAGE).read_text()
    run = palimpsest.open("runs/mine")
    for name in run.accuracy.columns:
        assert f"`{name}`" in text or name in ("correct_task", "correct_top5"), name
    for name in ("InputError", "load_backbone", "open", "weights_sha256"):
        assert f"palimpsest.{name}" in text, name


def test_the_notebook_runs_without_output_in_the_file(folder):
    with open(ROOT / NOTEBOOK, encoding="utf-8") as file:
        notebook = json.load(file)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code), "save the notebook without its output"
    names = run_cells([(f"{NOTEBOOK}, cell {i}", "".join(cell["source"])) for i, cell in enumerate(code)])
    assert names["run"].tasks[1].merge.alpha == pytest.approx(names["alpha"], rel=1e-5) and 0 < names["alpha"] < 1
    (curve, _) = names["axes"].lines
    assert curve.get_ydata().tolist() == names["run"].alphas.tolist()
