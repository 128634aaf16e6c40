"""What a learning-rate range test says, read off its curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surefoot.curves.smoothing import zero_lag

__all__ = ["Reading", "has_blown_up", "read_sweep"]

# A sweep is over when the loss stands this many times its best fall above where it began.
BLOW_UP = 2.0
# Ten below the minimum is near the best rate at batches of 16 to 32, with momentum or Adam (measured: see docs/log.md).
BELOW_MINIMUM = 10.0
# The band reaches half a decade to either side.
HALF_BAND = 10.0**0.5
MIN_POINTS = 10


@dataclass(frozen=True)
class Reading:
    """What the curve says: a band of rates, or a reason why it says nothing.

    Attributes:
        smoothed: the curve without its noise, as long as what could be read.
        low: half a decade below ``value``.
        value: a tenth of the rate at the lowest loss.
        high: half a decade above ``value``.
        diverged_above: the rate at which the loss left, None when it never did.
        reason: why there is no band, else "".
    """

    smoothed: tuple[float, ...]
    low: float | None = None
    value: float | None = None
    high: float | None = None
    diverged_above: float | None = None
    reason: str = ""


def read_sweep(rates: Sequence[float], losses: Sequence[float]) -> Reading:
    """The band of learning rates that a range test suggests.

    The curve is cut where it blows up, smoothed without lag over equal steps of the logarithm of the rate, and its
    minimum is taken for the edge.

    Args:
        rates: rising, evenly spaced on a logarithmic scale.
        losses: the loss at each rate, before the step taken with it.
    """
    values = np.asarray(losses, dtype=float)
    end = next((index for index in range(len(values)) if has_blown_up(values[: index + 1])), None)
    diverged_above = None if end is None else float(rates[end])
    usable = values if end is None else values[:end]
    if len(usable) < MIN_POINTS:
        reason = "the loss left at once" if end is not None else f"only {len(usable)} steps could be taken"
        return Reading(tuple(usable.tolist()), diverged_above=diverged_above, reason=reason)
    smoothed = zero_lag(usable)
    edge = int(np.argmin(smoothed))
    start = float(np.mean(usable[: max(3, len(usable) // 8)]))
    fall = start - float(smoothed[edge])
    noise = float(np.std(usable - smoothed)) / 2.0  # the average keeps about a quarter of the variance
    if fall <= 2.0 * noise or fall <= 1e-3 * abs(start):
        reason = "the loss never fell by more than its own noise"
        return Reading(tuple(smoothed.tolist()), diverged_above=diverged_above, reason=reason)
    value = float(rates[edge]) / BELOW_MINIMUM
    return Reading(tuple(smoothed.tolist()), value / HALF_BAND, value, value * HALF_BAND, diverged_above)


def has_blown_up(losses: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]]) -> bool:
    """Whether a sweep is over: its last loss is not finite or far above its start.

    The rule is L > L₀ + c (L₀ − best), a difference and not a ratio, so that it holds for negative losses too; a loss
    that has hardly moved is given room of its own size.
    """
    last = float(losses[-1])
    if not np.isfinite(last):
        return True
    if len(losses) < MIN_POINTS:
        return False
    start = float(np.mean(losses[:3]))
    fall = max(start - float(np.min(losses)), 0.5 * abs(start))
    return last > start + BLOW_UP * fall
