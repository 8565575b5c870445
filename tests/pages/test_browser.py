"""A real browser shows the pages on a phone and on a desk, in both schemes and printed, and requests nothing else."""

import os

import browser
import pytest
from tiers import quick


@pytest.fixture(scope="module")
def pages(toy, reference_run, report, tmp_path_factory):
    folder = tmp_path_factory.mktemp("a <b> & 'c'")
    toy.run("--seed", 2, out="pages-browser")
    other = toy.path("runs", "pages-browser")
    report(reference_run, "--out", folder / "run.html", "--reference", other)
    report(reference_run, other, "--out", folder / "comparison.html")
    return [folder / "run.html", folder / "comparison.html"]


@pytest.mark.parametrize(("width", "dark"), quick(1, [(390, True), (1280, False), (390, False), (1280, True)]))
def test_it_shows_all_and_requests_nothing(pages, width, dark):
    if browser.CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with browser.Browser() as window:
        for page in pages:
            window.open(str(page).replace("%", "%25"), width, dark=dark)
            assert window.complaints() == [] and len(window.requests()) == 1
            for every_table in (False, True):
                window.value(f"document.querySelectorAll('details').forEach(d => d.open = {str(every_table).lower()})")
                assert window.value("document.documentElement.scrollWidth") <= width
            wide = "[...document.querySelectorAll('%s')].every(e => e.scrollWidth <= e.clientWidth)"
            assert window.value(wide % ".wide:has(.stacked)") and (width < 1000 or window.value(wide % "#runs .wide"))
            assert window.value("[...document.querySelectorAll('svg[role=img]')].every(s => s.getBoundingClientRect().height > 40"
                                " && s.querySelector('title').textContent.length > 10)")  # fmt: skip
            assert window.value("document.querySelectorAll('svg[role=img]').length") == (14 if page.stem == "run" else 2)
            assert window.value("new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size == document.querySelectorAll('[id]').length")
            paper = window.value("getComputedStyle(document.body).backgroundColor")
            assert paper == ("rgb(21, 23, 26)" if dark else "rgb(255, 255, 255)")
            if folder := os.environ.get("PALIMPSEST_PICTURES"):
                with open(os.path.join(folder, f"{page.stem}-{width}-{'dark' if dark else 'light'}.png"), "wb") as file:
                    file.write(window.picture())
            assert window.pdf().startswith(b"%PDF-")
            assert window.complaints() == [] and len(window.requests()) == 1
