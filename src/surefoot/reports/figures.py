"""The pictures of a training: its losses, its rate and batch, its noise scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from surefoot.language import retold, say
from surefoot.records import Finding, Run, ranked
from surefoot.reports.appearance import (
    CURVES,
    PALETTE,
    curve_points,
    log_if_positive,
    mark_place,
    points_each,
    styled,
)
from surefoot.reports.escaping import plain

__all__ = ["drawn_runs", "has_noise", "losses_figure", "noise_over_samples", "rates_figure"]

# More runs than this share the colours of their lengths.
MOST_NAMED = 12
# More curves than this are one blot; what the others came to stands in the table of runs.
MOST_DRAWN = 150
MOST_MARKS = 4


def losses_figure(runs: Sequence[Run], *, winner: int | None, findings: Sequence[Finding] = ()) -> go.Figure:
    """Training (dotted) and validation loss (full) of every run against epochs; the kept run stands out.

    Args:
        runs: all of them.
        winner: the number of the kept one.
        findings: verdicts whose epoch is marked, where they are about the kept run.
    """
    figure, runs = go.Figure(), drawn_runs(runs, winner)
    groups = _groups(runs, winner)
    most = points_each(2 * len(runs))
    for run in sorted(runs, key=lambda run: run.number == winner):
        if run.evaluations:
            _draw_losses(figure, run, groups[run.number], is_kept=run.number == winner or len(runs) == 1, most=most)
    every = (look for run in runs for look in run.evaluations)
    log_if_positive(figure, (look.metrics.get("validation_loss", look.train_loss) for look in every))
    styled(figure, x=say("epoch"), y=say("loss"))
    shown = [finding for finding in findings if finding.epoch is not None and _is_about(finding, runs, winner)]
    for place, finding in enumerate(shown[:MOST_MARKS]):
        assert finding.epoch is not None
        mark_place(figure, finding.epoch, plain(say(finding.verdict)), height=1.0 - 0.08 * place)
    return figure


def drawn_runs(runs: Sequence[Run], winner: int | None) -> list[Run]:
    """The runs whose losses are drawn: all, or of many those that were judged best, with the kept one."""
    if len(runs) <= MOST_DRAWN:
        return list(runs)
    chosen = {run.number for run in ranked(runs)[: MOST_DRAWN - 1]} | {winner}
    return [run for run in runs if run.number in chosen]


def _is_about(finding: Finding, runs: Sequence[Run], winner: int | None) -> bool:
    kept = [run.name for run in runs if run.number == winner or len(runs) == 1]
    return finding.run in kept


def _groups(runs: Sequence[Run], winner: int | None) -> dict[int, tuple[str, str, bool]]:
    """The name and the colour of each run in the legend, and whether it is the only one.

    Its own, or where there are many that of its length.
    """
    if len(runs) <= MOST_NAMED:
        names = {run.number: f"{retold(run.name)} ({run.stage})" for run in runs}
    else:
        names = {run.number: say("runs of share {stage}", stage=run.stage) for run in runs}
        names |= {run.number: f"{retold(run.name)} ({run.stage})" for run in runs if run.number == winner}
    others = CURVES if winner is None else CURVES[1:]
    rest = list(dict.fromkeys(name for number, name in names.items() if number != winner))
    colours = {name: others[place % len(others)] for place, name in enumerate(rest)}
    return {
        number: (plain(name), PALETTE[0] if number == winner else colours[name], len(runs) == 1)
        for number, name in names.items()
    }


def _draw_losses(figure: go.Figure, run: Run, group: tuple[str, str, bool], *, is_kept: bool, most: int) -> None:
    looks, (name, colour, is_alone) = run.evaluations, group
    curves = [(say("training"), [look.train_loss for look in looks], "dot")]
    if run.objective.chooses:
        curves.insert(0, (say("validation"), [look.metrics["validation_loss"] for look in looks], "solid"))
    for kind, values, dash in curves:
        own = kind if is_alone else plain(f"{retold(run.name)} ({run.stage}), {kind}")
        figure.add_scatter(
            **curve_points([look.epoch for look in looks], values, most),
            name=own,
            legendgroup=None if is_alone else name,
            mode="lines+markers" if len(looks) < 8 else "lines",
            line={"color": colour, "dash": dash, "width": 3 if is_kept else 1.5},
            opacity=1.0 if is_kept else 0.65,
            hovertemplate=f"{own}<br>{say('epoch')} %{{x:.2f}}, {say('loss')} %{{y:.4g}}<extra></extra>",
        )


def rates_figure(run: Run) -> go.Figure:
    """Learning rate and batch size of one run against samples."""
    looks = run.evaluations
    figure = go.Figure()
    samples = [look.samples for look in looks]
    rates = [look.learning_rate for look in looks]
    _add_curve(figure, samples, rates, name=say("learning rate"), line={"color": PALETTE[0], "width": 2.5})
    figure.update_layout(yaxis={"tickformat": "~g", "rangemode": "tozero"})
    _add_batch(figure, run, axis="y2")
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
