"""The pictures of a probe as one PNG, drawn by matplotlib."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from surefoot import files
from surefoot.records import Capacity, ProbeReport
from surefoot.reports.amounts import number, rows
from surefoot.reports.appearance import PALETTE
from surefoot.reports.probe_numbers import (
    Axis,
    axis_over,
    fitted_memory,
    fitted_speed,
    frontier_label,
    frontier_points,
    label_sides,
    loss_limits,
    memory_unit,
    noise_axis,
    open_interval,
    size_ticks,
    speed,
)
from surefoot.reports.probe_text import PARTS, interval, missing, moment

__all__ = ["write_probe_picture"]

BLUE, RED, GREY = PALETTE[0], PALETTE[1], PALETTE[6]


def write_probe_picture(report: ProbeReport, path: Path) -> None:
    """Write the four panels of a probe's page to a PNG; a panel that cannot be drawn says why."""
    from matplotlib.figure import Figure  # loaded on use: it takes a second

    gaps = missing(report)
    figure = Figure(figsize=(12.0, 8.4), dpi=110, layout="constrained")
    for axes, (part, title) in zip(figure.subplots(2, 2).flat, PARTS.items(), strict=True):
        axes.set_title(title, fontsize=11, loc="left")
        if part in gaps:
            axes.set(xticks=[], yticks=[])
            words = textwrap.fill(f"nothing to show: {gaps[part]}", 50)
            axes.text(0.5, 0.5, words, ha="center", va="center", color="#555555", parse_math=False)
        else:
            _DRAWN[part](axes, report)
    figure.suptitle(_heading(report), fontsize=13, parse_math=False)
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def _heading(report: ProbeReport) -> str:
    words = [report.task]
    for name, suggestion, is_count in (
        ("learning rate", report.learning_rate, False),
        ("batch size", report.batch_size, True),
    ):
        if suggestion.value is None:
            words.append(f"no {name}")
        else:
            around = interval(suggestion, is_count=is_count)
            value = rows(suggestion.value) if is_count else number(suggestion.value)
            words.append(f"{name} {value}" + (f" ({around})" if around else ""))
    return textwrap.fill(f"{words[0]}: {', '.join(words[1:])}", 110)


def _draw_range_test(axes: Any, report: ProbeReport) -> None:
    test = report.range_test
    assert test is not None
    for curve in test.curves or (test.losses,):
        axes.plot(test.rates[: len(curve)], curve, color=BLUE, linewidth=0.9, alpha=0.4)
    axes.plot(test.rates[: len(test.smoothed)], test.smoothed, color=BLUE, linewidth=2.5)
    if test.low is not None and test.high is not None:
        axes.axvspan(test.low, test.high, color=BLUE, alpha=0.15, linewidth=0)
    if test.value is not None:
        _upright(axes, test.value, number(test.value), colour=BLUE)
    if test.diverged_above is not None:
        words = f"diverged at {number(test.diverged_above)}"
        _upright(axes, test.diverged_above, words, colour=BLUE, style=":", is_low=True)
    axes.set(xscale="log", ylim=loss_limits([test]), xlabel=f"learning rate ({test.optimizer})", ylabel="loss")
    axes.grid(alpha=0.3)


def _draw_noise(axes: Any, report: ProbeReport) -> None:
    axis = noise_axis(report)
    for place, reading in enumerate(report.noise):
        ends = open_interval(reading, axis)
        if ends is not None:
            axes.plot(ends, [place, place], color=BLUE, linewidth=8, alpha=0.35, solid_capstyle="butt")
        if reading.value is not None:
            axes.plot([reading.value], [place], "o", color=BLUE, markersize=10)
            words = rows(reading.value)
            axes.annotate(words, (reading.value, place), (0, 8), textcoords="offset points", ha="center")
    _span(axes.xaxis, axis)
    axes.set(xlabel="gradient noise scale, rows", ylim=(len(report.noise) - 0.4, -0.6))
    axes.set_yticks(range(len(report.noise)), [moment(report, reading) for reading in report.noise])
    if report.batch_size.value is not None:
        _upright(axes, report.batch_size.value, f"batch {rows(report.batch_size.value)}", colour=RED)
    axes.grid(alpha=0.3, axis="x")


