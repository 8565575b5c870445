"""A matplotlib figure as SVG in a page: colours by CSS variables, text as text, a title on each mark."""

import io
import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas

from .draw import Cells, Drawing, cells_drawn
from .palette import LIGHT, in_css
from .text import clean

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
POINTS_AN_INCH, PIXELS_AN_INCH = 72, 200
DRAWN = ("circle", "path", "polygon", "rect", "use")
Element = ElementTree.Element


def svg_file(drawing: Drawing) -> str:
    """A separate file, in the light scheme's colours."""
    with cells_drawn(drawing.cells):
        return _svg(drawing.canvas)


def png_file(drawing: Drawing) -> bytes:
    file = io.BytesIO()
    with cells_drawn(drawing.cells):
        drawing.canvas.savefig(file, format="png", dpi=PIXELS_AN_INCH)
    return file.getvalue()


def _svg(canvas: Canvas) -> str:
    """The same for the same figure."""
    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "palimpsest", "text.parse_math": False}):
        _arrange(canvas)
        canvas.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def _arrange(canvas: Canvas) -> None:
    """Once: where a figure has a layout engine, savefig draws everything twice."""
    engine = canvas.get_layout_engine()
    if engine is not None:
        FigureCanvasSVG(canvas)
        engine.execute(canvas)
        canvas.set_layout_engine(None)


def inline_svg(drawing: Drawing, name: str, title: str) -> str:
    """For a page. name: unique in it. title: for those who don't see the picture."""
    cells = drawing.cells
    root = ElementTree.fromstring(_svg(drawing.canvas))
    _remove(root, ("metadata", "style"))
    for gid, titles in drawing.mark_titles.items():
        _add_titles(_find(root, gid), gid, titles)
    group = _find(root, "cells")
    _shorten(root, name)
    if cells is not None and group is not None:
        group.extend(_cells(drawing.canvas, cells))
    while _remove(root, ("g", "defs"), only_empty=True):
        pass
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img"}
    described = ElementTree.Element("title")
    described.text = title
    root.insert(0, described)
    markup = ElementTree.tostring(root, encoding="unicode")
    return in_css(clean(re.sub(r">\s+<", "><", markup).strip()))


def _cells(canvas: Canvas, cells: Cells) -> Iterator[Element]:
    """The cells of a heat map, which are many, without matplotlib: a path of four sides each."""
    to_figure = cells.axes.transData + canvas.dpi_scale_trans.inverted()
    height = canvas.get_figheight()
    corners = to_figure.transform(np.array(cells.boxes).reshape(-1, 2)).reshape(-1, 4, 2) * POINTS_AN_INCH
    lefts, tops = corners[:, :, 0].min(axis=1), height * POINTS_AN_INCH - corners[:, :, 1].max(axis=1)
    sizes = np.ptp(corners, axis=1)
    for left, top, (width, tall), (role, opacity), title in zip(lefts, tops, sizes, cells.colours, cells.titles, strict=True):
        path = f"M{left:.1f} {top:.1f}h{width:.1f}v{tall:.1f}h-{width:.1f}z"
        cell = ElementTree.Element("path", {"d": path, "fill": LIGHT[role], "fill-opacity": f"{opacity:.2f}"})
        ElementTree.SubElement(cell, "title").text = title
        yield cell


def _find(root: Element, gid: str) -> Element | None:
    return next((element for element in root.iter(f"{SVG}g") if element.get("id") == gid), None)


def _remove(root: Element, tags: Sequence[str], only_empty: bool = False) -> bool:
    """Whether there was one."""
    found = [(parent, child) for parent in root.iter() for child in parent if child.tag.rpartition("}")[2] in tags and not (only_empty and len(child))]
    for parent, child in found:
        parent.remove(child)
    return bool(found)


def _add_titles(group: Element | None, gid: str, titles: Sequence[str]) -> None:
    """Raises AssertionError where the group has another number of marks."""
    marks = [] if group is None else list(_marks(group))
    assert len(marks) == len(titles), f"{gid}: {len(titles)} titles for {len(marks)} marks"
    for mark, title in zip(marks, titles, strict=True):
        ElementTree.SubElement(mark, f"{SVG}title").text = title


def _marks(group: Element) -> Iterator[Element]:
    for child in group:
        if child.tag.removeprefix(SVG) in DRAWN:
            yield child
        elif child.tag != f"{SVG}defs":
            yield from _marks(child)


def _shorten(root: Element, name: str) -> None:
    """Drops what a page doesn't need: namespaces, unused ids, digits, font families. Ids that are used become unique in the page."""
    used = {reference for element in root.iter() for reference in _references(element)}
    numbers = {reference: f"{name}-{i}" for i, reference in enumerate(sorted(used))}
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)
        if (own := element.attrib.pop("id", None)) in numbers:
            element.set("id", numbers[own])
        if target := element.attrib.pop(HREF, None):
            element.set("href", f"#{numbers[target[1:]]}")
        for key in ("d", "x", "y", "transform", "width", "height"):
            if key in element.attrib:
                element.set(key, re.sub(r"-?\d+\.\d{2,}", _rounded, element.attrib[key]))
        if "d" in element.attrib:
            element.set("d", re.sub(r"\s*([A-Za-z])\s*", r"\1", element.attrib["d"]))
        if "clip-path" in element.attrib:
            element.set("clip-path", re.sub(r"url\(#(\w+)\)", lambda match: f"url(#{numbers[match[1]]})", element.attrib["clip-path"]))
        if element.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]
        if "style" in element.attrib:
            element.set("style", _short_style(element.attrib["style"]))


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")


def _short_style(style: str) -> str:
    """Without the family of a font, which is the page's."""
    sized = re.sub(r"\bfont: ([\d.]+px)[^;]*", r"font-size: \1", style)
    parts = [part.strip().replace(": ", ":") for part in sized.split(";") if not part.strip().startswith("font-family")]
    return re.sub(r"(-opacity:0\.\d\d)\d+", r"\1", ";".join(filter(None, parts)))


def _references(element: Element) -> list[str]:
    targets = [element.attrib[HREF][1:]] if HREF in element.attrib else []
    return targets + re.findall(r"url\(#(\w+)\)", element.get("clip-path", ""))
