"""The charts that pages are made of. Each is drawn in the light scheme's colours; svg.py puts it into a page."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import Formatter, FuncFormatter, MaxNLocator

from .palette import LIGHT, SERIES
from .text import Number, Table, short_number, with_power

WIDTH, HEIGHT = 4.0, 2.45  # inches, of 72 units of an SVG
WIDE = 8.2
DASHES: tuple[Any, ...] = ("-", (0, (5, 2.2)), (0, (1.5, 1.8)), (0, (6, 2, 1.5, 2)))
POINT_MARKER = "D"  # of a line of one point
MOST_MARKED = 40  # a line of more points has no marks

STEPS = (1, 2, 2.5, 5, 10)
SHARES, DIFFERENCES = (0.0, 1.0), (-1.0, 1.0)  # what accuracies can be, and differences between them
LEAST_SPAN = 0.01  # of an axis of shares, whose labels have one decimal of a percent
BAR_HEIGHT, LINE_HEIGHT = 0.2, 0.17  # inches, of a lying bar and of a line of a legend

STYLE: dict[Any, Any] = {
    "font.size": 8,
    "font.family": "sans-serif",
    "axes.edgecolor": LIGHT["rule"],
    "axes.labelcolor": LIGHT["quiet"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": LIGHT["rule"],
    "grid.linewidth": 0.6,
    "text.parse_math": False,
    "text.color": LIGHT["ink"],
    "xtick.color": LIGHT["rule"],
    "ytick.color": LIGHT["rule"],
    "xtick.labelcolor": LIGHT["quiet"],
    "ytick.labelcolor": LIGHT["quiet"],
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "figure.dpi": 72,  # as SVG files have it
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "svg.fonttype": "none",
}


class Cells(NamedTuple):
    """Of a heat map: many, so that the collection has none until they are drawn.

    boxes: [cells][4 corners][x, y], in the units of the axes. colours: role and opacity. titles: hover text.
    """

    axes: Axes
    collection: PolyCollection
    boxes: Sequence[Sequence[tuple[float, float]]]
    colours: Sequence[tuple[str, float]]
    titles: Sequence[str]


@contextlib.contextmanager
def cells_drawn(cells: Cells | None) -> Iterator[None]:
    """By matplotlib, as long as the context lasts: for files."""
    if cells is not None:
        cells.collection.set_verts(cells.boxes)
        cells.collection.set_facecolor([to_rgba(LIGHT[role], opacity) for role, opacity in cells.colours])
    yield
    if cells is not None:
        cells.collection.set_verts([])


class Drawing(NamedTuple):
    """mark_titles: {gid: hover text of each mark}."""

    canvas: Canvas
    mark_titles: Mapping[str, Sequence[str]]
    cells: Cells | None = None


@dataclass(frozen=True)
class Figure:
    """name: of its file. title: what is seen, for those who don't see it."""

    name: str
    caption: str
    title: str
    drawing: Drawing
    table: Table | None = None
    note: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Line:
    """ys: [points]; None: not defined there. band: (least, greatest) of each point; [] for none. style: place in SERIES and DASHES."""

    name: str
    xs: Sequence[float]
    ys: Sequence[Number]
    style: int = 0
    band: Sequence[tuple[float, float]] = ()
    role: str = ""


def line_of_runs(name: str, runs: Sequence[Sequence[Number]], style: int, role: str = "") -> Line:
    """runs: [runs][points]. Their mean and, of several, their range; None where one of them isn't defined."""
    values = np.array(runs, float)  # NaN for None
    means: list[Number] = [None if np.isnan(mean) else mean for mean in values.mean(axis=0).tolist()]
    band = list(zip(values.min(axis=0).tolist(), values.max(axis=0).tolist(), strict=True)) if len(runs) > 1 else []
    return Line(name, range(1, len(means) + 1), means, style, band, role)


@dataclass(frozen=True)
class Bars:
    name: str
    values: Sequence[Number]


@dataclass(frozen=True)
class Scale:
    """Of the values of a chart. text: of one, in the unit of the axis."""

    x: str
    y: str
    text: Callable[[float], str] = short_number
    least: Number = None
    most: Number = None
    logarithmic: bool = False
    whole_x: bool = True
    within: tuple[float, float] | None = None  # the limits of what values can be, of shares
    borders: Sequence[float] = field(default=())


