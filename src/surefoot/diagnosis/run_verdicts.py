"""What a run of ours says as any training's log does, and what its recipe tells beside it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.diagnosis.judging import verdicts
from surefoot.diagnosis.log import Log, Series
from surefoot.records import Finding, Run

__all__ = ["log_of_run", "of_the_course"]

# Of a run that was kept. Overfitting has its own rule there, divergence and memory are said of all runs together, and
# a mean over the epoch puts the validation loss below the training loss by itself.
SAID = {
    "batch far above the noise",
    "batch far below the noise",
    "held up by noise",
    "learned nothing",
    "not converged",
    "underfitting",
    "validation follows training",
    "warmup missing",
}
# A rate that a search chose is not called too high or too low by a guess from one curve, and its few batches an epoch
# may jump.
SAID_OF_A_FIT = {"learning rate too high", "learning rate too low"}
JUMPS = "spikes"
_SERIES = ("validation_loss", "validation_accuracy")


def of_the_course(run: Run, *, is_chosen: bool) -> Iterator[Finding]:
    """The verdicts on one run's curves that hold for a run of ours.

    Args:
        run: the kept one.
        is_chosen: whether a search chose its rate.
    """
    said = verdicts(log_of_run(run))
    known = set(SAID)
    if float(run.recipe.get("schedule", {}).get("warmup") or 0.0) > 0.0:
        known.discard("warmup missing")  # a look at the end of an epoch may come after the warmup
    known |= set() if is_chosen else {JUMPS}
    if not is_chosen and known & {finding.verdict for finding in said}:
        known |= SAID_OF_A_FIT
    yield from (finding for finding in said if finding.verdict in known)


def log_of_run(run: Run) -> Log:
    """A run's looks as a log."""
    at = np.array([look.epoch for look in run.evaluations])
    series = {
        "train_loss": [look.train_loss for look in run.evaluations],
        "learning_rate": [look.learning_rate for look in run.evaluations],
        "batch_size": [float(look.batch_size) for look in run.evaluations],
    }
    for name in _SERIES:
        if any(name in look.metrics for look in run.evaluations):
            series[name] = [look.metrics.get(name, np.nan) for look in run.evaluations]
    if any(look.noise_scale is not None for look in run.evaluations):
        known = (look.noise_scale for look in run.evaluations)
        series["noise_scale"] = [np.nan if scale is None else scale for scale in known]
    return Log(run.name, "epoch", {name: Series(at, np.array(values)) for name, values in series.items()})
