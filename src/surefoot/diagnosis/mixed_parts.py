"""Parts of the data that are not what they are called: swapped, or with rows in common."""

from __future__ import annotations

import numpy as np

from surefoot.diagnosis.curve import Curve, curve_of
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.wording import share
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["mixed_parts"]

FEWEST_POINTS = 6
# Validation clearly below training for nine tenths of the second half.
BELOW, MOSTLY = 0.1, 0.9
# Rows that are learned from are learned by heart, be it slowly, so the validation loss rises beside the training loss,
# whatever dropout, augmentation or a mean over the epoch add to the latter. Swapped, the quotient falls: by this much,
# and by so many deviations of a mean over a fifth of the log.
FALLS, SURE = 0.85, 3.0
# A training loss this small beside its start, with a validation loss no more than so far above it: rows that were not
# learned from end several times higher. Where dropout holds up the training loss a few answers are wrong.
BY_HEART, AS_GOOD, ALL_RIGHT = 0.05, 1.25, 0.995
FEWEST_ROWS = 20  # fewer may all be easy ones


def mixed_parts(log: Log, *, num_validation: int | None = None) -> Finding | None:
    """What the validation loss says beside the training loss.

    Args:
        log: of one training.
        num_validation: how many validation rows there are, where that is known.
    """
    training, validation = curve_of(log, "train"), curve_of(log, "validation")
    if training is None or validation is None or len(validation.smooth) < FEWEST_POINTS:
        return None
    if num_validation is not None and num_validation < FEWEST_ROWS:
        return None
    return _swapped(log, training, validation) or _follows(log, training, validation)


def _swapped(log: Log, training: Curve, validation: Curve) -> Finding | None:
    half = len(validation.smooth) // 2
    beside = np.interp(validation.finite_at, training.finite_at, training.smooth)
    is_below = validation.smooth[half:] < beside[half:] - BELOW * np.abs(beside[half:])
    if is_below.mean() < MOSTLY or not _falls(training, validation):
        return None
    if _crossed(training, validation):
        return Finding(
            verdict="train and validation swapped",
            run=log.name,
            evidence=say(
                "the validation loss begins above the training loss, {first:.3g} against {beside:.3g}, and ends below "
                "it, {last:.3g} against {training:.3g}: the other way round would be usual, since a mean over the "
                "first epoch lags behind",
                first=validation.first,
                beside=training.first,
                last=validation.last,
                training=training.last,
            ),
            advice=say("look where the two are measured and logged, and give each its own name"),
            certainty="likely",
        )
    return Finding(
        verdict="validation better than training",
        run=log.name,
        evidence=say(
            "over the second half the validation loss lies below the training loss and falls away from it, at the end "
            "{validation:.3g} against {training:.3g}",
            validation=validation.last,
            training=training.last,
        ),
        advice=say(
            "dropout or augmentation can put it below, but not further and further: look whether the two were swapped, "
            "or validation rows are among the training rows"
        ),
        certainty="possible",
    )


def _crossed(training: Curve, validation: Curve) -> bool:
    """Whether the two were logged at the same places and the validation loss began clearly above the training loss."""
    is_beside = training.at[0] == validation.at[0]
    return bool(is_beside and validation.finite[0] > (1.0 + BELOW) * training.finite[0])


def _falls(training: Curve, validation: Curve) -> bool:
    """Whether the quotient of the two ends clearly below its first fifth, and below its middle one."""
    if training.finite.min() <= 0.0:
        return False
    quotients, raw = (
        values / np.interp(validation.finite_at, training.finite_at, beside)
        for values, beside in ((validation.smooth, training.smooth), (validation.finite, training.finite))
    )
    few, middle = max(1, len(quotients) // 5), len(quotients) // 2
    early, half, last = (
        float(np.median(part))
        for part in (quotients[:few], quotients[middle - few // 2 : middle + few // 2 + 1], quotients[-few:])
    )
    jump = float(np.median(np.abs(np.diff(raw[middle:])))) / 0.6745 / np.sqrt(2.0 * few)
    return last < half and last < min(FALLS * early, early - SURE * jump)


def _follows(log: Log, training: Curve, validation: Curve) -> Finding | None:
    """A validation loss that falls as far as a training loss of rows known by heart."""
    ends = [float(np.median(curve.smooth[-max(2, len(curve.smooth) // 5) :])) for curve in (training, validation)]
    start = float(training.smooth[0])
    if not 0.0 < ends[0] <= BY_HEART * start or ends[1] > AS_GOOD * ends[0] or not _knows_all(log):
        return None
    return Finding(
        verdict="validation follows training",
        run=log.name,
        evidence=say(
            "the training loss fell to {training:.3g}, {share} of its first value, as where rows are known by heart, "
            "and the validation loss with it, to {validation:.3g}",
            training=ends[0],
            share=share(ends[0] / start),
            validation=ends[1],
        ),
        advice=say(
            "look for rows that are in both parts: copies, neighbours in time, rows of the same person; only a very "
            "easy task does this by itself"
        ),
        certainty="possible",
    )


def _knows_all(log: Log) -> bool:
    """Whether hardly a row of either part is answered wrong; of a loss alone nobody knows how low is by heart."""
    known = [one.finite.values for part in ("train", "validation") if (one := log.get(f"{part}_accuracy")) is not None]
    return bool(known) and all(len(values) > 0 and np.median(values[-3:]) > ALL_RIGHT for values in known)
