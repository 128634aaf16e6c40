"""Which of two runs is the better one, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from surefoot.records.training import Run

__all__ = ["belief", "gains", "is_preferred", "lead", "ranked"]

# The same rows are looked at in both runs, so their difference is surer than either value: its error is taken as this
# share of the larger one. Set by eye.
PAIRED = 0.5
# Where nothing is known about the error of a look, two values this close, relative to the larger, say little.
UNKNOWN_ERROR = 0.02
# Runs whose shares differ by more than this factor are of different length.
LONGER = 1.5


def ranked(runs: Sequence[Run]) -> list[Run]:
    """The usable runs, the best by what is judged first; the earlier one of two equals.

    One that diverged after a good look counts only where nothing else does: its rate is not one to build on.
    """
    usable = [run for run in runs if run.best is not None and math.isfinite(run.judged)]
    usable = [run for run in usable if run.status in {"completed", "stopped_early"}] or usable
    return sorted(usable, key=lambda run: (run.judged if run.objective.direction == "min" else -run.judged, run.number))


def belief(better: Run, other: Run, *, drift: float = 0.0) -> float:
    """How far to believe that ``better`` is better than ``other``, in [0, 1]; one half where they tie.

    The probability of a normal difference whose error is a share of that of a single look.

    Args:
        better: a usable run.
        other: another one.
        drift: by which share of their values the two may change places at a longer horizon.
    """
    sign = 1.0 if better.objective.direction == "min" else -1.0
    error = math.hypot(PAIRED * max(_error(better), _error(other)), drift * abs(better.judged))
    difference = sign * (other.judged - better.judged)
    if error <= 0.0:
        return 0.5 if difference == 0.0 else float(difference > 0.0)
    return NormalDist().cdf(difference / error)


def gains(better: Run, other: Run) -> bool:
    """Whether ``better`` is better than ``other`` by more than the standard error of a look at that."""
    sign = 1.0 if better.objective.direction == "min" else -1.0
    return sign * (other.judged - better.judged) > _error(other)


def lead(run: Run, loss: float) -> float:
    """By how many standard errors the validation loss of a usable run lies below ``loss``; below 0 where it is higher.

    Not-a-number where something else is judged and the loss was not recorded beside it.
    """
    look = run.best_evaluation
    assert look is not None
    if run.objective.name == "validation_loss":
        difference, error = loss - run.judged, _error(run)
    else:
        difference, error = loss - look.metrics.get("validation_loss", math.nan), UNKNOWN_ERROR * abs(loss)
    return difference / error if error > 0.0 else math.copysign(math.inf, difference) if difference else 0.0


def is_preferred(run: Run, best: Run | None) -> bool:
    """Whether a run's model is to be kept in place of the best one before it.

    What is judged decides, with the lower number for equals; between runs of different length the longer one is
    preferred unless the shorter one is better by more than a look's standard error: on a small validation part the
    best of many short runs is more often luck than the one long run that all of them led to.
    """
    if run.best is None or best is None:
        return run.best is not None
    if run.share > LONGER * best.share:
        return not gains(best, run)
    if best.share > LONGER * run.share:
        return gains(run, best)
    return run.objective.is_better(run.judged, best.judged) or (run.judged == best.judged and run.number < best.number)


def _error(run: Run) -> float:
    look = run.best_evaluation
    known = None if look is None else look.standard_error
    return UNKNOWN_ERROR * abs(run.judged) if known is None else known
