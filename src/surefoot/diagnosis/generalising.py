"""Whether anything was learned that holds for rows it was not learned from."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from surefoot.diagnosis.curve import Curve, curve_of
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.wording import at_place, place_of
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["NEAR_ENTROPY", "does_not_generalise", "entropy_of", "knows", "never_improved"]

FEWEST_POINTS = 6
# A validation loss that never got this share of it below its first value has not improved.
IMPROVED = 0.01
# The training loss gained this many times as much, and more than so many deviations of a point.
MORE, GAINED = 5.0, 3.0
# A model that knows only how frequent the classes are, a the share of the largest, has a loss of at least the entropy
# of a (and no more than that for two classes), and is right about e^-loss of the time where classes are alike. Within
# a twentieth of the one, for chance in few rows, and one and a half times the other, it knows no more. With two thirds
# right the two do not tell a frequent class from something learned.
NEAR_ENTROPY, AS_OFTEN, MOSTLY_RIGHT = 0.95, 1.5, 2.0 / 3.0


def does_not_generalise(log: Log) -> Finding | None:
    """The training loss fell, and the validation loss never got clearly below its first value.

    Where the accuracy says that something was known from the first look on, as after a long first epoch, that is no
    fault; where none was logged and the validation loss rises, it may be overfitting that began in the first epoch.
    """
    validation, training = curve_of(log, "validation"), curve_of(log, "train")
    if validation is None or training is None or min(len(validation.smooth), len(training.smooth)) < FEWEST_POINTS:
        return None
    if not never_improved(validation) or not _learned_by_heart(training, validation):
        return None
    known = knows(log, validation)
    is_rising = validation.smooth[-1] > (1.0 + IMPROVED) * validation.smooth.min()
    if known == "something" or (known is None and is_rising):
        return None
    place, least = validation.best
    accuracy = log.get("validation_accuracy")
    return Finding(
        verdict="does not generalise",
        run=log.name,
        epoch=place_of(log, place),
        evidence=say(
            "the validation loss was {first:.3g} at first, never below {least:.3g} ({place}) and {last:.3g} in the "
            "end, while the training loss fell from {then:.3g} to {now:.3g}{accuracy}",
            first=validation.first,
            least=least,
            place=at_place(log, place),
            last=validation.last,
            then=training.first,
            now=training.last,
            accuracy=""
            if known is None or accuracy is None
            else say(
                "; an accuracy about {accuracy:.2g} is no better than a guess by the shares of the classes",
                accuracy=float(np.median(accuracy.finite.values)),
            ),
        ),
        advice=say(
            "look first whether the labels belong to their rows, how the rows were split, and whether validation rows "
            "are prepared as the training rows are; if all that is right, the inputs tell too little, or it takes more "
            "data, a smaller model or more weight decay"
        ),
        certainty="possible" if known is None else "likely",
    )


def never_improved(validation: Curve) -> bool:
    """Whether the validation loss never got a hundredth, and a deviation of a point, below its first value."""
    first = float(validation.finite[0])
    return bool(first - validation.finite.min() < IMPROVED * abs(first) + validation.noise)


def _learned_by_heart(training: Curve, validation: Curve) -> bool:
    """Whether the training loss ended clearly below its start, and gained far more than the validation loss."""
    start, first = float(training.finite[0]), float(validation.finite[0])
    gained, beside = start - float(training.smooth[-1]), first - float(validation.smooth.min())
    is_clear = gained > max(GAINED * training.noise, IMPROVED * abs(start))
    return is_clear and gained > MORE * beside * abs(start) / max(abs(first), 1e-12)


def knows(log: Log, validation: Curve) -> Literal["nothing", "something"] | None:
    """What the validation accuracy, beside the lowest loss, says of the model; None where it was not logged."""
    accuracy = log.get("validation_accuracy")
    if accuracy is None or not len(accuracy.finite):
        return None
    right, loss = float(np.median(accuracy.finite.values)), float(validation.smooth.min())
    if not 0.0 < right < 1.0:
        return None
    at_chance = loss >= NEAR_ENTROPY * entropy_of(right) and right <= min(AS_OFTEN * math.exp(-loss), MOSTLY_RIGHT)
    return "nothing" if at_chance else "something"


def entropy_of(right: float) -> float:
    """The loss of a model that says one class with this probability, and is right as often."""
    return -right * math.log(right) - (1.0 - right) * math.log(1.0 - right)
