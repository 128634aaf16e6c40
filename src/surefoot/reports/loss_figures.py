"""The losses of a study: of the run that was kept, and of all its runs beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

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

__all__ = ["drawn_runs", "every_loss_figure", "losses_figure"]

# More runs than this share the colours of their lengths.
MOST_NAMED = 12
# More curves than this are one blot; what the others came to stands in the table of runs.
MOST_DRAWN = 150
MOST_MARKS = 4


def losses_figure(run: Run, *, findings: Sequence[Finding] = ()) -> go.Figure:
    """Training (dotted) and validation loss (full) of one run against epochs; a star where its weights are from.

    Args:
        run: the kept one, or the only one.
        findings: verdicts whose epoch is marked, where they are about this run.
    """
    figure = go.Figure()
    for kind, values, dash in reversed(_curves(run)):
        colour = PALETTE[0] if dash == "solid" else PALETTE[1]
        _add_curve(figure, run, values, name=kind, line={"color": colour, "dash": dash, "width": 2.5})
    _mark_kept(figure, run)
    log_if_positive(figure, [value for _, values, _ in _curves(run) for value in values])
    styled(figure, x=say("epoch"), y=say("loss"))
    figure.update_xaxes(rangemode="tozero")
    shown = [finding for finding in findings if finding.epoch is not None and finding.run == run.name]
    for place, finding in enumerate(shown[:MOST_MARKS]):
        assert finding.epoch is not None
        mark_place(figure, finding.epoch, plain(say(finding.verdict)), height=1.0 - 0.08 * place)
    return figure


def _mark_kept(figure: go.Figure, run: Run) -> None:
    """A star at the look whose weights were kept, where the loss chose it or stands beside what did."""
    look = run.best_evaluation
    if look is None or not run.objective.chooses:
        return
    figure.add_scatter(
        x=[look.epoch],
        y=[look.metrics["validation_loss"]],
        name=say("kept weights"),
        mode="markers",
        marker={"symbol": "star", "size": 15, "color": PALETTE[0], "opacity": 1.0},
        hovertemplate=f"{say('kept weights')}<br>{say('epoch')} %{{x:.2f}}, {say('loss')} %{{y:.4g}}<extra></extra>",
    )


def every_loss_figure(runs: Sequence[Run], *, winner: int | None) -> go.Figure:
    """The same two losses of every run, the kept one on top; epochs by their logarithm where runs differ in length.

    Args:
        runs: all of them.
        winner: the number of the kept one.
    """
    figure, runs = go.Figure(), drawn_runs(runs, winner)
    groups = _groups(runs, winner)
    most = points_each(2 * len(runs))
    for run in sorted(runs, key=lambda run: run.number == winner):
        name, colour = groups[run.number]
        is_kept = run.number == winner
        for kind, values, dash in _curves(run):
            line = {"color": colour, "dash": dash, "width": 3 if is_kept else 1.5}
            own = plain(f"{retold(run.name)}, {kind}")
            _add_curve(
                figure, run, values, name=own, line=line, legendgroup=name, most=most, opacity=1 if is_kept else 0.7
            )
    log_if_positive(figure, [value for run in runs for _, values, _ in _curves(run) for value in values])
    styled(figure, x=say("epoch"), y=say("loss"))
    log_if_positive(figure, [run.evaluations[-1].epoch for run in runs if run.evaluations], axis="x")
    return figure


def drawn_runs(runs: Sequence[Run], winner: int | None) -> list[Run]:
    """The runs whose losses are drawn: all, or of many those that were judged best, with the kept one."""
    if len(runs) <= MOST_DRAWN:
        return list(runs)
    chosen = {run.number for run in ranked(runs)[: MOST_DRAWN - 1]} | {winner}
    return [run for run in runs if run.number in chosen]


def _groups(runs: Sequence[Run], winner: int | None) -> dict[int, tuple[str, str]]:
    """The name and the colour of each run in the legend: its own, or where there are many that of its length."""
    if len(runs) <= MOST_NAMED:
        names = {run.number: _title(run) for run in runs}
    else:
        names = {run.number: say("runs of share {stage}", stage=run.stage) for run in runs}
        names |= {run.number: _title(run) for run in runs if run.number == winner}
    others = CURVES if winner is None else CURVES[1:]
    rest = list(dict.fromkeys(name for number, name in names.items() if number != winner))
    colours = {name: others[place % len(others)] for place, name in enumerate(rest)}
    return {number: (plain(name), PALETTE[0] if number == winner else colours[name]) for number, name in names.items()}


def _title(run: Run) -> str:
    settings = run.recipe["optimizer"]
    words = {"optimizer": settings["name"], "rate": settings["learning_rate"]}
    return say("{name}: {optimizer}, rate {rate:.2g}", name=retold(run.name), **words)


def _curves(run: Run) -> list[tuple[str, list[float], str]]:
    """The name, the values and the dash of each loss that a run has, the validation loss first."""
    looks = run.evaluations
    curves = [(say("training"), [look.train_loss for look in looks], "dot")]
    if run.objective.chooses:
        validation = [look.metrics.get("validation_loss", math.nan) for look in looks]
        curves.insert(0, (say("validation"), validation, "solid"))
    return curves


def _add_curve(
    figure: go.Figure, run: Run, values: Sequence[float], *, name: str, most: int | None = None, **style: object
) -> None:
    looks = run.evaluations
    if not looks:
        return
    at = [look.epoch for look in looks]
    figure.add_scatter(
        **(curve_points(at, values) if most is None else curve_points(at, values, most)),
        name=name,
        mode="lines+markers" if len(looks) < 8 else "lines",
        hovertemplate=f"{name}<br>{say('epoch')} %{{x:.2f}}, {say('loss')} %{{y:.4g}}<extra></extra>",
        **style,
    )
