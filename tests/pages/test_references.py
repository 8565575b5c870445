"""Other runs beside a run: lines and bands that are computed from their records, and what may not be drawn beside it."""

import h5py
import numpy as np
import palimpsest
import pytest
from palimpsest.pages.references import read_references, reference_lines, reference_sentence
from palimpsest.pages.reported import read_reported_run


@pytest.fixture(scope="module")
def references(toy):
    frozen = ("--adapter", "none", "--perturbation", "none", "--merge", "none")
    settings = {"pages-frozen": frozen, "pages-joint": ("--joint", "true", *frozen[2:]), "pages-seed-2": ("--seed", 2), "pages-seed-3": ("--seed", 3)}
    for name, options in settings.items():
        toy.run(*options, out=name)
    return [toy.path("runs", name) for name in settings]


def overall(folder):
    found = []
    for task in palimpsest.open(folder).tasks:
        with h5py.File(task.path) as file:
            found.append(file["metrics/after_merge/correct"][()].sum() / file["metrics/after_merge/samples"][()].sum())
    return found


def test_lines_and_bands(reference_run, references):
    run = read_reported_run(reference_run)
    found = read_references(run, references)
    assert [reference.name for reference in found] == ["frozen backbone", "joint training", "Perturb-and-Merge in other runs"]
    frozen, joint, seeds = reference_lines(found, 4)
    assert list(frozen.xs) == [1, 2, 3, 4] and frozen.ys == pytest.approx(overall(references[0])) and not frozen.band
    assert joint.ys == pytest.approx(overall(references[1]) * 4)
    both = np.array([overall(references[2]), overall(references[3])])
    assert seeds.ys == pytest.approx(both.mean(axis=0))
    np.testing.assert_allclose(seeds.band, np.stack([both.min(axis=0), both.max(axis=0)], axis=1))
    assert f"joint training reaches {100 * joint.ys[0]:.1f} %" in reference_sentence(found)


def test_they_are_on_the_page(reference_run, references, report, tmp_path):
    report(reference_run, "--out", tmp_path / "page.html", "--reference", *references)
    text = (tmp_path / "page.html").read_text()
    for folder, name in zip(references, ("frozen backbone", "joint training"), strict=False):
        assert f"{name}, after task 1: {100 * overall(folder)[0]:.1f}</title>" in text
    assert f"this run, after task 4: {100 * overall(reference_run)[3]:.1f}</title>" in text


def test_a_run_of_other_classes_is_refused(reference_run, golden, report, tmp_path):
    message = report(reference_run, "--out", tmp_path / "page.html", "--reference", golden, code=3)
    assert str(golden) in message and "the same 8 classes" in message and not (tmp_path / "page.html").exists()
