"""The pictures of a probe, as Plotly figures made from its records."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from surefoot.language import say
from surefoot.records import Capacity, ProbeReport, RangeTest
from surefoot.reports.amounts import number, rows
from surefoot.reports.appearance import PALETTE, styled
from surefoot.reports.escaping import plain
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
from surefoot.reports.probe_text import moment

__all__ = ["frontier_figure", "noise_figure", "probe_figures", "range_test_figure", "speed_figure"]

BLUE, RED, GREY = PALETTE[0], PALETTE[1], PALETTE[6]


def probe_figures(report: ProbeReport) -> dict[str, go.Figure]:
    """The pictures of what was measured, by its field in the report."""
    found = {}
    if report.noise:
        found["noise"] = noise_figure(report)
    if report.frontier:
        found["frontier"] = frontier_figure(report)
    if report.range_test is not None:
        found["range_test"] = range_test_figure([report.range_test])
    if report.capacity is not None:
        found["capacity"] = speed_figure(report.capacity)
    return found


def range_test_figure(tests: Sequence[RangeTest]) -> go.Figure:
    """Loss against learning rate: every seed faint, their smoothed mean, the suggested band, where the loss left."""
    figure = go.Figure()
    for place, (test, colour) in enumerate(zip(tests, PALETTE, strict=False)):
        each, mean = say("each step"), say("smoothed")
        if len(test.curves) > 1:
            each, mean = say("each seed"), say("mean, smoothed")
        for index, curve in enumerate(test.curves or (test.losses,)):
            figure.add_scatter(
                x=test.rates[: len(curve)],
                y=curve,
                line={"color": colour, "width": 1},
                opacity=0.55,
                name=plain(test.optimizer + say(", ") + each),
                legendgroup=plain(test.optimizer + say(", ") + each),
                showlegend=index == 0,
            )
        figure.add_scatter(
            x=test.rates[: len(test.smoothed)],
            y=test.smoothed,
            line={"color": colour, "width": 3},
            name=plain(test.optimizer + say(", ") + mean),
        )
        _mark_rates(figure, test, colour, place=place, is_alone=len(tests) == 1)
    figure.update_xaxes(type="log", dtick=1, tickformat="~g")
    figure.update_yaxes(range=loss_limits(tests))
    return styled(figure, x=say("learning rate"), y=say("loss"))


def _mark_rates(figure: go.Figure, test: RangeTest, colour: str, *, place: int, is_alone: bool) -> None:
    """The suggested band and rate, and the rate at which the loss left; of several tests with the optimizer's name."""
    if test.low is not None and test.high is not None:
        figure.add_vrect(x0=test.low, x1=test.high, fillcolor=colour, opacity=0.15, line_width=0)
    if test.value is not None:
        words = number(test.value) if is_alone else f"{plain(test.optimizer)} {number(test.value)}"
        _upright(figure, test.value, words, colour=colour, height=1.0 - 0.08 * place)
    if test.diverged_above is not None:
        words = say("diverged at {rate}", rate=number(test.diverged_above)) if is_alone else ""
        _upright(figure, test.diverged_above, words, colour=colour, dash="dot", is_low=True)


def noise_figure(report: ProbeReport) -> go.Figure:
    """The noise scale's readings with their intervals, beside the suggested batch size.

    What a batch below or above it wastes: McCandlish et al. 2018 (arXiv:1812.06162), section 2.2.
    """
    figure, axis = go.Figure(), noise_axis(report)
    names = [moment(report, reading) for reading in report.noise]
    for place, (name, reading) in enumerate(zip(names, report.noise, strict=True)):
        ends = open_interval(reading, axis)
        if ends is not None:
            line = {"color": BLUE, "width": 8}
            figure.add_scatter(x=ends, y=[place, place], mode="lines", line=line, opacity=0.45, hoverinfo="skip")
        if reading.value is not None:
            figure.add_scatter(
                x=[reading.value],
                y=[place],
                mode="markers+text",
                marker={"color": BLUE, "size": 13},
                text=[rows(reading.value)],
                textposition="top center",
                hovertemplate=f"{name}: %{{x:.4g}} {say('rows')}<extra></extra>",
            )
    if report.batch_size.value is not None:
        _upright(figure, report.batch_size.value, say("batch {size}", size=rows(report.batch_size.value)), colour=RED)
    styled(figure, x=say("gradient noise scale, rows"), y="")
    figure.update_xaxes(_spanned(axis))
    places = {"tickmode": "array", "tickvals": list(range(len(names))), "ticktext": names}
    around = [len(names) - 0.4, -0.6]
    figure.update_layout(showlegend=False, yaxis={**places, "range": around, "showgrid": False, "zeroline": False})
    return figure


