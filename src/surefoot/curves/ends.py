"""Where short but complete trainings end, read for the peak rate of a long one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from surefoot.curves.early import HORIZON_EXPONENT, read_early

__all__ = ["EndsReading", "horizon_factor", "read_ends"]

# A parabola's lowest point counts no further than this from the lowest rate tried, in steps between rates.
FURTHEST = 0.5


@dataclass(frozen=True)
class EndsReading:
    """A peak rate for the long training, or a reason why there is none.

    Attributes:
        best: the peak rate that ends lowest, between those that were tried.
        value: the rate for the whole horizon.
        reason: what ``value`` follows from, or why there is none.
    """

    best: float | None = None
    value: float | None = None
    reason: str = ""


def read_ends(rates: Sequence[float], curves: Sequence[Sequence[float]], *, share: float) -> EndsReading:
    """The peak rate for a whole training from short ones, each with a schedule of its own that came to its end.

    Which rates held is what ``read_early`` says of their curves, and any that ends below where the slowest began.
    Among those the lowest end is found, as a parabola through it and its neighbours over the logarithm of the rate has
    it, and lowered by share^0.32.

    Args:
        rates: peak rates, rising, evenly spaced on a logarithmic scale; three or more are best.
        curves: the loss at evenly spaced moments, without the noise of batches; one shorter than the longest has left.
        share: of the whole horizon that a short training takes, in (0, 1].

    >>> ends = [2.0, 1.0, 1.0, 3.0]
    >>> curves = [[4.0 - (4.0 - end) * step / 15 for step in range(16)] for end in ends]
    >>> round(read_ends([0.01, 0.1, 1.0, 10.0], curves, share=1.0).value or 0, 3)
    0.316
    """
    longest = max(map(len, curves), default=0)
    if not longest:
        lowest = f", down to {rates[0]:.2g}" if rates else ""
        return EndsReading(reason=f"the loss left at every rate{lowest}")
    looks = read_early(rates, curves)
    ends = [curve[-1] if curve else math.inf for curve in curves]
    start = next(curve[0] for curve in curves if len(curve) == longest)
    # a loss without noise may turn up a little in its last quarter and still have come a long way
    held = [
        index
        for index, look in enumerate(looks.looks)
        if look.status == "falling" or (look.status == "rising" and ends[index] < start)
    ]
    if not held:
        return EndsReading(reason=looks.reason)
    best = min(held, key=lambda index: ends[index])
    shift = 0.0
    if best - 1 in held and best + 1 in held:
        before, here, after = ends[best - 1], ends[best], ends[best + 1]
        bend = before - 2.0 * here + after
        shift = 0.5 * (before - after) / bend if bend > 0.0 else 0.0
    step = math.log(rates[1] / rates[0]) if len(rates) > 1 else 0.0
    rate = rates[best] * math.exp(step * min(max(shift, -FURTHEST), FURTHEST))
    reason = f"{rates[best]:.2g} ends lowest"
    reason += ", and no faster one was tried" if best == len(rates) - 1 else ""
    reason += ", and no slower one was tried" if best == 0 else ""
    return EndsReading(rate, rate * horizon_factor(share), reason)


def horizon_factor(share: float) -> float:
    """What the best rate of a short training is multiplied by for a whole one, share^0.32 and at most 1.

    Bjorck et al. 2024 (arXiv:2409.19913).
    """
    return float(min(1.0, share) ** HORIZON_EXPONENT)
