"""Where learning by heart begins, and where a validation loss gets worse for another reason."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from surefoot.diagnosis.curve import Curve, curve_of
from surefoot.diagnosis.generalising import knows, never_improved
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.logged_rate import is_settling
from surefoot.diagnosis.wording import at_place, place_of, share
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["overfitting"]

FEWEST_POINTS = 4
# Overfitting: the last two smoothed validation losses lie this share above the lowest, while the training loss fell on.
RISE = 0.01
# Where the training loss did not fall: the last four lie this share above it and are not on their way back.
CLEAR_RISE, LONG, ON_ITS_WAY_BACK = 0.015, 4, 0.985
# Beyond so many deviations of a point, a rise is not chance.
SURE = 3.0


def overfitting(log: Log, *, rise: float = RISE) -> Finding | None:
    """The validation loss left its minimum: while the training loss fell on, or with it.

    Args:
        log: of one training.
        rise: share of the lowest validation loss that counts, where the training loss fell on.
    """
    validation, training = curve_of(log, "validation"), curve_of(log, "train")
    if validation is None or len(validation.smooth) < FEWEST_POINTS:
        return None
    smooth, lowest = validation.smooth, validation.lowest
    least = float(smooth[lowest])
    fell = training is not None and _fell_on(training, validation.finite_at[lowest])
    after = len(smooth) - 1 - lowest
    if fell and training is not None and after >= 2 and _is_above(smooth[-2:], least, rise):
        return _overfitting(log, validation, training)
    is_back = smooth[-1] < ON_ITS_WAY_BACK * smooth[-min(LONG, len(smooth))]
    is_back = is_back or is_settling(log, validation.finite_at[lowest])  # or will be, after a warm restart
    # nothing beside it says more, so above its start is enough
    is_long = after >= LONG or (training is None and after >= 2 and smooth[-1] > smooth[0])
    if is_long and _is_above(smooth[-min(after, LONG) :], least, CLEAR_RISE) and not is_back:
        return _worse(log, validation, training)
    return None


def _fell_on(training: Curve, place: float) -> bool:
    """Whether the smoothed training loss ended below what it was at a place."""
    at = int(np.searchsorted(training.finite_at, place, side="right")) - 1
    return bool(training.smooth[-1] < training.smooth[max(at, 0)])


def _is_above(values: npt.NDArray[np.float64], least: float, share_of_it: float) -> bool:
    return bool((values > least + share_of_it * abs(least)).all())


def _overfitting(log: Log, validation: Curve, training: Curve) -> Finding:
    # a last point may lie below the smoothed course that the rule goes by
    (onset, least), end = validation.best, max(validation.last, float(validation.smooth[-1]))
    before = training.raw.finite.until(onset)
    then, last = float(before.values[-1]) if len(before) else training.first, training.last
    if last >= then:  # single points say otherwise than the smoothed course that the rule goes by
        at = int(np.searchsorted(training.finite_at, validation.finite_at[validation.lowest], side="right")) - 1
        then, last = float(training.smooth[max(at, 0)]), float(training.smooth[-1])
    wasted = (validation.raw.finite.at[-1] - onset) / max(
        validation.raw.finite.at[-1] - min(validation.raw.finite.at[0], 0.0), 1e-12
    )
    is_doubtful = never_improved(validation) and knows(log, validation) != "something"
    advice = (
        "it never got clearly below its first value, so nothing shows that anything was learned for other rows: look "
        "whether labels belong to their rows, how these were split and prepared, and what the loss was before the "
        "first step; if it was higher then, keep the weights of {place}, and add data or raise weight decay or dropout"
        if is_doubtful
        else "keep the weights of {place} or stop there; to gain from more training, add data or augmentation, or "
        "raise weight decay or dropout (try 3 times as much)"
    )
    is_sure = _rose_clearly(validation) and len(validation.smooth) - validation.lowest > LONG and not is_doubtful
    return Finding(
        verdict="overfitting",
        run=log.name,
        epoch=place_of(log, onset),
        evidence=say(
            "the validation loss was lowest, {least:.3g}, at {place} and rose to {end:.3g} ({rise} more) while the "
            "training loss fell from {then:.3g} to {last:.3g}; going on took {wasted} of the training",
            least=least,
            place=at_place(log, onset),
            end=end,
            rise=share((end - least) / max(abs(least), 1e-12)),
            then=then,
            last=last,
            wasted=share(wasted),
        ),
        advice=say(advice, place=at_place(log, onset)),
        certainty="certain" if is_sure else "likely",
    )


def _worse(log: Log, validation: Curve, training: Curve | None) -> Finding:
    (onset, least), end = validation.best, validation.last
    if training is None:
        beside = say("no training loss was logged")
        advice = (
            "keep the weights of {place}; log the training loss too: if it falls on, this is overfitting, else try a "
            "third of the learning rate"
        )
    else:
        beside = say("the training loss did not fall either")
        advice = (
            "keep the weights of {place}; train again with a third of the learning rate, or let it decay from there on"
        )
    return Finding(
        verdict="getting worse",
        run=log.name,
        epoch=place_of(log, onset),
        evidence=say(
            "the validation loss was lowest, {least:.3g}, at {place} and is {end:.3g} now ({rise} more); {beside}",
            least=least,
            place=at_place(log, onset),
            end=end,
            rise=share((end - least) / max(abs(least), 1e-12)),
            beside=beside,
        ),
        advice=say(advice, place=at_place(log, onset)),
        certainty="certain" if _rose_clearly(validation) else "likely",
    )


def _rose_clearly(validation: Curve) -> bool:
    """Whether the end lies above the lowest point by more than chance."""
    return bool(validation.finite[-1] - validation.finite.min() > SURE * validation.noise)
