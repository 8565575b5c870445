"""Heat maps: a colour and a number for each cell of a table."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .draw import STEPS, STYLE, WIDE, WIDTH, Cells, Drawing, box, label_categories
from .palette import LIGHT, MOST_NEGATIVE, cell_opacity, text_role
from .text import Number

MOST_WRITTEN = 20  # a heat map of more columns has no numbers in its cells


@dataclass(frozen=True)
class HeatMap:
    """cells: [rows][columns], None where there is nothing. least, most: of the colours; negative values have the second colour.

    less_is_better: the least value has the strongest colour.
    """

    row_label: str
    column_label: str
    rows: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[Sequence[Number]]
    least: float
    most: float
    text: Callable[[float], str]
    unit: str
    row_names: Sequence[str] = ()  # in titles, where they are longer than `rows`
    less_is_better: bool = False


def heat_map(heat: HeatMap) -> Drawing:
    """With a bar of its colours beside it."""
    columns, rows = len(heat.columns), len(heat.rows)
    written = columns <= MOST_WRITTEN
    wide = is_wide(heat)
    with matplotlib.rc_context(STYLE | {"axes.grid": False, "axes.spines.bottom": False}):
        height = min(0.75 + rows * (0.2 if columns <= 24 else 0.13), 6.0) if rows > 1 else 1.1
        canvas = Canvas(figsize=(WIDE if wide else WIDTH, height if wide or rows != columns or rows < 20 else WIDTH * 0.9))
        axes = canvas.subplots()
        boxes, colours, titles = [], [], []
        for i, row in enumerate(heat.cells):
            for j, value in enumerate(row):
                if value is None:
                    if written:
                        axes.text(j, i, "–", ha="center", va="center", fontsize=7, color=LIGHT["quiet"]).set_in_layout(False)
                    continue
                role, opacity = _cell(heat, value)
                boxes.append(box(j - 0.48, i - 0.46, 0.96, 0.92))
                colours.append((role, opacity))
                name = heat.row_names[i] if heat.row_names else heat.rows[i]
                titles.append(f"{heat.row_label} {name}, {heat.column_label} {heat.columns[j]}: {heat.text(value)}{heat.unit}".strip())
                if written:
                    colour = LIGHT[text_role(opacity if role == "heat" else 0)]
                    axes.text(j, i, heat.text(value), ha="center", va="center", fontsize=7 if columns <= 12 else 6, color=colour).set_in_layout(False)
        collection = PolyCollection([], edgecolors="none", gid="cells", clip_on=False)
        collection.set_in_layout(False)
        axes.add_collection(collection, autolim=False)
        axes.set_xlim(-0.5, columns - 0.5)
        axes.set_ylim(rows - 0.5, -0.5)
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        label_categories(axes, heat.columns, at_most=25 if wide else 13)
        step = max(1, math.ceil(rows / 26))
        axes.set_yticks(range(0, rows, step), heat.rows[::step])
        axes.set_xlabel(heat.column_label, loc="left")
        axes.set_ylabel(heat.row_label, rotation=90)
        _add_colour_bar(canvas, axes, heat)
        return Drawing(canvas, {}, Cells(axes, collection, boxes, colours, titles))


def is_wide(heat: HeatMap) -> bool:
    return 10 < len(heat.columns) <= MOST_WRITTEN


def _cell(heat: HeatMap, value: float) -> tuple[str, float]:
    if value < 0 <= -heat.least:
        return "second", MOST_NEGATIVE * cell_opacity(value / heat.least)
    least = max(heat.least, 0.0)
    share = (value - least) / max(heat.most - least, 1e-12)
    return "heat", cell_opacity(1 - share if heat.less_is_better else share)


def _add_colour_bar(canvas: Canvas, axes: Axes, heat: HeatMap) -> None:
    bar = canvas.colorbar(ScalarMappable(), ax=axes, fraction=0.03 if not is_wide(heat) else 0.015, pad=0.02, aspect=18)
    own = bar.ax
    own.clear()
    steps = 32
    edges = [heat.least + (heat.most - heat.least) * i / steps for i in range(steps + 1)]
    colours = [to_rgba(LIGHT[role], opacity) for role, opacity in (_cell(heat, (low + high) / 2) for low, high in zip(edges, edges[1:], strict=False))]
    boxes = [box(0, low, 1, high - low) for low, high in zip(edges, edges[1:], strict=False)]
    own.add_collection(PolyCollection(boxes, facecolors=colours, edgecolors="none", clip_on=False))
    own.set_xlim(0, 1)
    own.set_ylim(heat.least, max(heat.most, heat.least + 1e-12))
    own.set_xticks([])
    own.tick_params(length=0, labelsize=7, labelcolor=LIGHT["quiet"])
    own.yaxis.tick_right()
    own.yaxis.set_major_locator(MaxNLocator(5 if len(heat.rows) > 2 else 2, steps=STEPS))
    own.yaxis.set_major_formatter(FuncFormatter(lambda value, _: heat.text(value).removesuffix(".0") + heat.unit))
    for spine in own.spines.values():
        spine.set_visible(False)
