"""The tables in docs/results.md, between two marks."""

from . import language_tables, questions, stream_tables
from .children import ROOT, Failed
from .files import write_whole
from .results import Results

PAGE = ROOT / "docs" / "results.md"
BEGIN, END = "<!-- made by bench/study tables -->", "<!-- end of what bench/study tables makes -->"


def tables(places):
    results = Results(places)
    return "\n\n".join([*stream_tables.texts(results), *questions.texts(results), *language_tables.texts(places)])


def with_tables(page, text):
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Failed(f"{PAGE}: expected the lines {BEGIN} and {END}, between which the tables are")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def write(places, page=PAGE):
    write_whole(page, with_tables(page.read_text(), tables(places)))


def check(places, page=PAGE):
    if with_tables(page.read_text(), tables(places)) != page.read_text():
        raise Failed(f"{page}: expected the tables that follow from {places.results}, found others; run: bench/study tables")