def line_chart(scale: Scale, lines: Sequence[Line]) -> Drawing:
    with matplotlib.rc_context(STYLE):
        canvas = Canvas(figsize=(WIDTH, HEIGHT + (0.13 * len(lines) if len(lines) > 2 else 0)))
        axes = canvas.subplots()
        titles: dict[str, list[str]] = {}
        for border in scale.borders:
            axes.axvline(border, color=LIGHT["rule"], linewidth=0.6)
        for i, line in enumerate(lines):
            _draw_line(axes, scale, line, f"line{i}", titles)
        _set_limits(axes, scale)
        axes.margins(x=0.03)
        if scale.whole_x:
            axes.xaxis.set_major_locator(MaxNLocator(7, steps=STEPS, integer=True, min_n_ticks=1))
        axes.set_xlabel(scale.x)
        _label_values(axes, scale)
        _add_legend(canvas, [_line_handle(line) for line in lines])
        return Drawing(canvas, titles)


def bar_chart(scale: Scale, categories: Sequence[str], bars: Sequence[Bars]) -> Drawing:
    """Side by side, for each category."""
    with matplotlib.rc_context(STYLE | {"axes.spines.bottom": False}):
        canvas = Canvas(figsize=(WIDTH, HEIGHT))
        axes = canvas.subplots()
        titles = {}
        width = min(0.76 / len(bars), 0.05 * len(categories))
        for k, series in enumerate(bars):
            boxes, own_titles = [], []
            for i, value in enumerate(series.values):
                if value is None or not math.isfinite(value):
                    continue
                left = i + width * (k - len(bars) / 2)
                boxes.append(box(left, 0, width * 0.92, value))
                own_titles.append(f"{series.name}, {scale.x} {categories[i]}: {scale.text(value)}")
            _add_boxes(axes, boxes, f"bars{k}", LIGHT[SERIES[k]])
            titles[f"bars{k}"] = own_titles
        axes.autoscale_view()
        _set_limits(axes, scale)
        axes.axhline(0, color=LIGHT["quiet"], linewidth=0.6)
        label_categories(axes, categories)
        axes.set_xlim(-0.6, len(categories) - 0.4)
        axes.set_xlabel(scale.x)
        _label_values(axes, scale)
        _add_legend(canvas, [Patch(color=LIGHT[SERIES[k]], label=series.name) for k, series in enumerate(bars)])
        return Drawing(canvas, titles)


def share_bars(scale: Scale, categories: Sequence[str], parts: Sequence[Bars]) -> Drawing:
    """A bar for each category, lying, made of its parts one after the other."""
    with matplotlib.rc_context(STYLE | {"axes.grid.axis": "x"}):
        rows = math.ceil(len(parts) / _legend_columns([part.name for part in parts]))
        canvas = Canvas(figsize=(WIDTH, min(max(0.85 + BAR_HEIGHT * len(categories), 1.3), 5.2) + LINE_HEIGHT * (rows - 1)))
        axes = canvas.subplots()
        titles = {}
        starts = [0.0] * len(categories)
        for k, part in enumerate(parts):
            boxes, own_titles = [], []
            for i, value in enumerate(part.values):
                if value is None or value <= 0:
                    continue
                boxes.append(box(starts[i], i - 0.38, value, 0.76))
                own_titles.append(f"{scale.x} {categories[i]}, {part.name}: {scale.text(value)}")
                starts[i] += value
            _add_boxes(axes, boxes, f"parts{k}", LIGHT[SERIES[k]])
            titles[f"parts{k}"] = own_titles
        axes.set_xlim(0, max([*starts, 1e-9]))
        axes.set_ylim(len(categories) - 0.5, -0.5)
        step = max(1, math.ceil(len(categories) / 25))
        axes.set_yticks(range(0, len(categories), step), categories[::step])
        axes.xaxis.set_major_formatter(_Ticks(scale.text))
        axes.set_title(scale.x, loc="left", fontsize=8, color=LIGHT["quiet"])
        axes.set_xlabel(scale.y)
        _add_legend(canvas, [Patch(color=LIGHT[SERIES[k]], label=part.name) for k, part in enumerate(parts)])
        return Drawing(canvas, titles)


@dataclass(frozen=True)
class Points:
    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    titles: Sequence[str]


def scatter(x: str, y: str, groups: Sequence[Points], text: Callable[[float], str]) -> Drawing:
    """Of shares: differences along x, accuracies along y."""
    markers = "osD^"
    with matplotlib.rc_context(STYLE | {"axes.grid.axis": "both"}):
        canvas = Canvas(figsize=(WIDTH, HEIGHT + 0.4))
        axes = canvas.subplots()
        titles = {}
        for k, group in enumerate(groups):
            colour, marker = LIGHT[SERIES[k % 4]], markers[k // 4 % 4]
            axes.scatter(group.xs, group.ys, s=26, marker=marker, color=colour, linewidths=0, gid=f"points{k}", label=group.name, clip_on=False)
            titles[f"points{k}"] = list(group.titles)
        axes.margins(0.12)
        axes.set_xlim(_share_limits(DIFFERENCES, *axes.get_xlim()))
        axes.set_ylim(_share_limits(SHARES, *axes.get_ylim()))
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(6, steps=STEPS))
            axis.set_major_formatter(_Ticks(text))
        canvas.legend(loc="outside lower left", ncols=_legend_columns([group.name for group in groups]), handletextpad=0.2)
        return Drawing(canvas, titles)