def speed_figure(capacity: Capacity) -> go.Figure:
    """Rows a second against batch size, as run and as fitted; on the right, the memory that a step needs."""
    figure = go.Figure()
    law, run = fitted_speed(capacity), {point.batch_size: speed(point) for point in capacity.points}
    if law:
        line = {"color": BLUE, "width": 2}
        figure.add_scatter(x=_firsts(law), y=_seconds(law), mode="lines", line=line, name=say("speed, fitted"))
    for size, words, symbol in (
        (capacity.largest, say("largest"), "diamond-open"),
        (capacity.knee, say("knee"), "star"),
    ):
        if size in run:
            marker = {"color": BLUE, "symbol": symbol, "size": 18, "line": {"width": 2, "color": BLUE}}
            figure.add_scatter(x=[size], y=[run[size]], mode="markers", marker=marker, name=f"{words} {rows(size)}")
    blue = {"color": BLUE, "size": 8}
    figure.add_scatter(x=list(run), y=list(run.values()), mode="markers", marker=blue, name=say("speed, as run"))
    _draw_memory(figure, capacity)
    styled(figure, x=say("batch size, rows"), y=say("rows a second"))
    sizes = size_ticks(capacity)
    figure.update_xaxes(type="log", tickmode="array", tickvals=sizes, ticktext=[rows(size) for size in sizes])
    figure.update_layout(yaxis=_spanned(axis_over([*run.values(), *_seconds(law)])))
    return figure


def _draw_memory(figure: go.Figure, capacity: Capacity) -> None:
    known = [(point.batch_size, point.peak_bytes) for point in capacity.points if point.peak_bytes is not None]
    if not known:
        return
    length, unit = memory_unit(_seconds(known))
    for pairs, name, mode in (
        (fitted_memory(capacity), say("memory, fitted"), "lines"),
        (known, say("memory, as run"), "markers"),
    ):
        if pairs:
            figure.add_scatter(
                x=_firsts(pairs),
                y=[needed / length for needed in _seconds(pairs)],
                yaxis="y2",
                mode=mode,
                line={"color": RED, "width": 1.5, "dash": "dash"},
                marker={"color": RED, "symbol": "square", "size": 8},
                name=name,
            )
    axis = {"overlaying": "y", "side": "right", "showgrid": False, "zeroline": False, "tickmode": "auto", "nticks": 6}
    top = 1.1 * max(_seconds(known)) / length
    figure.update_layout(
        yaxis2={**axis, "title": say("memory, {unit}", unit=unit), "range": [0.0, top], "automargin": True}
    )


def frontier_figure(report: ProbeReport) -> go.Figure:
    """Predicted time against optimizer steps, a dot a batch size; full dots were run, the star is suggested."""
    points, title = frontier_points(report)
    colours = [RED if point.is_suggested else BLUE for point, _ in points]
    figure = go.Figure()
    figure.add_scatter(
        x=[point.steps for point, _ in points],
        y=[height for _, height in points],
        mode="lines+markers+text",
        line={"color": GREY, "width": 1, "dash": "dot"},
        marker={
            "color": colours,
            "size": [17 if point.is_suggested else 10 for point, _ in points],
            "symbol": [
                ("star" if point.is_suggested else "circle") + ("" if point.was_run else "-open") for point, _ in points
            ],
            "line": {"width": 2, "color": colours},
            "opacity": 1.0,
        },
        text=["<br>".join(frontier_label(point)) for point, _ in points],
        textposition=[f"bottom {side}" for side in label_sides(points)],
        textfont={"size": 11},
        hovertemplate=(
            f"{say('batch size and rate')} %{{text}}<br>{say('steps')} %{{x:,.4g}}, {title} %{{y:,.4g}}<extra></extra>"
        ),
        showlegend=False,
    )
    styled(figure, x=say("optimizer steps"), y=title)
    figure.update_xaxes(_spanned(axis_over((point.steps for point, _ in points), room=0.22)))
    figure.update_layout(yaxis=_spanned(axis_over((height for _, height in points), room=0.15)))
    return figure


def _spanned(axis: Axis) -> dict[str, Any]:
    if not axis.is_log:
        return {"range": [axis.low, axis.high]}
    ends = [math.log10(axis.low), math.log10(axis.high)]
    return {"type": "log", "range": ends, "tickmode": "array", "tickvals": axis.ticks, "ticktext": axis.labels()}


def _upright(
    figure: go.Figure,
    x: float,
    words: str,
    *,
    colour: str,
    dash: str = "dash",
    is_low: bool = False,
    height: float = 1.0,
) -> None:
    """A vertical line on a logarithmic axis, with words right of its top or left of its foot."""
    figure.add_vline(x=x, line={"color": colour, "dash": dash, "width": 2})
    if words:
        low = {"y": 0.0, "yanchor": "bottom", "xanchor": "right", "xshift": -3}
        top = {"y": height, "yanchor": "top", "xanchor": "left", "xshift": 3}
        # Plotly wants the logarithm for a note's place, and the value itself for a line's.
        figure.add_annotation(x=math.log10(x), yref="paper", text=words, showarrow=False, **(low if is_low else top))


def _firsts(pairs: Sequence[tuple[float, Any]]) -> list[float]:
    return [first for first, _ in pairs]


def _seconds(pairs: Sequence[tuple[Any, float]]) -> list[float]:
    return [second for _, second in pairs]
