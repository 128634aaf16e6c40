"""What a longer training would end at, from where shorter complete ones ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Expected", "expected_end"]

# The gain in the logarithm of the loss per doubling of the horizon shrinks by this factor with every doubling; the
# bounds of the interval are the slow and the fast end of what was seen (measured: docs/log.md, 2026-11-21).
SHRINKS, SHRINKS_SLOWLY, SHRINKS_FAST = 0.6, 0.9, 0.3
# 90 % of a normal error.
DEVIATIONS = 1.645


@dataclass(frozen=True)
class Expected:
    """A loss that is expected, and where it lies with 90 %."""

    low: float
    value: float
    high: float


def expected_end(ends: Mapping[float, float], *, horizon: float, error: float = 0.0) -> Expected | None:
    """The loss at the end of a training over ``horizon``, from the best ends of shorter ones.

    Between the two longest of them log loss fell by so much per doubling; from there on the gain shrinks by 0.6 with
    every doubling. A loss that did not fall between them is expected to stay.

    Args:
        ends: the best loss at the end of complete trainings, by their length in any unit; above 0.
        horizon: the length that is asked for, not below the longest of them.
        error: standard error of the loss of the longest.

    Returns:
        None where fewer than two lengths are known or a loss is not above 0.

    >>> found = expected_end({1.0: 0.5, 4.0: 0.2}, horizon=16.0)
    >>> [round(value, 3) for value in (found.low, found.value, found.high)]
    [0.095, 0.142, 0.18]
    """
    lengths = sorted(length for length in ends if length <= horizon)[-2:]
    if len(lengths) < 2 or not all(0.0 < ends[length] < math.inf for length in lengths):
        return None
    before, last = (ends[length] for length in lengths)
    doublings = math.log2(lengths[1] / lengths[0])
    per_doubling = max(0.0, math.log(before / last) / doublings)
    left = math.log2(horizon / lengths[1])

    def after(shrinks: float) -> float:
        """The gain per doubling belongs to the middle of the last stretch and shrinks on from there."""
        gain = per_doubling * shrinks ** (doublings / 2.0) * (shrinks**left - 1.0) / math.log(shrinks)
        return last * math.exp(-gain)

    doubt = DEVIATIONS * error
    return Expected(max(0.0, after(SHRINKS_SLOWLY) - doubt), after(SHRINKS), after(SHRINKS_FAST) + doubt)
