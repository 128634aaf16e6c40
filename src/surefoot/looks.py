"""When a run is looked at, and what its looks so far say: is it over? Pure functions of plain records."""

from __future__ import annotations

import math

from surefoot.recipe import Stopping
from surefoot.records import Evaluation, Objective, RunStatus

__all__ = ["Ending", "samples_to_next_look", "verdict"]

MIN_EVALUATIONS = 4
Ending = tuple[RunStatus, str]


def samples_to_next_look(seen: int, rows: int, horizon: int) -> int:
    """Samples until an evaluation is due: at the end of every epoch, and between where a run is short.

    >>> [samples_to_next_look(seen, rows=100, horizon=1000) for seen in (0, 30, 100)]
    [100, 70, 100]
    >>> [samples_to_next_look(seen, rows=100, horizon=200) for seen in (0, 30, 50, 100)]
    [50, 20, 50, 50]
    """
    looks = max(1, math.ceil(MIN_EVALUATIONS * rows / horizon))  # an epoch
    offset = seen % rows
    following = offset * looks // rows + 1
    return math.ceil(following * rows / looks) - offset


def verdict(evaluations: tuple[Evaluation, ...], stopping: Stopping, horizon: int, objective: Objective) -> Ending:
    """Whether the run should go on, from its looks so far."""
    last = evaluations[-1]
    if not math.isfinite(last.metrics["validation_loss"]):
        return (
            "diverged",
            f"the validation loss is {last.metrics['validation_loss']} at epoch {last.epoch:.2f}",
        )
    if stopping.tolerance and len(evaluations) > 1:
        before, now = evaluations[-2].train_loss, last.train_loss
        if abs(before - now) < stopping.tolerance * abs(before):
            return "stopped_early", f"converged: the training loss went from {before:.6g} to {now:.6g} in one look"
    patience = stopping.patience * horizon
    since = _last_improvement(evaluations, objective, stopping.min_improvement)
    if patience and last.samples - since >= patience:
        epoch = last.epoch * since / last.samples
        return "stopped_early", f"{objective.name} did not improve after epoch {epoch:.2f}"
    return "completed", ""


def _last_improvement(evaluations: tuple[Evaluation, ...], objective: Objective, least: float) -> int:
    """The clock at the last look that was better than the best before it by ``least``, relative to that one."""
    best, since = math.nan, 0
    for look in evaluations:
        value = look.metrics[objective.name]
        margin = 0.0 if math.isnan(best) else least * abs(best) * (1 if objective.direction == "min" else -1)
        if math.isfinite(value) and objective.is_better(value, best - margin):
            best, since = value, look.samples
    return since