def _draw_speed(axes: Any, report: ProbeReport) -> None:
    capacity = report.capacity
    assert capacity is not None
    law, run = fitted_speed(capacity), {point.batch_size: speed(point) for point in capacity.points}
    if law:
        axes.plot(*_columns(law), color=BLUE, linewidth=1.8, label="speed, fitted")
    axes.plot(*_columns(run.items()), "o", color=BLUE, label="speed, as run")
    for size, words, mark, fill in ((capacity.largest, "largest", "D", "none"), (capacity.knee, "knee", "*", "full")):
        if size in run:
            style = {"color": BLUE, "markersize": 14, "fillstyle": fill}
            axes.plot([size], [run[size]], mark, label=f"{words} {rows(size)}", **style)
    _span(axes.yaxis, axis_over([*run.values(), *(value for _, value in law)]))
    sizes = size_ticks(capacity)
    axes.set(xscale="log", xlabel="batch size, rows", ylabel="rows a second")
    axes.set_xticks(sizes, [rows(size) for size in sizes], rotation=45 if len(sizes) > 8 else 0)
    axes.set_xticks([], minor=True)
    axes.grid(alpha=0.3)
    handles = axes.get_legend_handles_labels()[0] + _draw_memory(axes, capacity)
    axes.legend(handles=handles, loc="upper left", fontsize=8)


def _draw_memory(axes: Any, capacity: Capacity) -> list[Any]:
    """The memory of a step on an axis at the right; what to put into the legend."""
    known = [(point.batch_size, point.peak_bytes) for point in capacity.points if point.peak_bytes is not None]
    if not known:
        return []
    length, unit = memory_unit(needed for _, needed in known)
    right = axes.twinx()
    for pairs, style, name in ((fitted_memory(capacity), "--", "memory, fitted"), (known, "s", "memory, as run")):
        if pairs:
            sizes, needed = _columns(pairs)
            right.plot(sizes, [each / length for each in needed], style, color=RED, label=name)
    right.set_ylim(0.0, 1.1 * max(needed for _, needed in known) / length)
    right.set_ylabel(f"memory, {unit}")
    return list(right.get_legend_handles_labels()[0])


def _draw_frontier(axes: Any, report: ProbeReport) -> None:
    points, title = frontier_points(report)
    axes.plot([point.steps for point, _ in points], [height for _, height in points], ":", color=GREY, linewidth=1)
    for (point, height), side in zip(points, label_sides(points), strict=True):
        colour = RED if point.is_suggested else BLUE
        axes.plot(
            [point.steps], [height], "*" if point.is_suggested else "o", color=colour,
            markersize=16 if point.is_suggested else 8, markerfacecolor=colour if point.was_run else "none",
        )  # fmt: skip
        words, shift = "\n".join(frontier_label(point)).rstrip(), {"left": -5, "center": 0, "right": 5}[side]
        axes.annotate(
            words, (point.steps, height), (shift, -5), textcoords="offset points", va="top", fontsize=8,
            ha={"left": "right", "center": "center", "right": "left"}[side],
        )  # fmt: skip
    _span(axes.xaxis, axis_over((point.steps for point, _ in points), room=0.22))
    _span(axes.yaxis, axis_over((height for _, height in points), room=0.15))
    axes.set(xlabel="optimizer steps", ylabel=title)
    axes.grid(alpha=0.3)


_DRAWN: dict[str, Callable[[Any, ProbeReport], None]] = {
    "range_test": _draw_range_test,
    "noise": _draw_noise,
    "capacity": _draw_speed,
    "frontier": _draw_frontier,
}


def _span(side: Any, axis: Axis) -> None:
    """Give one axis of a panel its ends, its scale and its ticks."""
    limits = side.axes.set_xlim if side.axis_name == "x" else side.axes.set_ylim
    scale = side.axes.set_xscale if side.axis_name == "x" else side.axes.set_yscale
    if axis.is_log:
        scale("log")
        side.set_ticks(axis.ticks, axis.labels())
        side.set_ticks([], minor=True)
    limits(axis.low, axis.high)


def _upright(axes: Any, x: float, words: str, *, colour: str, style: str = "--", is_low: bool = False) -> None:
    """A vertical line with words right of its top or left of its foot."""
    axes.axvline(x, color=colour, linestyle=style, linewidth=1.6)
    place = {"ha": "right", "va": "bottom"} if is_low else {"ha": "left", "va": "top"}
    axes.annotate(
        words, (x, 0.0 if is_low else 1.0), (-4, 4) if is_low else (4, -4), xycoords=("data", "axes fraction"),
        textcoords="offset points", fontsize=9, **place,
    )  # fmt: skip


def _columns(pairs: Iterable[tuple[float, float]]) -> tuple[list[float], list[float]]:
    kept = list(pairs)
    return [first for first, _ in kept], [second for _, second in kept]
