"""What a learning-rate range test says, read off its curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surefoot.curves.smoothing import noise_of, zero_lag

__all__ = ["Reading", "has_blown_up", "read_sweep"]

# Over eighteen pairs of a task and an optimizer the best rate of a whole training at a batch of 16 lay this far below
# the minimum, with a deviation of 0.6 decades (measured: docs/log.md, 2026-11-21).
BELOW_MINIMUM = 10.0**0.6
# The band reaches half a decade to either side.
HALF_BAND = 10.0**0.5
# A sweep begins with rates too small to matter: its first losses tell where it starts and how noisy a batch is.
START = 10
# It is over when the mean of the last few losses stands this far above the start, in best falls and in noise.
LAST, FALLS, DEVIATIONS = 3, 2.0, 6.0


@dataclass(frozen=True)
class Reading:
    """What the curve says: a band of rates, or a reason why it says nothing.

    Attributes:
        smoothed: the curve without its noise, as long as what could be read.
        low: half a decade below ``value``.
        value: a quarter of the rate at the lowest loss.
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


def read_sweep(rates: Sequence[float], losses: Sequence[float], *, memory: float = 0.8) -> Reading:
    """The band of learning rates that a range test suggests.

    The curve is cut where it blows up, smoothed without lag over equal steps of the logarithm of the rate, and its
    minimum is taken for the edge. What lies above the start counts as the start, so that the cliff behind the edge
    does not reach into the average before it.

    Args:
        rates: rising, evenly spaced on a logarithmic scale.
        losses: the loss at each rate, before the step taken with it.
        memory: of the smoothing, in [0, 1): 0.8 suits losses of batches; less where they hold no batch's noise.
    """
    values = np.asarray(losses, dtype=float)
    end = next((index for index in range(len(values)) if has_blown_up(values[: index + 1])), None)
    diverged_above = None if end is None else float(rates[end])
    usable = values if end is None else values[:end]
    if len(usable) < START + LAST:
        reason = f"only {len(usable)} steps could be taken"
        if end is not None:
            reason = "the loss left at once" if np.isfinite(values[end]) else "the loss was not finite at once"
        return Reading(tuple(usable.tolist()), diverged_above=diverged_above, reason=reason)
    start = float(np.mean(usable[:START]))
    smoothed = zero_lag(np.minimum(usable, start + noise_of(usable[:START])), memory=memory)
    edge = int(np.argmin(smoothed))
    fall = start - float(smoothed[edge])
    # Chance alone makes the lowest of the smoothed losses about one deviation lower than the start.
    if fall <= max(noise_of(usable), 1e-6 * abs(float(smoothed[0]))):
        reason = "the loss never fell by more than its own noise"
        return Reading(tuple(smoothed.tolist()), diverged_above=diverged_above, reason=reason)
    value = float(rates[edge]) / BELOW_MINIMUM
    return Reading(tuple(smoothed.tolist()), value / HALF_BAND, value, value * HALF_BAND, diverged_above)


def has_blown_up(losses: Sequence[float] | npt.NDArray[np.float64]) -> bool:
    """Whether a sweep is over: its last loss is not finite, or its last few are far above its start.

    The rule is L > L₀ + c (L₀ − best) + noise, a difference and not a ratio, so that it holds for negative losses too.
    """
    values = np.asarray(losses, dtype=float)
    if not np.isfinite(values[-1]):
        return True
    if len(values) < START + LAST:
        return False
    start = float(np.mean(values[:START]))
    fall = max(start - float(np.min(_running_mean(values))), 0.0)
    room = max(FALLS * fall, DEVIATIONS * noise_of(values[:START]), 0.5 * abs(start))
    return float(np.mean(values[-LAST:])) > start + room


def _running_mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.convolve(values, np.full(LAST, 1.0 / LAST), mode="valid")
