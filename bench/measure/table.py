"""Writes the results: JSON below bench/results, and a table in docs/performance.md between two marks, one pair for each device."""

import dataclasses
import json

from .inputs import ROOT

PAGE = ROOT / "docs" / "performance.md"
MARKS = {
    device: (f"<!-- the {device} table begins: bench/run.sh {device} writes what follows -->", f"<!-- the {device} table ends -->")
    for device in ("cpu", "gpu")
}
HEAD = ["| work | unit | palimpsest | compared with | result | undisturbed | goal | |", "|---|---|---|---|---|---|---|---|"]


def number(value):
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"


def of_kind(value, kind, goal=False):
    if kind == "times":
        return f"{value:g}x" if goal else f"{value:.2f}x"
    if kind == "percent":
        return f"{100 * value:g} %" if goal else f"{100 * value:.1f} %"
    return f"{value:g} {kind}" if goal else f"{number(value)} {kind}"


def figure(value):
    return f"{number(value.median)} ({number(value.least)} to {number(value.greatest)})" if value else ""


def line(row):
    other = f"{figure(row.other)}, {row.other_name}" if row.other else ""
    goal = met = ""
    if row.goal is not None:
        goal = f"{'≥' if row.at_least else '≤'} {of_kind(row.goal, row.kind, goal=True)}"
        met = ("met" if row.met else "missed") + ("" if row.is_clear else ", within the spread")
    quiet = "" if row.undisturbed is None else of_kind(row.undisturbed, row.kind)
    cells = (row.title, row.unit, figure(row.ours), other, of_kind(row.value, row.kind), quiet, goal, met)
    return f"| {' | '.join(cells)} |"


def text(about, rows, losses, notes):
    machine = about["machine"]
    head = [
        f"Measured on {about['date']} at commit {machine['commit']}, {about['device']}, {about['ranks']} ranks of 1 thread, "
        f"{about['rounds']} round{'s' if about['rounds'] > 1 else ''}: {machine['gpu'] or machine['processor']}, "
        f"{machine['cores']} cores, {' '.join(machine['instructions'])}, {machine['memory_gb']} GB; "
        + ", ".join(f"{name} {machine[name]}" for name in ("torch", "transformers", "timm", "peft"))
        + f", {machine['mpi']}.",
        "",
        *HEAD,
        *map(line, rows),
        "",
        *(f"{note}\n" for note in notes),
        "The same work on both sides, in the first round:",
        "",
        "| work | contender | first loss | mean loss of the last quarter | greatest difference to palimpsest in this precision | accuracy, or exact match |",
        "|---|---|---|---|---|---|",
        *(
            f"| {title} | {name} | {first:.5f} | {last:.5f} | {difference:.1e} | {100 * accuracy:.1f} % |"
            for title, name, first, last, difference, accuracy in losses
        ),
    ]
    return "\n".join(head) + "\n"


def write_json(path, about, rows, raw):
    path.parent.mkdir(exist_ok=True)
    lines = [{**dataclasses.asdict(row), "met": row.met} for row in rows]
    path.write_text(json.dumps({**about, "rows": lines, "measured": raw}, indent=1) + "\n")


def write_page(page_text, device):
    begin, end = MARKS[device]
    page = PAGE.read_text()
    before, after = page[: page.index(begin) + len(begin)], page[page.index(end) :]
    PAGE.write_text(f"{before}\n{page_text}{after}")


def write(about, rows, page_text, raw):
    path = ROOT / "bench" / "results" / f"{about['date']}-{about['device']}.json"
    write_json(path, about, rows, raw)
    write_page(page_text, about["device"])
    print(page_text)
    print(f"written: {path.relative_to(ROOT)}, {PAGE.relative_to(ROOT)}")
