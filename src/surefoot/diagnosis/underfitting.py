"""A training loss that levelled out high, with a validation loss that is as good."""

from __future__ import annotations

import math

import numpy as np

from surefoot.diagnosis.curve import Curve, curve_of
from surefoot.diagnosis.generalising import entropy_of
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.wording import share
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["underfitting"]

FEWEST_POINTS = 6
# Most of the gain came in the first half, and the validation loss lies within a tenth of the training loss.
BY_THE_MIDDLE, NEAR = 0.85, 0.1
LEAST_GAIN = 0.02  # of the start: below it nothing was learned
# A validation loss that jumps by this share of where it stands over the last third says that the weights do: what holds
# the losses up is their noise. Of the made models that are too small it jumps by half a percent at most.
RESTLESS = 0.05
# High is a loss above this share of its start with one answer in five wrong, where accuracy was logged. Of characters,
# words and many classes nobody can say how low a loss can be: there, where an answer is wrong, more than so many others
# come into question, half of the ten that pictures usually are of. And of two classes a table of people's affairs may
# tell no more than seven rows of ten.
HIGH, WRONG = 0.4, 0.2
MOST_OTHERS, OF_TWO, WRONG_OF_TWO = 5.0, 0.75, 0.3
# Or one above the smaller share, this much above what answers as right as these need, and by more than a smoothing of
# the labels by a tenth would add.
STILL_HIGH, UNSURE, SMOOTHED = 0.2, 1.5, 0.1


def underfitting(log: Log) -> Finding | None:
    """Both losses levelled out together at a high value: the model cannot learn more, or is kept from it."""
    training, validation = curve_of(log, "train"), curve_of(log, "validation")
    if training is None or validation is None or min(len(training.smooth), len(validation.smooth)) < FEWEST_POINTS:
        return None
    start, end = float(training.smooth[0]), float(np.median(training.smooth[-max(2, len(training.smooth) // 5) :]))
    gained = start - end
    if start <= 0.0 or gained < LEAST_GAIN * start or not _is_level(training, gained) or not _is_calm(validation):
        return None
    beside = float(np.median(validation.smooth[-max(2, len(validation.smooth) // 5) :]))
    if beside - end > NEAR * end:
        return None
    right = _right(log)
    if right is None:
        return None  # a loss alone does not tell what there is to learn
    first = max(training.first, start)
    how, advice = _unsure(*right, first) or _often_wrong(*right, first) or ("", "")
    if not how:
        return None
    return Finding(
        verdict="underfitting",
        run=log.name,
        evidence=say(
            "the training loss levelled out at {end:.3g}, {share} of its first value, and the validation loss, "
            "{beside:.3g}, is no worse, so nothing was learned by heart; {how}",
            end=end,
            share=share(end / first),
            beside=beside,
            how=how,
        ),
        advice=advice,
        certainty="possible",
    )


def _is_level(training: Curve, gained: float) -> bool:
    middle = float(training.smooth[len(training.smooth) // 2])
    return float(training.smooth[0]) - middle > BY_THE_MIDDLE * gained


def _is_calm(validation: Curve) -> bool:
    last = validation.finite[-max(FEWEST_POINTS, len(validation.finite) // 3) :]
    return float(np.median(np.abs(np.diff(last)))) <= RESTLESS * abs(float(np.median(last)))


def _right(log: Log) -> tuple[float, float] | None:
    """Share of right answers, and the loss of the same part; None where that was not logged or says nothing."""
    for part in ("train", "validation"):
        known, curve = log.get(f"{part}_accuracy"), curve_of(log, part)
        if known is not None and curve is not None and len(known.finite):
            right = float(np.median(known.finite.values[-3:]))
            few = max(2, len(curve.smooth) // 5)
            return (right, float(np.median(curve.smooth[-few:]))) if 0.0 < right < 1.0 else None
    return None


def _often_wrong(right: float, loss: float, start: float) -> tuple[str, str] | None:
    """More answers are wrong than a small loss allows, and each has few others beside it."""
    others = math.exp(min((loss - entropy_of(right)) / (1.0 - right), 100.0))  # Fano's inequality, the other way round
    if loss <= HIGH * start or 1.0 - right <= (WRONG_OF_TWO if start < OF_TWO else WRONG) or others > MOST_OTHERS:
        return None
    return say("{wrong} of the answers are wrong", wrong=share(1.0 - right)), say(
        "a model twice as wide, or a third of the weight decay and dropout; if both losses stay where they are, "
        "the inputs say no more about the targets"
    )


def _unsure(right: float, loss: float, start: float) -> tuple[str, str] | None:
    """The answers are right far more often than they are sure: something keeps the outputs small."""
    # entropy of being right so often, the rest spread as at the start (Fano's inequality)
    needed = entropy_of(right) + (1.0 - right) * start
    allowed = needed + entropy_of(SMOOTHED) + SMOOTHED * start
    if loss <= STILL_HIGH * start or loss <= max(UNSURE * needed, allowed):
        return None
    return say(
        "answers of which {right} are right need not have more than {needed:.2g}", right=share(right), needed=needed
    ), say(
        "a tenth of the weight decay, then less dropout: the answers are right far more often than they are sure, so "
        "the outputs are kept small, which a model that is too small does not explain"
    )
