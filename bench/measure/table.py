"""Writes the results: JSON below bench/results, and tables between marks, one pair for each device, in two pages: figures in docs/performance.md, goals in bench/README.md."""

import dataclasses
import json

from .inputs import ROOT

FIGURES_PAGE, GOALS_PAGE = ROOT / "docs" / "performance.md", ROOT / "bench" / "README.md"
MARKS = {
    device: (f"<!-- the {device} table begins: bench/run.sh {device} writes what follows -->", f"<!-- the {device} table ends -->")
    for device in ("cpu", "gpu")
}
FIGURES_HEAD = ["| work | unit | palimpsest | compared with | result |", "|---|---|---|---|---|"]
GOALS_HEAD = ["| work | result | undisturbed | goal | |", "|---|---|---|---|---|"]


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


def figures_line(row):
    other = f"{figure(row.other)}, {row.other_name}" if row.other else ""
    return f"| {' | '.join((row.title, row.unit, figure(row.ours), other, of_kind(row.value, row.kind)))} |"


def goal_line(row):
    quiet = "" if row.undisturbed is None else of_kind(row.undisturbed, row.kind)
    goal = f"{'≥' if row.at_least else '≤'} {of_kind(row.goal, row.kind, goal=True)}"
    met = ("met" if row.met else "missed") + ("" if row.is_clear else ", within the spread")
    return f"| {' | '.join((row.title, of_kind(row.value, row.kind), quiet, goal, met))} |"


def figures_text(head, rows, notes):
    return "\n".join([head, "", *FIGURES_HEAD, *map(figures_line, rows), *(f"\n{note}" for note in notes)]) + "\n"


def goals_text(head, rows, losses_table):
    """Rows that have a goal, and whether both sides did the same work."""
    return "\n".join([head, "", *GOALS_HEAD, *(goal_line(row) for row in rows if row.goal is not None), "", *losses_table]) + "\n"


def origin(about):
    machine = about["machine"]
    return (
        f"Measured on {about['date']} at commit {machine['commit']}, {about['device']}, {about['ranks']} ranks of 1 thread, "
        f"{about['rounds']} round{'s' if about['rounds'] > 1 else ''}: {machine['gpu'] or machine['processor']}, "
        f"{machine['cores']} cores, {' '.join(machine['instructions'])}, {machine['memory_gb']} GB; "
        + ", ".join(f"{name} {machine[name]}" for name in ("torch", "transformers", "timm", "peft"))
        + f", {machine['mpi']}."
    )


def losses_table(losses):
    return [
        "The losses of both sides, in the first round:",
        "",
        "| work | contender | first loss | mean loss of the last quarter | greatest difference to palimpsest in this precision | accuracy, or exact match |",
        "|---|---|---|---|---|---|",
        *(
            f"| {title} | {name} | {first:.5f} | {last:.5f} | {difference:.1e} | {100 * accuracy:.1f} % |"
            for title, name, first, last, difference, accuracy in losses
        ),
    ]


def texts(about, rows, losses, notes):
    """Of both pages: figures, goals."""
    return figures_text(origin(about), rows, notes), goals_text(origin(about), rows, losses_table(losses))


def write_json(path, about, rows, raw):
    path.parent.mkdir(exist_ok=True)
    lines = [{**dataclasses.asdict(row), "met": row.met} for row in rows]
    path.write_text(json.dumps({**about, "rows": lines, "measured": raw}, indent=1) + "\n")


def write_page(page, text, device):
    begin, end = MARKS[device]
    whole = page.read_text()
    before, after = whole[: whole.index(begin) + len(begin)], whole[whole.index(end) :]
    page.write_text(f"{before}\n{text}{after}")


def write_pages(figures, goals, device):
    for page, text in ((FIGURES_PAGE, figures), (GOALS_PAGE, goals)):
        write_page(page, text, device)


def write(about, rows, pages, raw):
    """pages: the texts of both."""
    path = ROOT / "bench" / "results" / f"{about['date']}-{about['device']}.json"
    write_json(path, about, rows, raw)
    write_pages(*pages, about["device"])
    print(*pages, sep="\n")
    print("written:", *(each.relative_to(ROOT) for each in (path, FIGURES_PAGE, GOALS_PAGE)))
