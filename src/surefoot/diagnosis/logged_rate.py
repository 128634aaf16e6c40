"""What the logged learning rate did: came down, or jumped back to where it had been."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from surefoot.diagnosis.curve import Curve
from surefoot.diagnosis.log import Log

__all__ = ["fell_with_the_rate", "has_come_down", "is_settling", "restarts"]

# A warm restart takes the rate to twice what it was or more in one row, and not above where it had been before: a
# warmup and one-cycle's rise go further.
JUMP, AS_BEFORE = 2.0, 1.01
NEARLY_ZERO = 0.1  # of its largest: what comes after could gain little
# Small steps gain in proportion to the rate; a training near its end gains far less.
IN_PROPORTION = 0.75


def restarts(log: Log) -> npt.NDArray[np.float64]:
    """The places from which the rate was back up."""
    rates = log.get("learning_rate")
    if rates is None or len(rates.finite) < 2:
        return np.zeros(0)
    known = rates.finite
    before, after = known.values[:-1], known.values[1:]
    is_back = (after > 0.0) & (after >= JUMP * before) & (after <= AS_BEFORE * np.maximum.accumulate(before))
    return known.at[1:][is_back]


def is_settling(log: Log, since: float) -> bool:
    """Whether a restart at a place or later had less time to come back than the cycle before it took."""
    places = restarts(log)
    rates = log.get("learning_rate")
    if not len(places) or rates is None or places[-1] < since:
        return False
    known = rates.finite.at
    begin = places[-2] if len(places) > 1 else known[0]
    took = known[known < places[-1]][-1] - begin
    return bool(known[-1] - places[-1] < took)


def has_come_down(log: Log, *, to: float = NEARLY_ZERO) -> bool:
    """Whether the rate ended at this share of its largest, or below."""
    rates = log.get("learning_rate")
    if rates is None or len(rates.finite) < 2:
        return False
    return bool(rates.finite.values[-1] <= to * rates.finite.values.max())


def fell_with_the_rate(log: Log, curve: Curve) -> bool:
    """Whether a rate that came down brought as much in the second half as its share of all the rate that was spent."""
    rates = log.get("learning_rate")
    if rates is None or not has_come_down(log):
        return False
    middle, known = len(curve.smooth) // 2, rates.finite
    spent = float(known.values[known.at > curve.finite_at[middle]].sum() / max(known.values.sum(), 1e-300))
    gained = float(curve.smooth[middle] - curve.smooth[-1]) / max(float(np.ptp(curve.smooth)), 1e-12)
    return gained > 0.0 and gained >= IN_PROPORTION * spent
