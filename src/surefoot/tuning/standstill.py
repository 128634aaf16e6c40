"""Where no run has learned more than a constant answer: how far a plan goes then, and what to try.

Some losses stand still before they fall: where the label hangs on a product of two inputs, in deep networks, where the
first word decides after the last. Runs that end on that level differ in how much noise they fitted, which makes the
lowest rate look best, and whoever follows it learns nothing (docs/log.md, 2026-11-22). So their order is not read. The
next runs are longer and fewer; they stand at rates that owe nothing to what was measured. A rate that looks better
than a lower one, although it fits more noise, is a sign and is followed.
"""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.records import Run, lead, ranked
from surefoot.tuning.plan import Rung
from surefoot.tuning.point import is_like, rate_of

__all__ = ["is_unreadable", "longer_rungs", "stands_still"]

# A fifth of what is left for each of two runs or more, none longer than a sixth of a training. A third in place of a
# sixth was no better at a price of two (measured: docs/log.md, 2026-11-22).
FEWEST, OF_WHAT_IS_LEFT, LONGEST = 2, 0.2, 1 / 6


def stands_still(runs: Sequence[Run], guess: float | None) -> bool:
    """Whether no usable run ended better than a constant answer by more than the standard error of a look at it.

    One is enough although the best of several is asked: a run that fits noise ends above that answer, not about it.

    Args:
        runs: complete schedules.
        guess: the validation loss of always giving the same answer; None, where nobody knows it, is never stood at.
    """
    order = ranked(runs)
    return guess is not None and bool(order) and all(lead(run, guess) <= 1.0 for run in order)


def is_unreadable(foot: Sequence[Run], guess: float | None) -> bool:
    """Whether runs stand still and the best has the lowest rate of those that differ from it in nothing else.

    Where something else than the validation loss is judged, standing still is enough: noise leans to neither side.
    """
    if not stands_still(foot, guess):
        return False
    best = ranked(foot)[0]
    if best.objective.name != "validation_loss":
        return True
    return rate_of(best) == min(rate_of(run) for run in foot if is_like(run, best))


def longer_rungs(rungs: Sequence[Rung], *, left: float) -> tuple[Rung, ...]:
    """The plan from its foot to its top, with longer and fewer runs between them; two if that is more than planned.

    Args:
        rungs: the plan, whose foot taught nothing.
        left: trainings that may still be spent.

    >>> foot, longer, top = longer_rungs((Rung(0.023, 4), Rung(0.07, 2), Rung(0.73, 1)), left=0.8)
    >>> round(longer.share, 3), longer.runs
    (0.16, 2)
    """
    foot, *between, top = rungs
    share = min(OF_WHAT_IS_LEFT * left, LONGEST)
    if share <= foot.share:
        return (foot, top)
    runs = round(sum(rung.share * rung.runs for rung in between) / share)
    return (foot, Rung(share, max(FEWEST, runs)), top)
