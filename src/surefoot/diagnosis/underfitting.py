"""A training loss that levelled out high, with a validation loss that is as good."""

from __future__ import annotations

import math

import numpy as np

from surefoot.diagnosis.curve import Curve, curve_of
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.wording import share
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["underfitting"]

FEWEST_POINTS = 6
# Most of the gain came in the first half, and the validation loss lies within a tenth of the training loss.
BY_THE_MIDDLE, NEAR = 0.85, 0.1
LEAST_GAIN = 0.02  # of the start: below it nothing was learned
# High is a loss above this share of its start with one answer in five wrong, where accuracy was logged; or above the
# smaller share and this much above what answers as right as these need.
HIGH, WRONG = 0.4, 0.2
STILL_HIGH, UNSURE = 0.2, 1.5


def underfitting(log: Log) -> Finding | None:
    """Both losses levelled out together at a high value: the model cannot learn more, or is kept from it."""
    training, validation = curve_of(log, "train"), curve_of(log, "validation")
    if training is None or validation is None or min(len(training.smooth), len(validation.smooth)) < FEWEST_POINTS:
        return None
    start, end = float(training.smooth[0]), float(np.median(training.smooth[-max(2, len(training.smooth) // 5) :]))
    gained = start - end
    if start <= 0.0 or gained < LEAST_GAIN * start or not _is_level(training, gained):
        return None
    beside = float(np.median(validation.smooth[-max(2, len(validation.smooth) // 5) :]))
    if beside - end > NEAR * end:
        return None
    how = _how_high(log, end / start, end, start)
    if not how:
        return None
    return Finding(
        verdict="underfitting",
        run=log.name,
        evidence=say(
            "the training loss levelled out at {end:.3g}, {share} of its first value, and the validation loss, "
            "{beside:.3g}, is no worse, so nothing was learned by heart; {how}",
            end=end,
            share=share(end / start),
            beside=beside,
            how=how,
        ),
        advice=say(
            "a model twice as wide, or a third of the weight decay and dropout; if both losses stay where they are, "
            "the inputs say no more about the targets"
        ),
        certainty="possible",
    )


def _is_level(training: Curve, gained: float) -> bool:
    middle = float(training.smooth[len(training.smooth) // 2])
    return float(training.smooth[0]) - middle > BY_THE_MIDDLE * gained


def _how_high(log: Log, left: float, loss: float, start: float) -> str:
    """Why a loss counts as high, "" where it does not."""
    known = log.get("train_accuracy") or log.get("validation_accuracy")
    right = None if known is None or not len(known.finite) else float(np.median(known.finite.values[-3:]))
    if right is None or not 0.0 < right < 1.0:
        return ""  # a loss alone does not tell what there is to learn
    if left > HIGH and 1.0 - right > WRONG:
        return say("{wrong} of the answers are wrong", wrong=share(1.0 - right))
    # entropy of being right so often, the rest spread as at the start (Fano's inequality)
    needed = -right * math.log(right) - (1.0 - right) * math.log(1.0 - right) + (1.0 - right) * start
    if left > STILL_HIGH and loss > UNSURE * needed:
        return say(
            "answers of which {right} are right need not have more than {needed:.2g}", right=share(right), needed=needed
        )
    return ""
