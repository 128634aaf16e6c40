"""A chart drawn by matplotlib: as much of Plotly as our figures use, lines, marks, grids of cells and upright lines."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

from surefoot.reports.chart import Chart, Entry

__all__ = ["draw"]

POINTS = 0.75  # a pixel of a page, in points
_DASHES: dict[str | None, Any] = {"solid": "-", "dash": "--", "dot": ":", None: "-"}
_MARKS = {
    "circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "pentagon": "p", "hexagon": "h", "star": "*",
    "x": "X",
}  # fmt: skip
LEGEND_COLUMNS = 4


def draw(chart: Chart, part: Any) -> None:
    """Draw a chart into a part of a matplotlib figure, with its title above and its legend below."""
    axes, figure = part.subplots(), chart.figure
    axes.set_title(chart.title, loc="left", fontsize=12, parse_math=False)
    right = _right_axes(axes, figure)
    for trace in figure.data:
        on = right if trace.type == "scatter" and trace.yaxis == "y2" else axes
        _draw_cells(on, trace) if trace.type == "heatmap" else _draw_trace(on, trace, part)
    _set_axis(axes.xaxis, axes.set_xscale, axes.set_xlim, figure.layout.xaxis)
    _set_axis(axes.yaxis, axes.set_yscale, axes.set_ylim, figure.layout.yaxis)
    _draw_marks(axes, figure)
    axes.grid(alpha=0.3, linewidth=0.6)
    if chart.legend:
        handles = [_handle(entry) for entry in chart.legend]
        part.legend(handles=handles, loc="outside lower left", ncols=LEGEND_COLUMNS, fontsize=8, frameon=False)


def _right_axes(axes: Any, figure: Any) -> Any:
    if not any(trace.type == "scatter" and trace.yaxis == "y2" for trace in figure.data):
        return None
    right, layout = axes.twinx(), figure.layout.yaxis2
    if layout.range:
        right.set_ylim(*layout.range)
    right.set_ylabel(_words(layout.title.text))
    right.yaxis.set_visible(layout.visible is not False)
    return right


def _draw_trace(axes: Any, trace: Any, part: Any) -> None:
    mode = trace.mode or "lines"
    x, y = (list(trace.x), [math.nan if value is None else value for value in trace.y])
    x = [math.nan if value is None else value for value in x]
    opacity = 1.0 if trace.opacity is None else trace.opacity
    if "lines" in mode:
        style = "steps-post" if trace.line.shape == "hv" else "default"
        width = 2.0 if trace.line.width is None else trace.line.width
        axes.plot(
            x, y, color=trace.line.color, linestyle=_DASHES.get(trace.line.dash, "--"), linewidth=width * POINTS,
            drawstyle=style, alpha=opacity,
        )  # fmt: skip
    if "markers" in mode:
        _draw_markers(axes, trace, x, y, part)
    if "text" in mode and trace.text is not None:
        for place, words in enumerate(trace.text):
            axes.annotate(_words(words), (x[place], y[place]), fontsize=8, parse_math=False)


def _draw_markers(axes: Any, trace: Any, x: list[float], y: list[float], part: Any) -> None:
    """Marks, symbol by symbol: matplotlib draws one at a time."""
    marker, drawn = trace.marker, None
    sizes = _each(6 if marker.size is None else marker.size, len(x))
    symbols = [str(symbol).removesuffix("-open") for symbol in _each(marker.symbol or "circle", len(x))]
    colours = _each(trace.line.color if marker.color is None else marker.color, len(x))
    scale: dict[str, Any] = {}
    if marker.cmin is not None:
        scale = {"cmap": "viridis_r" if marker.reversescale else "viridis", "vmin": marker.cmin, "vmax": marker.cmax}
    for symbol in dict.fromkeys(symbols):
        places = [place for place, own in enumerate(symbols) if own == symbol]
        drawn = axes.scatter(
            [x[place] for place in places], [y[place] for place in places], marker=_MARKS.get(symbol, "o"),
            s=[(sizes[place] * POINTS) ** 2 for place in places], linewidths=0.6, edgecolors="#555555", zorder=3,
            **{"c" if scale else "color": [colours[place] for place in places]}, **scale,
        )  # fmt: skip
    if marker.showscale and drawn is not None:
        bar = part.colorbar(drawn, ax=axes, ticks=list(marker.colorbar.tickvals))
        bar.set_ticklabels(list(marker.colorbar.ticktext))
        bar.set_label(_words(marker.colorbar.title.text))


def _draw_cells(axes: Any, trace: Any) -> None:
    values = [[math.nan if value is None else value for value in row] for row in trace.z]
    if not any(math.isfinite(value) for row in values for value in row):
        return
    from matplotlib.colors import ListedColormap

    is_grey = len(trace.colorscale) == 2 and trace.colorscale[0][1] == trace.colorscale[1][1]
    colours = ListedColormap([trace.colorscale[0][1]]) if is_grey else "viridis_r" if trace.reversescale else "viridis"
    axes.pcolormesh(values, cmap=colours, edgecolors="white", linewidth=2)
    finite = [value for row in values for value in row if math.isfinite(value)]
    middle = (min(finite) + max(finite)) / 2
    for row, texts in enumerate(trace.text):
        for column, words in enumerate(texts):
            is_dark = not is_grey and values[row][column] > middle
            colour = "white" if is_dark == bool(trace.reversescale) and not is_grey else "black"
            place = (column + 0.5, row + 0.5)
            axes.annotate(_words(words), place, ha="center", va="center", color=colour, parse_math=False)
    for axis, labels in ((axes.xaxis, trace.x), (axes.yaxis, trace.y)):
        axis.set_ticks([place + 0.5 for place in range(len(labels))], [_words(label) for label in labels])


def _set_axis(axis: Any, set_scale: Any, set_limits: Any, layout: Any) -> None:
    if layout.type == "log":
        set_scale("log")
    if layout.range:
        set_limits(*(10**end if layout.type == "log" else end for end in layout.range))
    elif layout.rangemode == "tozero":
        set_limits(0, None)
    if layout.tickvals is not None and layout.type != "category":
        axis.set_ticks(list(layout.tickvals), [_words(text) for text in layout.ticktext], minor=False)
        axis.set_minor_locator(_nowhere())
    axis.set_label_text(_words(layout.title.text), parse_math=False)


def _nowhere() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def _draw_marks(axes: Any, figure: Any) -> None:
    """Upright lines and bands, and the words beside them."""
    for shape in figure.layout.shapes:
        colour = shape.fillcolor or shape.line.color
        if shape.type == "rect":
            axes.axvspan(shape.x0, shape.x1, color=colour, alpha=shape.opacity, linewidth=0)
        else:
            axes.axvline(shape.x0, color=colour, linestyle=_DASHES.get(shape.line.dash, "--"), linewidth=1.5)
    is_log = figure.layout.xaxis.type == "log"
    for note in figure.layout.annotations:
        x = 10**note.x if is_log else note.x
        axes.annotate(
            _words(note.text), (x, note.y), xycoords=("data", "axes fraction"), xytext=(note.xshift or 0, 0),
            textcoords="offset points", ha=note.xanchor or "left", va=note.yanchor or "top", fontsize=9,
            parse_math=False,
        )  # fmt: skip


def _handle(entry: Entry) -> Any:
    from matplotlib.lines import Line2D

    if entry.shape:
        return Line2D([], [], marker=_MARKS.get(entry.symbol, "o"), linestyle="", color=entry.ink, label=entry.label)
    style: Any = {"": "-", "6 3": "--"}.get(entry.dash, ":")
    return Line2D([], [], linestyle=style, color=entry.ink, linewidth=entry.width * POINTS, label=entry.label)


def _each(value: Any, count: int) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value] * count


def _words(text: Any) -> str:
    return html.unescape(str(text or "")).replace("<br>", "\n")
