"""When a run is looked at, and what its looks say: which is kept, is it over? Pure functions of plain records."""

from __future__ import annotations

import math

from surefoot.protocols import Certainty
from surefoot.recipe import Network, Stopping
from surefoot.records import TRAIN_LOSS, Evaluation, Objective, RunStatus

__all__ = ["Ending", "is_kept", "judged", "samples_to_next_look", "since_pruned", "verdict"]

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


def judged(value: float, certainty: Certainty | None, objective: Objective) -> tuple[float | None, float | None]:
    """An objective made cautious and its standard error, each None where it is not known."""
    if certainty is None or not math.isfinite(value):
        return None, None
    name = objective.name.removeprefix("validation_")
    error = certainty.errors.get(name)
    if name != "loss":
        return None, error
    if error is None:  # the losses of single rows are about as far apart as they are high
        error = abs(value) / math.sqrt(certainty.rows)
    return certainty.cautious(value), error


def is_kept(look: Evaluation, best: Evaluation | None, objective: Objective, *, is_forgiven: bool) -> bool:
    """Whether the weights of a look are to be kept in place of the best ones before it.

    Args:
        look: the new one.
        best: the best before it; None where there is none.
        objective: what decides.
        is_forgiven: being worse by up to the standard error of the best does not count.
    """
    value = _decisive(look, objective)
    if not objective.chooses:
        return math.isfinite(value)
    if best is None or not math.isfinite(value):
        return math.isfinite(value)
    allowed = (best.standard_error or 0.0) * is_forgiven * (1.0 if objective.direction == "min" else -1.0)
    return objective.is_better(value, _decisive(best, objective) + allowed)


def _decisive(look: Evaluation, objective: Objective) -> float:
    """What decides between two looks."""
    return look.metrics[objective.name] if look.judged is None else look.judged


def since_pruned(looks: tuple[Evaluation, ...], network: Network, horizon: int) -> tuple[Evaluation, ...]:
    """The looks that can be compared with the latest: those that weights were taken from in between are not among them.

    While pruning goes on, that is the latest alone, so that a run is not over before it; afterwards, all since its end.
    """
    end = (network.complete().pruning_end or 0.0) * horizon
    if looks[-1].samples < end:
        return looks[-1:]
    return tuple(look for look in looks if look.samples >= end)


def verdict(evaluations: tuple[Evaluation, ...], stopping: Stopping, horizon: int, objective: Objective) -> Ending:
    """Whether the run should go on, from its looks so far."""
    last = evaluations[-1]
    watched = "validation_loss" if objective.chooses else TRAIN_LOSS
    if not math.isfinite(last.metrics[watched]):
        return "diverged", f"the {watched.replace('_', ' ')} is {last.metrics[watched]} at epoch {last.epoch:.2f}"
    if stopping.max_share is not None and stopping.max_share * horizon - last.batch_size < last.samples < horizon:
        return "stopped_early", f"stopping.max_share = {stopping.max_share:g} of the horizon is reached"
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
