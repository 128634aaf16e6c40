"""Where between the tried rates the best one lies."""

from __future__ import annotations

import math
from collections.abc import Sequence

from surefoot.records import Run, ranked

__all__ = ["valley"]

# A parabola's lowest point counts no further than this from the best rate tried, in steps between rates.
FURTHEST = 0.5


def valley(runs: Sequence[Run]) -> float:
    """The best rate among runs that differ in nothing else.

    The lowest point of a parabola over log rate through the best and its neighbours, or the best rate itself where a
    neighbour is missing.

    Args:
        runs: usable, at least one; several at one rate count as the best of them.
    """
    best: dict[float, float] = {}
    for run in reversed(ranked(runs)):
        best[float(run.coordinates["learning_rate"])] = run.judged if run.objective.direction == "min" else -run.judged
    rates = sorted(best)
    index = min(range(len(rates)), key=lambda place: best[rates[place]])
    rate = rates[index]
    if index in {0, len(rates) - 1}:
        return rate
    slower, faster = (math.log(rates[place] / rate) for place in (index - 1, index + 1))
    left, right = (best[rates[place]] - best[rate] for place in (index - 1, index + 1))
    bend = (right / faster - left / slower) / (faster - slower)  # of value = slope·x + bend·x² through all three
    if not bend > 0.0:
        return rate
    slope = left / slower - bend * slower
    return rate * math.exp(min(max(-slope / (2.0 * bend), FURTHEST * slower), FURTHEST * faster))
