"""What an accuracy hides: one class said for every row, a rare class that is never found."""

from __future__ import annotations

import math

import numpy as np

from surefoot.diagnosis.curve import Curve, course_of, curve_of
from surefoot.diagnosis.generalising import NEAR_ENTROPY, entropy_of
from surefoot.diagnosis.log import Log, Series
from surefoot.diagnosis.wording import at_place, place_of, share
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["accuracy", "says_one_class"]

FEWEST_POINTS = 6
# An accuracy that moves by less than this, while the loss gained a tenth, says one class for all.
STANDS, GAINED = 1e-3, 0.9
# Most of a log; and training rows of which nearly as many are right, as where both say the share of one class.
MOST, ALIKE = 2.0 / 3.0, 0.05
# The mean over classes lies this far below the mean over rows.
HIDDEN = 0.2


def accuracy(log: Log) -> Finding | None:
    """The accuracy against what stands beside it: the balanced one where it was logged, else the loss."""
    return _hidden(log) or _stands(log)


def says_one_class(log: Log) -> bool:
    """Whether the accuracy never moved while the loss gained next to nothing: it learned the shares of the classes."""
    known, curve = log.get("validation_accuracy"), curve_of(log, "validation")
    if known is None or curve is None or len(known.finite) < FEWEST_POINTS:
        return False
    # the first look or two may come before the largest class is all that is said
    values = known.finite.values[2:]
    is_still = np.ptp(values) <= STANDS and values[-1] < 1.0
    return bool(is_still and curve.smooth.min() > GAINED * curve.smooth[0])


def _hidden(log: Log) -> Finding | None:
    for part in ("validation", "train"):
        plain, balanced = log.get(f"{part}_accuracy"), log.get(f"{part}_balanced_accuracy")
        if plain is None or balanced is None or min(len(plain.finite), len(balanced.finite)) < FEWEST_POINTS:
            continue
        of_rows, of_classes = (float(np.median(one.finite.values[-3:])) for one in (plain, balanced))
        if of_rows - of_classes < HIDDEN:
            return None
        return Finding(
            verdict="imbalance hidden by accuracy",
            run=log.name,
            evidence=say(
                "{rows} of the rows are right, but in the mean over classes {classes}: the rare ones are hardly found",
                rows=share(of_rows),
                classes=share(of_classes),
            ),
            advice=say(
                "judge by balanced accuracy, AUC or the loss; weigh the classes in the loss or move the threshold: "
                "surefoot fit --set loss.class_weights=balanced"
            ),
            certainty="certain",
        )
    return None


def _stands(log: Log) -> Finding | None:
    known = log.get("validation_accuracy") or log.get("train_accuracy")
    curve = course_of(log)
    if known is None or curve is None or len(known.finite) < FEWEST_POINTS or len(curve.smooth) < FEWEST_POINTS:
        return None
    values = known.finite.values
    if values[-1] in (1.0, 100.0):  # all are right, and the loss may well fall on
        return None
    if curve.smooth.min() > GAINED * curve.smooth[0]:
        return None
    if values.max() - values.min() > STANDS * max(1.0, values.max()):
        return _froze(log, known.finite, curve)
    return Finding(
        verdict="accuracy stands still",
        run=log.name,
        evidence=say(
            "the loss fell from {first:.3g} to {best:.3g} while the accuracy stayed at {accuracy:.4g}: as if one class "
            "were said for every row",
            first=curve.first,
            best=curve.best[1],
            accuracy=values[-1],
        ),
        advice=say("look at the shares of the classes; judge by balanced accuracy or AUC, and move the threshold"),
        certainty="likely",
    )


def _froze(log: Log, known: Series, curve: Curve) -> Finding | None:
    """The accuracy moved at first, and stands since; the loss tells no more than the share of one class does."""
    most = math.ceil(MOST * len(known))
    tail, scale = known.values[-most:], 100.0 if known.values.max() > 1.0 else 1.0
    right = float(tail[-1]) / scale
    if most < FEWEST_POINTS or np.ptp(tail) > STANDS * scale or not 0.0 < right < 1.0:
        return None
    losses = [one for one in (curve, curve_of(log, "train")) if one is not None]
    if min(float(one.smooth[-1]) for one in losses) < NEAR_ENTROPY * entropy_of(right):
        return None
    beside = log.get("train_accuracy")
    if beside is not None and len(beside.finite) >= most:
        others = beside.finite.values[-most:]
        if np.ptp(others) > STANDS * scale or abs(others[-1] - tail[-1]) > ALIKE * scale:
            return None
    place = float(known.at[-most])
    return Finding(
        verdict="accuracy stands still",
        run=log.name,
        epoch=place_of(log, place),
        evidence=say(
            "since {place} or before the accuracy stays at {accuracy:.4g}, and the {loss}, {last:.3g}, is no lower "
            "than where the share of one class is all that is known ({entropy:.2g}): as if one class were said for "
            "every row",
            place=at_place(log, place),
            accuracy=float(tail[-1]),
            loss=say(curve.name),
            last=curve.last,
            entropy=entropy_of(right),
        ),
        advice=say("look at the shares of the classes; judge by balanced accuracy or AUC, and move the threshold"),
        certainty="likely" if beside is not None else "possible",
    )
