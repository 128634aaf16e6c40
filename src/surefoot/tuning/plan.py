"""What a budget buys: how many runs at which share of the horizon."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["MOST_SHARE", "Rung", "plan_rungs"]

# A single run is never longer than this: the schedule was asked for one training, and beyond it little is gained.
MOST_SHARE = 1.5
# Of a budget up to SMALL trainings this share goes into the search; of what lies beyond it, the other one.
SMALL, SEARCH_OF_SMALL, SEARCH_OF_REST = 1.2, 0.25, 0.43
# Of the search, the middle rung takes this; a run there is so many times shorter than one at the top, one at the foot
# so many times shorter than that. All five set by eye within what tables of stored runs allowed (docs/log.md).
MIDDLE_SHARE, TOP_TO_MIDDLE, MIDDLE_TO_FOOT = 0.6, 10.0, 2.5
FEWEST_AT_FOOT = 4
# A schedule of fewer optimizer steps than this tells nothing about its rate.
FEWEST_STEPS = 8


@dataclass(frozen=True)
class Rung:
    """A step of the ladder: so many runs at this share of the horizon."""

    share: float
    runs: int


def plan_rungs(trainings: float, *, num_steps: float = math.inf) -> tuple[Rung, ...]:
    """The ladder that fits into a budget, from its foot to its top.

    The top takes what the search leaves, three quarters of a small budget and less of a large one, in runs of at most
    one and a half trainings. A training of few steps has no short runs: a schedule squeezed into a handful of steps
    tells nothing.

    Args:
        trainings: what may be spent, probes already taken off; nothing fits into 0 or less.
        num_steps: optimizer steps of one training.

    >>> [(round(rung.share, 3), rung.runs) for rung in plan_rungs(1.9)]
    [(0.048, 5), (0.12, 3), (1.299, 1)]
    >>> [(round(rung.share, 3), rung.runs) for rung in plan_rungs(1.9, num_steps=120)]
    [(0.12, 5), (1.299, 1)]
    """
    if trainings <= 0:
        return ()
    search = min(trainings, SMALL) * SEARCH_OF_SMALL + max(0.0, trainings - SMALL) * SEARCH_OF_REST
    num_top = math.ceil((trainings - search) / MOST_SHARE)
    top = (trainings - search) / num_top
    middle = _rung(MIDDLE_SHARE * search, top / TOP_TO_MIDDLE)
    foot = _rung((1.0 - MIDDLE_SHARE) * search, middle.share / MIDDLE_TO_FOOT, fewest=FEWEST_AT_FOOT)
    rungs = (
        [foot, middle]
        if foot.share * num_steps >= FEWEST_STEPS
        else [_merged(trainings, search, middle.share, num_steps)]
    )
    left = trainings - sum(rung.share * rung.runs for rung in rungs)
    if rungs[-1].share > left / num_top / 2.0:
        rungs, left, num_top = [], trainings, math.ceil(trainings / MOST_SHARE)
    return (*rungs, Rung(left / num_top, num_top))


def _rung(trainings: float, share: float, *, fewest: int = 1) -> Rung:
    """About ``trainings`` in runs of about ``share``."""
    runs = max(fewest, round(trainings / share))
    return Rung(trainings / runs, runs)


def _merged(trainings: float, search: float, share: float, num_steps: float) -> Rung:
    """One rung in place of two, its runs long enough to tell something: four of them if half of the budget has room."""
    share = max(share, FEWEST_STEPS / num_steps)
    room = min(FEWEST_AT_FOOT, math.floor(trainings / 2.0 / share))
    return Rung(share, max(1, room, math.floor(search / share + 1e-9)))
