"""A figure as the page holds it: its JSON, a legend that a keyboard reaches, and its values as a table."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from surefoot.language import say
from surefoot.reports.thinning import kept_places

__all__ = ["Chart", "chart"]

# Of a table that stands for a picture: rows a curve, and of all curves together about so many.
MOST_ROWS, MOST_TOGETHER, FEWEST_ROWS, MOST_MARKS = 40, 240, 4, 300
NO_VALUE = "no value"
# How many corners a mark has, and by which part of a corner it is turned from standing on its end.
_CORNERS = {"square": (4, 0.5), "diamond": (4, 0.0), "triangle-up": (3, 0.0), "pentagon": (5, 0.0), "hexagon": (6, 0.0)}


@dataclass(frozen=True)
class Entry:
    """A line of the legend.

    Attributes:
        label: of a curve or a group of curves.
        colour: theirs.
        dash: of a line, in pixels; "" where it is solid.
        symbol: of marks without a line, as Plotly calls it; "" where there is a line.
        width: of the line, in pixels.
        traces: which they are.
    """

    label: str
    colour: str
    dash: str
    symbol: str
    width: float
    traces: list[int]

    @property
    def shape(self) -> str:
        """The corners of the mark as an SVG polygon; "" where there is a line."""
        return _shape(self.symbol) if self.symbol else ""

    @property
    def ink(self) -> str:
        """The colour for paper, where there is no colour of the text around to take."""
        return "#333333" if self.colour == "currentColor" else self.colour


@dataclass(frozen=True)
class Chart:
    """A picture of a page.

    Attributes:
        title: its heading.
        caption: what it shows.
        json: the figure for Plotly, safe inside a script element.
        legend: what its colours mean; empty where there is one alone.
        head: of the table of its values.
        rows: of it, as texts.
        is_thinned: whether the table leaves points out.
        figure: the figure itself, for a picture file.
    """

    title: str
    caption: str
    json: str
    legend: list[Entry]
    head: list[str]
    rows: list[list[str]]
    is_thinned: bool
    figure: Any = field(repr=False, compare=False)


def chart(title: str, caption: str, figure: Any) -> Chart:
    """A figure with its heading, ready for a template."""
    text: str = figure.to_json()
    safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    heatmaps = [trace for trace in figure.data if trace.type == "heatmap"]
    head = [say("curve"), _title(figure.layout.xaxis) or "x", say("value")]
    if heatmaps:
        head = [_title(figure.layout.yaxis), _title(figure.layout.xaxis), say("value")]
        rows, is_thinned = [row for trace in heatmaps for row in _cells(trace)], False
    else:
        rows, is_thinned = _points(figure.data)
    return Chart(title, caption, safe, _legend(figure.data), head, rows, is_thinned, figure)


def _title(axis: Any) -> str:
    return html.unescape(axis.title.text or "")


def _legend(traces: Sequence[Any]) -> list[Entry]:
    """An entry a name or group, in the order in which Plotly would list them; none for one alone."""
    found: dict[str, Entry] = {}
    ranks: dict[str, float] = {}
    for place, trace in enumerate(traces):
        if trace.type != "scatter" or not trace.name:
            continue
        label = html.unescape(trace.legendgroup or trace.name)
        if trace.showlegend is False and label not in found:
            continue
        if label not in found:
            symbol = "" if trace.mode is None or "lines" in trace.mode else _symbol(trace.marker.symbol)
            found[label] = Entry(label, _colour(trace, bool(symbol)), _dash(trace), symbol, _width(trace), [])
            ranks[label] = 1000 if trace.legendrank is None else trace.legendrank
        found[label].traces.append(place)
    entries = sorted(found.values(), key=lambda entry: ranks[entry.label])
    return entries if len(entries) > 1 else []


def _symbol(symbol: Any) -> str:
    """One symbol for a trace of marks; a circle where each has its own."""
    return symbol.removesuffix("-open") if isinstance(symbol, str) else "circle"


def _shape(name: str) -> str:
    if name == "x":
        return "8,1 13,4 18,1 18,2 15,6 18,10 18,11 13,8 8,11 8,10 11,6 8,2"
    if name == "star":
        spikes = [(math.pi * corner / 5 - math.pi / 2, 6.5 if corner % 2 == 0 else 2.6) for corner in range(10)]
        return " ".join(f"{13 + far * math.cos(angle):.1f},{6 + far * math.sin(angle):.1f}" for angle, far in spikes)
    corners, turn = _CORNERS.get(name, (16, 0.0))
    angles = [2 * math.pi * (corner + turn) / corners - math.pi / 2 for corner in range(corners)]
    return " ".join(f"{13 + 5.5 * math.cos(angle):.1f},{6 + 5.5 * math.sin(angle):.1f}" for angle in angles)


def _colour(trace: Any, is_mark: bool) -> str:
    colour = trace.marker.color if is_mark else trace.line.color
    return colour if isinstance(colour, str) else "currentColor"


def _width(trace: Any) -> float:
    """Of a line as it is drawn, and thick enough to be seen beside a word."""
    return max(1.0, float(trace.line.width or 2.0))


def _dash(trace: Any) -> str:
    if trace.legendgroup and trace.line.dash == "dot":
        return ""  # the training loss of a run, whose validation loss is solid
    return {"dash": "6 3", "dot": "2 3"}.get(trace.line.dash or "", "")


def _points(traces: Sequence[Any]) -> tuple[list[list[str]], bool]:
    told = [trace for trace in traces if trace.hoverinfo != "skip" and trace.x is not None]
    most = max(FEWEST_ROWS, min(MOST_ROWS, MOST_TOGETHER // max(1, len(told))))
    rows, is_thinned = [], False
    for trace in told:
        is_listed = trace.mode == "markers" and trace.text is not None  # every mark is a thing of its own
        places = range(len(trace.x)) if is_listed and len(trace.x) <= MOST_MARKS else kept_places(trace.y, most)
        is_thinned = is_thinned or len(places) < len(trace.x)
        rows += [_row(trace, place) for place in places if _is_number(trace.y[place])]
    return rows, is_thinned


def _is_number(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _row(trace: Any, place: int) -> list[str]:
    texts = trace.text if isinstance(trace.text, list | tuple) else ()
    name = html.unescape(trace.name or "")
    if trace.mode == "markers" and texts:
        name = html.unescape(str(texts[place])).replace("<br>", say(", "))
    value = "" if trace.meta == NO_VALUE else _number(trace.y[place])
    return [name, _number(trace.x[place]), value]


def _cells(trace: Any) -> Iterator[list[str]]:
    for label, texts in zip(trace.y, trace.text, strict=True):
        for column, text in zip(trace.x, texts, strict=True):
            if text:
                yield [html.unescape(str(label)), html.unescape(str(column)), html.unescape(str(text))]


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return html.unescape(str(value))
    return f"{value:,.0f}" if abs(value) < 1e12 and value == int(value) else f"{value:.4g}"
