"""The pictures of a log: the curves that its verdicts were read off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from surefoot.diagnosis import Log
from surefoot.language import say
from surefoot.records import Finding
from surefoot.reports.appearance import PALETTE, curve_points, log_if_positive, mark_place, styled
from surefoot.reports.chart import Chart, chart
from surefoot.reports.escaping import plain
from surefoot.reports.words import in_words

__all__ = ["pictures_of_log"]

BLUE, ORANGE, GREEN = PALETTE[0], PALETTE[1], PALETTE[2]
_COLOURS = {"validation_loss": BLUE, "train_loss": ORANGE, "validation_accuracy": BLUE, "train_accuracy": ORANGE}
MOST_MARKS = 6


def pictures_of_log(log: Log, findings: Sequence[Finding]) -> dict[str, Chart]:
    """The pictures of a log by a short name: losses, accuracies, rate and batch, gradient norm, as far as logged."""
    found = {}
    losses = _of(log, ("train_loss", "validation_loss"))
    if losses:
        figure = _curves(log, losses)
        log_if_positive(figure, [value for trace in figure.data for value in trace.y if value is not None])
        _mark(figure, findings)
        is_marked = any(finding.epoch is not None for finding in findings)
        caption = say("The dotted lines say where a verdict begins.") if is_marked else ""
        found["losses"] = chart(say("Losses"), caption, styled(figure, x=in_words(log.unit), y=say("loss")))
    accuracies = _of(log, ("train_accuracy", "validation_accuracy"))
    if accuracies:
        figure = styled(_curves(log, accuracies), x=in_words(log.unit), y=say("accuracy"))
        found["accuracy"] = chart(say("Accuracy"), "", figure)
    settings = _of(log, ("learning_rate", "batch_size"))
    if settings:
        found["rate-and-batch"] = chart(say("Rate and batch"), "", _settings(log, list(settings)))
    if _of(log, ("gradient_norm",)):
        figure = _curves(log, {"gradient_norm": GREEN})
        log_if_positive(figure, [value for value in figure.data[0].y if value is not None])
        styled(figure, x=in_words(log.unit), y=say("gradient norm"))
        found["gradient-norm"] = chart(say("Gradient norm"), "", figure)
    return found


def _of(log: Log, names: Sequence[str]) -> dict[str, str]:
    """Those of some series that have a finite point, with their colours."""
    series = {name: log.get(name) for name in names}
    return {name: _COLOURS.get(name, BLUE) for name, one in series.items() if one is not None and len(one.finite)}


def _curves(log: Log, colours: Mapping[str, str]) -> go.Figure:
    figure = go.Figure()
    for name, colour in colours.items():
        figure.add_scatter(**_points(log, name), line={"color": colour, "width": 2})
    return figure


def _settings(log: Log, names: Sequence[str]) -> go.Figure:
    """The rate on the left axis, the batch size on the right one; one alone on the left."""
    figure = go.Figure()
    for place, name in enumerate(names):
        line = {"color": (BLUE, ORANGE)[place], "width": 2, "dash": ("solid", "dash")[place], "shape": "hv"}
        figure.add_scatter(**_points(log, name), line=line, yaxis="y2" if place else "y")
    if len(names) > 1:
        right = {
            "overlaying": "y",
            "side": "right",
            "showgrid": False,
            "rangemode": "tozero",
            "automargin": True,
            "tickmode": "auto",
        }
        figure.update_layout(yaxis2={**right, "title": in_words(names[1])})
    figure.update_layout(yaxis={"tickformat": "~g", "rangemode": "tozero"})
    return styled(figure, x=in_words(log.unit), y=in_words(names[0]))


def _points(log: Log, name: str) -> dict[str, Any]:
    series, words = log.get(name), in_words(name)
    assert series is not None
    shift = log.first - 1
    return {
        **curve_points((series.at + shift).tolist(), series.values.tolist()),
        "name": plain(words),
        "mode": "lines+markers" if len(series) < 8 else "lines",
        "hovertemplate": f"{in_words(log.unit)} %{{x:.6~g}}, {plain(words)} %{{y:.4g}}<extra></extra>",
    }


def _mark(figure: go.Figure, findings: Sequence[Finding]) -> None:
    shown = [finding for finding in findings if finding.epoch is not None]
    for place, finding in enumerate(shown[:MOST_MARKS]):
        assert finding.epoch is not None
        mark_place(figure, finding.epoch, plain(in_words(finding.verdict)), height=1.0 - 0.08 * place)
