"""What a curve shows of its learning rate, in numbers that have no unit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from surefoot.diagnosis.curve import Curve, curve_of
from surefoot.diagnosis.log import Log, Series

__all__ = ["Looks", "Measures", "looks_at", "of_shares"]

Values = npt.NDArray[np.float64]
# Shares of a curve's gain are compared by their logarithm, log(1 + share / SMALL): nothing remains 0; ten times all
# that was gained is as bad as more.
SMALL, MOST = 0.003, 10.0
HALF, LAST_QUARTER = 0.5, 0.75


class Measures(NamedTuple):
    """The inputs of the guess; all but ``apart`` and the last two are logarithms of shares of what a curve gained.

    Attributes:
        jumps: all rises of the validation errors over the second half together: steps too long for the valley.
        noise: the deviation of a point from a smooth course, of the calmer of both losses: weights that jump move both.
        first: gained with the first look: slow where the rate is low.
        still: gained by the training loss while the second half of the rate was spent: a low rate is not done.
        last: while its last quarter was spent.
        back: how far the errors end above their lowest.
        apart: the part of the training loss's late gain that the validation loss did not follow: what a rate too
            low has not come to.
        falls_noisily: noise × still: it still falls, and jumps: long steps in a long valley.
        falls_on: last², for one that is far from its end.
    """

    jumps: float
    noise: float
    first: float
    still: float
    last: float
    back: float
    apart: float
    falls_noisily: float
    falls_on: float


class Looks(NamedTuple):
    """The shares themselves, as sentences say them, and the curve of errors.

    Attributes:
        errors: errors on validation rows where an accuracy was logged, else the validation loss, else the training one.
        rises: of it over the second half.
        back: how far it ends above its lowest.
        first, still: of the training loss.
    """

    errors: Curve
    rises: float
    back: float
    first: float
    still: float
    noise: float
    measures: Measures


def of_shares(share: float) -> float:
    """The logarithm that shares are compared by; what is no number, of losses too large to subtract, is nothing."""
    return float(np.log1p(np.clip(np.nan_to_num(share), 0.0, MOST) / SMALL))


@np.errstate(over="ignore", invalid="ignore")
def looks_at(log: Log, training: Curve) -> Looks:
    """All measures of a log whose training loss fell.

    Args:
        log: of one training.
        training: its training loss, finite.
    """
    validation = curve_of(log, "validation") or training
    errors = _errors(log) or validation
    gained, gained_validation, gained_errors = (_gain(curve) for curve in (training, validation, errors))
    half = _place(log, training, HALF)
    still = float(training.smooth[half] - training.smooth[-1]) / gained
    half_validation = _place(log, validation, HALF)
    followed = float(validation.smooth[half_validation] - validation.smooth[-1]) / gained_validation
    last = float(training.smooth[_place(log, training, LAST_QUARTER)] - training.smooth[-1]) / gained
    rises = float(np.maximum(np.diff(errors.finite[_place(log, errors, HALF) :]), 0.0).sum()) / gained_errors
    back = float(errors.smooth[-1] - errors.smooth.min()) / gained_errors
    first = float(training.finite[0] - training.smooth[1]) / gained
    noise = min(training.noise / gained, validation.noise / gained_validation)
    measures = Measures(
        jumps=of_shares(rises),
        noise=of_shares(noise),
        first=of_shares(first),
        still=of_shares(still),
        last=of_shares(last),
        back=of_shares(back),
        apart=float(np.clip(np.nan_to_num((still - followed) / max(still, 0.02)), -1.0, 2.0)),
        falls_noisily=of_shares(noise) * of_shares(still),
        falls_on=of_shares(last) ** 2,
    )
    return Looks(errors, rises, back, first, still, noise, measures)


def _errors(log: Log) -> Curve | None:
    accuracy = log.get("validation_accuracy")
    if accuracy is None or log.get("validation_loss") is None:
        return None
    known = accuracy.finite
    errors = Series(known.at, known.values.max(initial=1.0) - known.values)
    return curve_of(Log(log.name, log.unit, {"validation_loss": errors}), "validation", name="validation error")


def _gain(curve: Curve) -> float:
    return max(float(curve.finite[0] - curve.smooth.min()), 1e-12)


def _place(log: Log, curve: Curve, share: float) -> int:
    """Which point stands where this share of all rate was spent; of all time where no rate was logged."""
    spent = _spent(log, curve.finite_at)
    return min(int(np.searchsorted(spent, share)), max(len(spent) - 2, 0))


def _spent(log: Log, at: Values) -> Values:
    """The share of all rate that was spent by each of these places."""
    rates = log.get("learning_rate")
    if rates is None or len(rates.finite) < 2 or rates.finite.values.max() <= 0.0:
        since = at - min(float(at[0]), 0.0)
        return np.asarray(since / max(float(since[-1]), 1e-12))
    known = rates.finite
    total = np.cumsum(np.maximum(known.values, 0.0))
    return np.asarray(np.interp(at, known.at, total / total[-1]))
