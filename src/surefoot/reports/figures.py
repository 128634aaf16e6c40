"""The settings of a training over its samples: its rate and batch, its noise scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from surefoot.language import say
from surefoot.records import Run
from surefoot.reports.appearance import PALETTE, curve_points, log_if_positive, styled

__all__ = ["has_noise", "noise_over_samples", "rates_figure"]


def rates_figure(run: Run) -> go.Figure:
    """Learning rate and batch size of one run against samples."""
    looks = run.evaluations
    figure = go.Figure()
    samples = [look.samples for look in looks]
    rates = [look.learning_rate for look in looks]
    _add_curve(figure, samples, rates, name=say("learning rate"), line={"color": PALETTE[0], "width": 2.5})
    figure.update_layout(yaxis={"tickformat": "~g", "rangemode": "tozero"})
    _add_batch(figure, run, axis="y2")
    figure.update_xaxes(rangemode="tozero")
    return styled(figure, x=say("samples seen"), y=say("learning rate"))


def has_noise(run: Run) -> bool:
    """Whether the noise scale was measured while the run went on."""
    return any(look.noise_scale is not None for look in run.evaluations)


def noise_over_samples(run: Run) -> go.Figure:
    """The measured gradient noise scale against samples, and the batch size beside it, both in rows."""
    figure = go.Figure()
    known = [look for look in run.evaluations if look.noise_scale is not None]
    values = [look.noise_scale for look in known if look.noise_scale is not None]
    line = {"color": PALETTE[2], "width": 2.5}
    _add_curve(figure, [look.samples for look in known], values, name=say("noise scale"), line=line)
    _add_batch(figure, run, axis="y")
    log_if_positive(figure, [*values, *(look.batch_size for look in run.evaluations)])
    return styled(figure, x=say("samples seen"), y=say("rows"))


def _add_batch(figure: go.Figure, run: Run, *, axis: str) -> None:
    """The batch size as steps: at the looks, and at every change between them."""
    moves = [(look.samples, look.batch_size) for look in run.evaluations]
    moves += [(change.samples, int(change.after)) for change in run.changes if change.name == "batch_size"]
    moves.sort()
    line = {"color": PALETTE[1], "dash": "dash", "width": 2, "shape": "hv"}
    at, sizes = [samples for samples, _ in moves], [size for _, size in moves]
    _add_curve(figure, at, sizes, name=say("batch size"), line=line, yaxis=axis)
    if axis == "y2":
        right: Mapping[str, Any] = {
            "title": say("batch size"), "overlaying": "y", "side": "right", "range": [0, 1.1 * max(sizes, default=1)],
            "showgrid": False, "zeroline": False, "tickmode": "auto", "nticks": 6, "automargin": True,
        }  # fmt: skip
        figure.update_layout(yaxis2=right)


def _add_curve(figure: go.Figure, at: Sequence[float], values: Sequence[float], *, name: str, **style: Any) -> None:
    template = f"{name} %{{y:.4g}}<br>{say('samples seen')} %{{x:,}}<extra></extra>"
    mode = "lines+markers" if len(at) < 8 else "lines"
    figure.add_scatter(**curve_points(at, values), name=name, mode=mode, hovertemplate=template, **style)