def _draw_line(axes: Axes, scale: Scale, line: Line, gid: str, titles: dict[str, list[str]]) -> None:
    colour = LIGHT[_role(line)]
    known = [i for i, y in enumerate(line.ys) if y is not None and math.isfinite(y) and (not scale.logarithmic or y > 0)]
    xs, ys = [line.xs[i] for i in known], [float(line.ys[i] or 0) for i in known]
    if line.band and known:
        least, most = ([line.band[i][end] for i in known] for end in (0, 1))
        axes.fill_between(xs, least, most, color=colour, alpha=0.16, linewidth=0)
    if len(line.xs) > 1:
        axes.plot(xs, ys, color=colour, linestyle=DASHES[line.style % 4], linewidth=1.4, clip_on=False)
    if 0 < len(known) <= MOST_MARKED:
        size, marker = (11, "o") if len(line.xs) > 1 else (34, POINT_MARKER)
        axes.scatter(xs, ys, s=size, marker=marker, color=colour, linewidths=0, gid=gid, zorder=3, clip_on=False)
        titles[gid] = [f"{line.name}, {scale.x} {short_number(x)}: {scale.text(y)}" for x, y in zip(xs, ys, strict=True)]


def _line_handle(line: Line) -> Line2D:
    colour = LIGHT[_role(line)]
    if len(line.xs) == 1:
        return Line2D([], [], color=colour, linestyle="none", marker=POINT_MARKER, markersize=5, markeredgewidth=0, label=line.name)
    return Line2D([], [], color=colour, linestyle=DASHES[line.style % 4], linewidth=1.4, label=line.name)


def _role(line: Line) -> str:
    return line.role or SERIES[line.style % 4]


def box(left: float, bottom: float, width: float, height: float) -> list[tuple[float, float]]:
    return [(left, bottom), (left, bottom + height), (left + width, bottom + height), (left + width, bottom)]


def _add_boxes(axes: Axes, boxes: list[list[tuple[float, float]]], gid: str, colour: str) -> None:
    axes.add_collection(PolyCollection(boxes, facecolors=colour, edgecolors="none", gid=gid, clip_on=False))


def _set_limits(axes: Axes, scale: Scale) -> None:
    if scale.logarithmic:
        axes.set_yscale("log")
    low, high = axes.get_ylim()
    low = low if scale.least is None else min(low, scale.least) if low < 0 else scale.least
    high = high if scale.most is None else max(high, scale.most)
    axes.set_ylim(_share_limits(scale.within, low, high) if scale.within else (low, high))


def _share_limits(within: tuple[float, float], low: float, high: float) -> tuple[float, float]:
    """Of an axis: no further than values can be, and no closer together than its labels can show."""
    low, high = max(low, within[0]), min(high, within[1])
    high = min(max(high, low + LEAST_SPAN), within[1])
    return max(min(low, high - LEAST_SPAN), within[0]), high


def _label_values(axes: Axes, scale: Scale) -> None:
    if not scale.logarithmic:
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=STEPS))
    axes.yaxis.set_major_formatter(_Ticks(scale.text))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    axes.set_title(scale.y, loc="left", fontsize=8, color=LIGHT["quiet"])


class _Ticks(Formatter):
    """Labels of an axis, all in one notation."""

    def __init__(self, text: Callable[[float], str]) -> None:
        self._text = text

    def __call__(self, value: float, position: int | None = None) -> str:
        return self._text(value).removesuffix(".0")

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        texts = [self(value) for value in values]
        return [with_power(value) for value in values] if any("e" in text for text in texts) else texts


def label_categories(axes: Axes, categories: Sequence[str], at_most: int = 20) -> None:
    step = max(1, math.ceil(len(categories) / at_most))
    axes.set_xticks(range(0, len(categories), step), categories[::step])


def _add_legend(canvas: Canvas, handles: Sequence[Line2D | Patch]) -> None:
    if len(handles) > 1:
        columns = _legend_columns([str(handle.get_label()) for handle in handles])
        canvas.legend(handles=list(handles), loc="outside lower left", ncols=columns, columnspacing=1.2)


def _legend_columns(names: Sequence[str]) -> int:
    longest = max(map(len, names))
    return 1 if longest > 26 else 2 if longest > 12 else 4
