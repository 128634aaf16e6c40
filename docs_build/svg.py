"""Small line charts as SVG: the same bytes on every machine, readable on light and on dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["BLUE", "COLOURS", "GREY", "ORANGE", "Axis", "Line", "Panel", "chart"]

# Okabe and Ito's colours for every eye, as far as they stand out from white and from black.
BLUE, ORANGE, GREY = "#2a8fd4", "#d9682c", "#8a8a8a"
COLOURS = (BLUE, ORANGE, "#0fa37f", "#c9709f", "#8a8a8a", "#4cb3e0", "#c79200")
_LEFT, _RIGHT, _TOP, _BOTTOM, _GAP = 56, 22, 10, 34, 16
_NEAR = 0.11  # pixels: a point this near to the line between its neighbours is not seen


@dataclass(frozen=True)
class Axis:
    """A range of values, and those that are written beside it.

    Attributes:
        low: the value at the left or at the bottom.
        high: the value at the other end.
        ticks: values with a label.
        label: what the values are.
        is_log: whether equal ratios are equally long.
    """

    low: float
    high: float
    ticks: Sequence[float]
    label: str = ""
    is_log: bool = False

    def share(self, value: float) -> float:
        """How far along the axis a value lies."""
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Line:
    """Points to be joined or dotted.

    Attributes:
        x: where they lie across.
        y: how high.
        colour: as CSS names it.
        style: how they are drawn.
        label: for the legend; "" leaves it out.
    """

    x: Sequence[float]
    y: Sequence[float]
    colour: str = BLUE
    style: Literal["line", "dashes", "dots"] = "line"
    label: str = ""


@dataclass(frozen=True)
class Panel:
    """One pair of axes with its lines; ``height`` in pixels, axes without labels."""

    x: Axis
    y: Axis
    lines: Sequence[Line]
    height: float = 120
    legend: Literal["top left", "top right", "bottom left"] = "top right"
    shows_x: bool = field(default=True)


def chart(panels: Sequence[Panel], *, width: float = 400) -> str:
    """The panels, one above the other."""
    parts, top = [], float(_TOP)
    for panel in panels:
        parts += _panel(panel, top, width)
        top += panel.height + (_GAP if panel is not panels[-1] else _BOTTOM)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {top:g}" width="{width:g}" height="{top:g}" '
        f'font-family="system-ui, sans-serif" font-size="11" fill="{GREY}">'
    )
    return "\n".join([head, *parts, "</svg>", ""])


def _panel(panel: Panel, top: float, width: float) -> list[str]:
    def across(value: float) -> float:
        return _LEFT + panel.x.share(value) * (width - _LEFT - _RIGHT)

    def down(value: float) -> float:
        return top + (1 - panel.y.share(value)) * panel.height

    bottom, right = top + panel.height, width - _RIGHT
    parts = []
    for value in panel.y.ticks:
        parts.append(_grid(_LEFT, down(value), right, down(value)))
        parts.append(_text(_LEFT - 6, down(value) + 4, f"{value:,g}", "end"))
    for value in panel.x.ticks:
        parts.append(_grid(across(value), top, across(value), bottom))
        if panel.shows_x:
            parts.append(_text(across(value), bottom + 14, f"{value:,g}", "middle"))
    parts += [_drawn(line, [(across(x), down(y)) for x, y in zip(line.x, line.y, strict=True)]) for line in panel.lines]
    if panel.shows_x:
        parts.append(_text((_LEFT + right) / 2, bottom + 29, panel.x.label, "middle"))
    middle = top + panel.height / 2
    turned = f' transform="rotate(-90 11 {middle:.1f})"'
    parts.append(_text(11, middle + 4, panel.y.label, "middle", turned))
    return parts + _legend(panel, top, right)


def _legend(panel: Panel, top: float, right: float) -> list[str]:
    named = [line for line in panel.lines if line.label]
    where, anchor = (_LEFT + 8, "start") if "left" in panel.legend else (right - 6, "end")
    first = top + 14 if "top" in panel.legend else top + panel.height - 8 - 14 * (len(named) - 1)
    rows = ((first + 14 * row, line) for row, line in enumerate(named))
    return [_text(where, y, line.label, anchor, f' style="fill:{line.colour}"') for y, line in rows]


def _drawn(line: Line, points: list[tuple[float, float]]) -> str:
    if line.style == "dots":
        return "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2" fill="{line.colour}"/>' for x, y in points)
    # rounded first: which points are kept must not hang on the last digit of a cosine
    rounded = [(round(x, 1), round(y, 1)) for x, y in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in seen(rounded))
    dashes = ' stroke-dasharray="2 3"' if line.style == "dashes" else ""
    return f'<polyline points="{path}" fill="none" stroke="{line.colour}" stroke-width="2"{dashes}/>'


def seen(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that the line needs (Douglas and Peucker 1973).

    >>> seen([(0.0, 0.0), (1.0, 1.0), (2.0, 2.0), (3.0, 0.0)])
    [(0.0, 0.0), (2.0, 2.0), (3.0, 0.0)]
    """
    keep, stretches = {0, len(points) - 1}, [(0, len(points) - 1)]
    while stretches:
        first, last = stretches.pop()
        far = max(range(first + 1, last), key=lambda at: _off(points[at], points[first], points[last]), default=first)
        if far != first and _off(points[far], points[first], points[last]) > _NEAR:
            keep.add(far)
            stretches += [(first, far), (far, last)]
    return [points[at] for at in sorted(keep)]


def _off(point: tuple[float, float], start: tuple[float, float], end: tuple[float, float]) -> float:
    """How far a point lies from the line through two others."""
    across, up = end[0] - start[0], end[1] - start[1]
    return abs(across * (point[1] - start[1]) - up * (point[0] - start[0])) / (math.hypot(across, up) or 1.0)


def _grid(x1: float, y1: float, x2: float, y2: float) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{GREY}" stroke-opacity="0.3"/>'


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    plain = text.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{plain}</text>'
