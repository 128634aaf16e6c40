"""The first sign that a training leaves the ground."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from surefoot.diagnosis.curve import Curve, curve_of
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.logged_rate import is_settling, restarts
from surefoot.diagnosis.wording import at_place, place_of
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["divergence", "spikes"]

# A loss that is above where it began, after it was below, and this share above its best is on its way out: of
# TaskSet's curves 99.8 % that ended badly show it in time and 1 % that ended well (``benchmarks.verdicts``).
CLEARLY_ABOVE = 0.05
# A validation loss alone may rise above its start by overfitting; by so many times, only where the weights are lost.
LOST = 10.0
# In a short log of noisy losses the last may lie above the first by chance: by half a deviation of a point, but not by
# a quarter of the start, since a loss that is lost jumps as well.
CHANCE, MOST_BY_CHANCE = 0.5, 0.25
# A spike is this many deviations of a point above both sides of it. A loss jumps about where it is high and is calm
# where it has come down, so it must stand out by as many of the points just before and just after, so many of them, or
# be so many times as high as both sides.
SPIKE, AROUND, FEWEST_BESIDE, TIMES = 8.0, 8, 3, 2.0
WORTH_SAYING = 0.1  # and this share of all that the loss moved
FEWEST_POINTS = 8
# An epoch has many steps, in which a rate that is too high takes a sound loss beyond all numbers.
FROM_THE_FIRST_EPOCH = (
    "the learning rate may be far too high, since the first epoch has many steps: lower it 10 times and log the loss "
    "of the first steps; if that is no number either, look for NaN in the data, in the first weights and in the loss"
)
FROM_THE_FIRST_STEP = "look for NaN in the data, in the first weights and in the loss itself before the learning rate"


def divergence(log: Log) -> Finding | None:
    """The loss is no finite number any more, or above where it began after it was below, and stayed away.

    Above its start counts for the training loss. Beside one that falls, a validation loss above its start is
    overfitting; alone, it may be either and must be far above.
    """
    training, validation = curve_of(log, "train"), curve_of(log, "validation")
    losses = [curve for curve in (training, validation) if curve is not None]
    lost = next((found for curve in losses if (found := _not_finite(log, curve)) is not None), None)
    if lost is not None or not losses:
        return lost or _never_finite(log)
    return _above_its_start(log, losses[0], times=1.0 if training is not None else LOST)


def _never_finite(log: Log) -> Finding | None:
    for name in ("train_loss", "validation_loss"):
        series = log.get(name)
        if series is not None and not np.isfinite(series.values).any():
            return Finding(
                verdict="diverged",
                run=log.name,
                epoch=place_of(log, series.at[0]),
                evidence=say("not one of its {count} losses is a finite number", count=len(series)),
                advice=say(FROM_THE_FIRST_EPOCH if log.unit == "epoch" else FROM_THE_FIRST_STEP),
                certainty="certain",
            )
    return None


def _not_finite(log: Log, curve: Curve) -> Finding | None:
    lost = np.flatnonzero(~np.isfinite(curve.raw.values))
    # one that comes back is a hole in the log, not in the training
    if not len(lost) or np.isfinite(curve.raw.values[-1]):
        return None
    first = int(lost[0])
    while first < len(curve.raw) and np.isfinite(curve.raw.values[first:]).any():
        first += 1
    place, before = curve.raw.at[first], curve.raw.values[first - 1] if first else np.nan
    return Finding(
        verdict="diverged",
        run=log.name,
        epoch=place_of(log, place),
        evidence=say(
            "the {loss} is no finite number from {place} on; it was {before:.3g} before",
            loss=say(curve.name),
            place=at_place(log, place),
            before=before,
        ),
        advice=_advice(log, place),
        certainty="certain",
    )


def _above_its_start(log: Log, curve: Curve, *, times: float) -> Finding | None:
    values = curve.finite
    start, last = values[0], values[-1]
    lowest = int(np.argmin(values))
    chance = min(CHANCE * curve.noise, MOST_BY_CHANCE * abs(start))
    above_start = start + (times - 1.0) * abs(start) + chance
    limit = max(above_start, values[lowest] + CLEARLY_ABOVE * abs(values[lowest]))
    if len(values) < 3 or lowest == 0 or last <= limit:
        return None
    above = np.flatnonzero(values > limit)
    first = int(above[above > lowest][0])
    place = curve.finite_at[first]
    if is_settling(log, curve.finite_at[lowest]):  # a warm restart may bring it back
        return None
    return Finding(
        verdict="diverged",
        run=log.name,
        epoch=place_of(log, place),
        evidence=say(
            "the {loss} began at {start:.3g}, fell to {best:.3g} by {bottom}, and is above its start since {place}: "
            "{last:.3g} now",
            loss=say(curve.name),
            start=start,
            best=values[lowest],
            bottom=at_place(log, curve.finite_at[lowest]),
            place=at_place(log, place),
            last=last,
        ),
        advice=_advice(log, place),
        certainty="likely",
    )


def _advice(log: Log, place: float) -> str:
    rates = log.get("learning_rate")
    before = None if rates is None else rates.until(place)
    return say(
        "go back to the last weights before it with a learning rate 3 times lower{known}; if it happens in the first "
        "tenth of the training, warm the rate up, and clip the gradient's norm",
        known=say(", below {rate:.3g}, which it had there", rate=before.values[-1]) if before else "",
    )


def spikes(log: Log) -> Finding | None:
    """Single points of the training loss far above both sides, after which it came back.

    A validation loss is looked at too seldom for a point to be a sign: one in twelve of AlgoPerf's tuned runs has some.
    """
    curve = curve_of(log, "train")
    if curve is None:
        return None
    values = curve.raw.finite.values
    if len(values) < FEWEST_POINTS:
        return None
    around = np.maximum(values[:-2], values[2:])
    gained = float(curve.smooth.max() - curve.smooth.min())
    least = max(SPIKE * _usual(np.abs(np.diff(values))), WORTH_SAYING * gained)
    high = np.flatnonzero(values[1:-1] - around > least) + 1
    high = high[[_stands_out(values, int(place)) for place in high]]
    at = curve.raw.finite.at
    high = high[[not _any_between(restarts(log), at[place - 1], at[place]) for place in high]] if len(high) else high
    if not len(high):
        return None
    places = at[high]
    highest = int(high[np.argmax(values[high])])
    where = at_place(log, curve.raw.finite.at[highest])
    return Finding(
        verdict="spikes",
        run=log.name,
        epoch=place_of(log, places[0]),
        evidence=say(
            "the {loss} jumped {times} and came back, at {place} to {high:.3g} from {before:.3g}",
            loss=say(curve.name),
            times=say("once") if len(high) == 1 else say("{count:d} times", count=len(high)),
            place=where,
            high=values[highest],
            before=values[highest - 1],
        ),
        advice=say("clip the gradient's norm near its usual size, or lower the rate by a third; look at those rows"),
        certainty="likely",
    )


def _usual(jumps: npt.NDArray[np.float64]) -> float:
    """The deviation behind these jumps from point to point."""
    return max(1.4826 * float(np.median(jumps)), 1e-12)


def _stands_out(values: npt.NDArray[np.float64], place: int) -> bool:
    """Whether a point is high beside its surroundings, on the side where these jump more."""
    beside = max(float(values[place - 1]), float(values[place + 1]))
    if values[place] >= TIMES * beside > 0.0:
        return True
    sides = values[max(place - 1 - AROUND, 0) : place], values[place + 1 : place + 2 + AROUND]
    usual = max((_usual(np.abs(np.diff(side))) for side in sides if len(side) > FEWEST_BESIDE), default=0.0)
    return bool(values[place] - beside > SPIKE * usual)


def _any_between(places: npt.NDArray[np.float64], after: float, until: float) -> bool:
    return bool(((places > after) & (places <= until)).any())
