"""Whether a training came to its end: still falling, never begun, or held up by its own noise."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from surefoot.diagnosis.accuracy import says_one_class
from surefoot.diagnosis.curve import Curve, course_of, curve_of
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.logged_rate import fell_with_the_rate, has_come_down
from surefoot.diagnosis.wording import at_place, place_of, share
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["convergence", "held_up"]

FEWEST_POINTS = 6
# What half as many epochs again must gain, as a share of all that was gained, to be worth a verdict.
WORTHWHILE = 0.02
MORE = 1.5
# The last tenth moves by this share of what the carried on curve says, or more.
BORNE_OUT, FEWEST_LAST = 0.5, 4
LONGER = (
    "train half as long again with the schedule stretched to the new end: the rate had come down, so more of the same "
    "adds little"
)
# A curve that has gained less than this many deviations of a point has not begun.
GAINED = 3.0
LEAST_GAIN = 0.01  # and less than this share of its start
ENOUGH_GAIN = 0.25  # but one that fell by this share of it has, however restless it is
# A floor of noise: over the last third the loss falls by less than a deviation of a point, and that deviation is this
# share of all that was gained; or, where both losses jump, this share of where they stand.
LOUD, LOUD_BESIDE = 0.02, 0.15


def convergence(log: Log) -> Finding | None:
    """What the end of the loss says; the validation loss where there is one."""
    curve = course_of(log)
    if curve is None or len(curve.smooth) < FEWEST_POINTS:
        return None
    gained = float(curve.smooth[0] - curve.smooth.min())
    training = curve_of(log, "train") or curve
    if (_gained_nothing(curve) and _gained_nothing(training)) or says_one_class(log):
        return _never_began(log, curve, gained)
    return _still_falling(log, curve, gained) or held_up(log)


def _gained_nothing(curve: Curve) -> bool:
    gained = float(curve.smooth[0] - curve.smooth.min())
    start = abs(float(curve.smooth[0]))
    return gained < min(max(GAINED * curve.noise, LEAST_GAIN * start), ENOUGH_GAIN * start)


def _never_began(log: Log, curve: Curve, gained: float) -> Finding:
    slow = _is_steady(curve.smooth)
    advice = (
        "it falls steadily and slowly: raise the learning rate 10 times, and on"
        if slow
        else "lower the learning rate 10 times; if that changes nothing, see whether the inputs are scaled and "
        "belong to their targets, and whether gradients reach the first layer"
    )
    return Finding(
        verdict="learned nothing",
        run=log.name,
        evidence=say(
            "until {place} the {loss} went from {first:.4g} to {last:.4g}, at best {share} down",
            place=at_place(log, curve.finite_at[-1]),
            loss=say(curve.name),
            first=curve.first,
            last=curve.last,
            share=share(gained / max(abs(float(curve.smooth[0])), 1e-12)),
        ),
        advice=say(advice),
        certainty="certain",
    )


def _is_steady(smooth: npt.NDArray[np.float64]) -> bool:
    """Whether nearly every step goes down."""
    return bool((np.diff(smooth) < 0).mean() > 0.9)


def _still_falling(log: Log, curve: Curve, gained: float) -> Finding | None:
    """The curve carried on by a power of time, or an exponential, that fits its last two thirds."""
    places = curve.finite_at - min(float(curve.finite_at[0]), 0.0)
    start = len(places) // 3
    is_positive = bool(curve.finite.min() > 0.0)
    law, spread = _law(places[start:], curve.smooth[start:], is_positive=is_positive)
    expected = law(MORE * float(places[-1]))
    gain = float(curve.smooth[-1]) - expected
    if gain < max(WORTHWHILE * gained, 2.0 * spread) or not _falls_in_the_end(curve):
        return None
    few = max(FEWEST_LAST, len(places) // 10)
    if np.ptp(curve.finite[-few:]) < BORNE_OUT * (law(float(places[-few])) - law(float(places[-1]))):
        # it has come to stand: for good, or because the rate went to zero while it fell with it
        return _stopped_with_the_rate(log, curve) if fell_with_the_rate(log, curve) else None
    until = float(curve.finite_at[0]) + MORE * (float(curve.finite_at[-1]) - float(curve.finite_at[0]))
    return Finding(
        verdict="not converged",
        run=log.name,
        epoch=place_of(log, curve.finite_at[-1]),
        evidence=say(
            "the {loss} was still falling at the end, {end}; carried on by the curve that fits its last two thirds "
            "it would be {expected:.3g} instead of {last:.3g} at {later}",
            loss=say(curve.name),
            end=at_place(log, curve.finite_at[-1]),
            expected=expected,
            last=curve.last,
            later=at_place(log, float(round(until))),
        ),
        advice=say(
            LONGER
            if has_come_down(log)
            else "train half as long again with the schedule stretched to the new end, "
            "or raise the learning rate 2 to 3 times"
        ),
        certainty="likely" if gain > 4.0 * spread else "possible",
    )


def _stopped_with_the_rate(log: Log, curve: Curve) -> Finding:
    middle = len(curve.smooth) // 2
    return Finding(
        verdict="not converged",
        run=log.name,
        epoch=place_of(log, curve.finite_at[-1]),
        evidence=say(
            "the {loss} fell for as long as the learning rate was up: from {middle:.3g} at {place} to {last:.3g}, as "
            "much as the rate that was left could bring",
            loss=say(curve.name),
            middle=float(curve.finite[middle]),
            place=at_place(log, curve.finite_at[middle]),
            last=curve.last,
        ),
        advice=say(LONGER),
        certainty="possible",
    )


def _falls_in_the_end(curve: Curve) -> bool:
    """Whether the last quarter lies below the one before by more than twice the error of their difference."""
    values = curve.values[np.isfinite(curve.values)]
    quarter = max(2, len(values) // 4)
    before, last = values[-2 * quarter : -quarter], values[-quarter:]
    return bool(before.mean() - last.mean() > 2.0 * curve.noise * np.sqrt(2.0 / quarter))


def _law(
    places: npt.NDArray[np.float64], values: npt.NDArray[np.float64], *, is_positive: bool
) -> tuple[Callable[[float], float], float]:
    """The curve a + b·t^-c, by least squares over a grid of c, and its error.

    Where all values are positive it must remain so: a is not negative, or it is an exponential of time.
    """
    places = np.maximum(places, 1e-9)
    found: list[tuple[float, Callable[[float], float]]] = []
    if is_positive and values.min() > 0.0:
        exponential, error = _exponential(places, values)
        found += [(error, exponential)] if exponential(places[-1]) < exponential(places[0]) else []
    for power in (0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0):
        falling = places**-power
        (end, factor), *_ = np.linalg.lstsq(np.stack([np.ones_like(places), falling], axis=1), values, rcond=None)
        if is_positive and end < 0.0:
            end, factor = 0.0, float(falling @ values) / float(falling @ falling)
        error = float(np.sqrt(np.mean((end + factor * falling - values) ** 2)))
        found.append((error, functools.partial(_at, end=float(end), factor=float(factor), power=power)))
    error, law = min(found, key=lambda one: one[0])
    return law, error


def _exponential(
    places: npt.NDArray[np.float64], values: npt.NDArray[np.float64]
) -> tuple[Callable[[float], float], float]:
    """The exponential of time whose logarithm fits best, by least squares, and its error in the values."""
    logarithms, middle, reach = np.log(values), float(places.mean()), float(np.ptp(places))
    aside = (places - middle) / max(reach, 1e-12)  # steps may be counted from 10^15 on
    slope = float(aside @ logarithms) / max(float(aside @ aside), 1e-12)
    level = float(logarithms.mean())
    error = float(np.sqrt(np.mean((np.exp(level + slope * aside) - values) ** 2)))
    return lambda place: float(np.exp(level + slope * (place - middle) / max(reach, 1e-12))), error


def _at(place: float, *, end: float, factor: float, power: float) -> float:
    return float(end + factor * max(place, 1e-9) ** -power)


def held_up(log: Log) -> Finding | None:
    """The training loss stays level in the last third, and jumps about: its noise is what holds it up."""
    curve, rates = curve_of(log, "train"), log.get("learning_rate")
    values = np.zeros(0) if curve is None else curve.values[np.isfinite(curve.values)]
    if curve is None or len(values) < 2 * FEWEST_POINTS:
        return None
    third = len(values) // 3
    gained = float(curve.smooth[0] - curve.smooth.min())
    if gained <= 0.0:  # nothing to hold up
        return None
    fell = float(values[-2 * third : -third].mean() - values[-third:].mean())
    noise = _jump(values[-2 * third :])
    if fell > noise / np.sqrt(max(third, 1)) or (noise < LOUD * gained and not _both_jump(log)):
        return None
    if rates is not None and rates.values[-1] < 0.5 * rates.values.max():  # it has come down already
        return None
    return Finding(
        verdict="held up by noise",
        run=log.name,
        epoch=place_of(log, curve.at[-third]),
        evidence=say(
            "from {place} on the training loss stays level and jumps by {noise:.2g} from point to point, {share} of "
            "all that it fell",
            place=at_place(log, curve.at[-2 * third]),
            noise=noise,
            share=share(noise / max(gained, 1e-12)),
        ),
        advice=say(
            "let the learning rate decay to a tenth over the last third, or grow the batch 4 times there instead"
        ),
        certainty="likely",
    )


def _jump(values: npt.NDArray[np.float64]) -> float:
    """The deviation of a point from its neighbours, of values without a course."""
    return float(np.median(np.abs(np.diff(values)))) / 0.6745 / float(np.sqrt(2.0))


def _both_jump(log: Log) -> bool:
    """Whether both losses jump by a good share of their level in the last third: the weights do, not the rows."""
    for part in ("train", "validation"):
        curve = curve_of(log, part)
        if curve is None or len(curve.finite_at) < 2 * FEWEST_POINTS:
            return False
        last = curve.values[np.isfinite(curve.values)][-(len(curve.finite_at) // 3) :]
        if _jump(last) < LOUD_BESIDE * abs(float(np.median(last))):
            return False
    return True
