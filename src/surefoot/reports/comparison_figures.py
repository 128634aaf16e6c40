"""The pictures of a comparison: curves side by side, and what a grid came to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from surefoot.language import retold, say
from surefoot.records import Evaluation, Run, Study
from surefoot.reports.appearance import CURVES, GREY, curve_points, log_if_positive, points_each, styled
from surefoot.reports.escaping import plain
from surefoot.reports.grid import Grid
from surefoot.reports.words import in_words

__all__ = ["curves_figure", "heat_figure", "line_figure"]

DASHES = ("solid", "dash")


def curves_figure(
    studies: Mapping[str, Study], measure: str, *, clock: str = "epoch", labels: Mapping[str, str] | None = None
) -> go.Figure:
    """One measure of every recipe's run as a curve.

    Where there are more runs than colours, those with the best objective have them and the rest are grey.

    Args:
        studies: by name.
        measure: "train_loss" or a metric of the looks.
        clock: what the curve runs against, "epoch" or "seconds".
        labels: what the legend calls them, where not by name.
    """
    figure, words = go.Figure(), plain(in_words(measure))
    runs = {name: study.runs[0] for name, study in studies.items() if study.runs}
    coloured = _best(runs, len(CURVES))
    shown: list[float] = []
    has_completed = any(study.status == "completed" for study in studies.values())
    for name in sorted(runs, key=lambda name: name in coloured):  # the coloured ones on top
        looks = runs[name].evaluations
        values = [_value(look, measure) for look in looks]
        place = coloured.index(name) if name in coloured else None
        line = {"color": GREY, "width": 1.0} if place is None else _line(place)
        label = plain((labels or {}).get(name) or retold(name))
        figure.add_scatter(
            **curve_points([getattr(look, clock) for look in looks], values, points_each(len(runs))),
            name=label,
            showlegend=place is not None,
            legendrank=1000 if place is None else place,
            mode="lines+markers" if len(looks) < 8 else "lines",
            line=line,
            opacity=0.5 if place is None else 1.0,
            hovertemplate=f"{label}<br>{say(clock)} %{{x:.4g}}, {words} %{{y:.4g}}<extra></extra>",
        )
        shown += values if studies[name].status == "completed" or not has_completed else []
    log_if_positive(figure, shown)
    _hold_range(figure, shown)
    if clock == "seconds":
        log_if_positive(figure, [look.seconds for run in runs.values() for look in run.evaluations], axis="x")
    return styled(figure, x=say(clock), y=words)


def heat_figure(grid: Grid, studies: Mapping[str, Study], measure: str) -> go.Figure:
    """A measure over a grid of two axes: a colour and a number a cell, grey where a run did not complete."""
    cells = grid.cells(studies, measure)
    figure = go.Figure()
    shades = [[_shade(cell.value) if cell and cell.completed else None for cell in row] for row in cells]
    ended = [[1.0 if cell and not cell.completed else None for cell in row] for row in cells]
    done, other = (
        [["" if c is None or c.completed != own else c.text for c in row] for row in cells] for own in (1, 0)
    )
    shared: dict[str, Any] = {
        "x": [plain(label) for label in grid.labels(1)], "y": [plain(label) for label in grid.labels(0)],
        "texttemplate": "%{text}", "showscale": False,
        "xgap": 2, "ygap": 2, "hoverongaps": False, "textfont": {"size": 14},
        "hovertemplate": f"{plain(grid.words(0))} %{{y}}, {plain(grid.words(1))} %{{x}}<br>%{{text}}<extra></extra>",
    }  # fmt: skip
    figure.add_heatmap(z=shades, colorscale="Viridis", reversescale=True, text=done, **shared)
    figure.add_heatmap(z=ended, colorscale=[[0.0, GREY], [1.0, GREY]], text=other, **shared)
    styled(figure, x=plain(grid.words(1)), y=plain(grid.words(0)))
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_yaxes(type="category", showgrid=False)
    return figure


def line_figure(grid: Grid, studies: Mapping[str, Study], measures: Sequence[str]) -> go.Figure:
    """Measures over a grid of one axis; runs that did not complete are crosses below the lines."""
    figure = go.Figure()
    values = next(iter(grid.axes.values()))
    for measure, colour in zip(measures, CURVES, strict=False):
        cells = [row[0] for row in grid.cells(studies, measure)]
        done = [cell.value if cell and cell.completed else None for cell in cells]
        line = {"color": colour, "width": 2}
        figure.add_scatter(x=list(values), y=done, name=plain(in_words(measure)), mode="lines+markers", line=line)
    ended = {
        value: row[0].text
        for value, row in zip(values, grid.cells(studies, measures[0]), strict=True)
        if row[0] and not row[0].completed
    }
    for value in ended:
        figure.add_scatter(
            x=[value], y=[0.04], yaxis="y2", mode="markers+text", text=[ended[value]], textposition="top center",
            marker={"symbol": "x", "size": 9, "color": GREY}, showlegend=False, textfont={"color": GREY},
        )  # fmt: skip
    figure.update_layout(yaxis2={"overlaying": "y", "range": [0, 1], "visible": False})
    styled(figure, x=plain(grid.words(0)), y=say("loss") if measures[0] != "seconds" else say("seconds"))
    if measures[0] == "seconds":
        figure.update_yaxes(rangemode="tozero")
        figure.update_layout(showlegend=False)
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values):
        figure.update_xaxes(type="category")
    else:
        log_if_positive(figure, numbers, axis="x")
        figure.update_xaxes(tickmode="array", tickvals=numbers, ticktext=[str(value) for value in numbers])
    return figure


def _hold_range(figure: go.Figure, values: Sequence[float]) -> None:
    """Keep runs that left the ground from squeezing the others into a line."""
    finite = [value for value in values if math.isfinite(value)]
    highest = max((y for trace in figure.data for y in trace.y if y is not None), default=math.nan)
    if not finite or not highest > 2 * max(finite) > 0:
        return
    low, high = min(finite), 1.5 * max(finite)
    if figure.layout.yaxis.type == "log":
        low, high = math.log10(low / 1.5), math.log10(high)
    figure.update_yaxes(range=[low, high])


def _best(runs: Mapping[str, Run], count: int) -> list[str]:
    """The names whose curves get a colour, in the order they came in."""
    if len(runs) <= count:
        return list(runs)
    sign = -1.0 if next(iter(runs.values())).objective.direction == "max" else 1.0
    order = sorted(runs, key=lambda name: sign * runs[name].value if math.isfinite(runs[name].value) else math.inf)
    return [name for name in runs if name in order[:count]]


def _line(place: int) -> dict[str, Any]:
    """A colour, and from the seventh curve on a dash too, for who cannot tell twelve colours apart."""
    return {"color": CURVES[place], "width": 2, "dash": DASHES[place >= 6]}


def _value(look: Evaluation, measure: str) -> float:
    return look.train_loss if measure == "train_loss" else look.metrics.get(measure, math.nan)


def _shade(value: float) -> float | None:
    """Where a value stands in a colour scale: losses and seconds differ by factors."""
    if not math.isfinite(value):
        return None
    return math.log10(value) if value > 0 else value
