"""Figures of merges and of files: numbers that arrays confirm, colours of the palette alone."""

import os
import re
from xml.etree import ElementTree

import numpy as np
import palimpsest
import PIL.Image
import pytest
from palimpsest.pages.merge_figures import alpha_by_layer, alphas, cosines_figure, error_budget, fisher_by_layer, task_cosines
from palimpsest.pages.palette import LIGHT
from palimpsest.pages.reported import read_reported_run
from palimpsest.pages.svg import inline_svg, svg_file


@pytest.fixture(scope="module")
def reported(reference_run):
    return read_reported_run(reference_run)


def test_cosines_are_those_of_the_task_vectors(reported):
    norms, cosines = task_cosines(reported)
    vectors = [np.concatenate([delta.ravel() for delta in task.delta.values()]).astype(float) for task in reported.tasks]
    np.testing.assert_allclose(norms, [np.linalg.norm(vector) for vector in vectors], rtol=1e-5)
    expected = [[one @ other / np.linalg.norm(one) / np.linalg.norm(other) for other in vectors] for one in vectors]
    np.testing.assert_allclose(cosines, expected, atol=1e-5)
    assert len(cosines_figure(reported).drawing.cells.titles) == 6


def test_fisher_mass_by_layer(reported):
    cells = fisher_by_layer(list(reported.tasks)).drawing.cells.titles
    for task in reported.tasks:
        masses = {module: values.sum(dtype=float) for module, values in task.fisher.items()}
        for module, mass in masses.items():
            assert f"{module}, task {task.index + 1}: {100 * mass / sum(masses.values()):.1f} %" in cells


def test_alpha_by_layer(reported, toy):
    cells = alpha_by_layer(list(reported.tasks)).drawing.cells.titles
    merge = reported.tasks[2].merge
    for i, module in enumerate(reported.tasks[2].modules.index):
        quotient = merge.module_numerators[i] / merge.module_denominators[i]
        assert f"{module}, task 3: {min(max(quotient, 0), 1):.2f}" in cells
    toy.run("--merge", "closed-form:by=module", "--tasks", 2, out="pages-by-module")
    run = palimpsest.open(toy.path("runs", "pages-by-module"))
    cells = alpha_by_layer(list(run.tasks)).drawing.cells.titles
    for module, coefficient in zip(run.tasks[1].modules.index, run.tasks[1].merge.coefficients, strict=True):
        assert f"{module}, task 2: {coefficient:.2f}" in cells


def test_alphas_and_the_error_budget(reported):
    titles = alphas(list(reported.tasks)).drawing.mark_titles
    assert [f"α, task {task.index + 1}: {task.merge.alpha:.4g}" for task in reported.tasks] in titles.values()
    assert ["1/t, task 1: 1", "1/t, task 2: 0.5", "1/t, task 3: 0.3333", "1/t, task 4: 0.25"] in titles.values()
    figure = error_budget(list(reported.tasks))
    for name in ("predicted", "measured"):
        expected = [f"{name}, task {task.index + 1}: {task.metrics[f'rise_{name}'] or 0:.4g}" for task in reported.tasks]
        assert expected in figure.drawing.mark_titles.values()
    assert "half of d'Fd" in figure.note


def test_colours_in_a_page_are_variables_and_in_files_the_light_ones(reported):
    figure = cosines_figure(reported)
    inline = inline_svg(figure.drawing, figure.name, figure.title)
    assert not re.search(r"#[0-9a-f]{6}", inline) and {"heat", "second", "ink"} <= LIGHT.keys()
    assert set(re.findall(r"var\(--([a-z-]+)\)", inline)) <= LIGHT.keys()
    assert set(re.findall(r"#[0-9a-f]{6}\b", svg_file(figure.drawing))) <= set(LIGHT.values())
    assert inline == inline_svg(figure.drawing, figure.name, figure.title)


def test_each_figure_is_a_file(reference_run, report, tmp_path):
    report(reference_run, "--out", tmp_path / "page.html", "--figures", tmp_path / "figures")
    names = re.findall(r'<figure id="([a-z-]+)"', (tmp_path / "page.html").read_text())
    assert sorted(os.listdir(tmp_path / "figures")) == sorted(f"{name}.{kind}" for name in names for kind in ("svg", "png"))
    for name in names:
        root = ElementTree.parse(tmp_path / "figures" / f"{name}.svg").getroot()
        assert any(element.tag.endswith("text") for element in root.iter())
        with PIL.Image.open(tmp_path / "figures" / f"{name}.png") as picture:
            assert picture.width >= 800 and len(picture.convert("RGB").getcolors(picture.width * picture.height)) > 5
