"""What makes one doubt the numbers themselves: parts that leak, too few rows, an accuracy that stands."""

from __future__ import annotations

import numpy as np

from surefoot.diagnosis.curve import curve_of
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.wording import at_place, place_of, share
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["doubts"]

FEWEST_POINTS = 6
# Validation clearly below training for nine tenths of the second half.
BELOW, MOSTLY = 0.1, 0.9
# A validation loss whose neighbours differ by this share of all that it moved tells little between them.
RESTLESS = 0.1
# An accuracy that moves by less than this, while the loss gained a tenth, says one class for all.
STANDS = 1e-3
VANISHED, EXPLODED = 1e-7, 1e3


def doubts(log: Log) -> list[Finding]:
    """All that applies."""
    found = (_swapped(log), _too_few_rows(log), _accuracy_stands(log), _gradients(log))
    return [finding for finding in found if finding is not None]


def _swapped(log: Log) -> Finding | None:
    training, validation = curve_of(log, "train"), curve_of(log, "validation")
    if training is None or validation is None or len(validation.smooth) < FEWEST_POINTS:
        return None
    half = len(validation.smooth) // 2
    beside = np.interp(validation.finite_at[half:], training.finite_at, training.smooth)
    is_below = validation.smooth[half:] < beside - BELOW * np.abs(beside)
    if is_below.mean() < MOSTLY:
        return None
    return Finding(
        verdict="validation better than training",
        run=log.name,
        evidence=say(
            "over the second half the validation loss lies below the training loss, at the end {validation:.3g} "
            "against {training:.3g}",
            validation=validation.last,
            training=training.last,
        ),
        advice=say(
            "dropout, augmentation or a mean over the epoch can do that; without them look whether the two were "
            "swapped, or validation rows are among the training rows"
        ),
        certainty="possible",
    )


def _too_few_rows(log: Log) -> Finding | None:
    curve = curve_of(log, "validation")
    if curve is None or len(curve.values) < 2 * FEWEST_POINTS:
        return None
    moved = float(curve.smooth.max() - curve.smooth.min())
    if curve.noise < RESTLESS * moved or moved == 0.0:
        return None
    training = curve_of(log, "train")
    if training is not None and training.noise > 0.5 * curve.noise:
        return None  # the training itself is as restless
    return Finding(
        verdict="validation too small to tell",
        run=log.name,
        evidence=say(
            "the validation loss jumps by {noise:.2g} from point to point, {share} of all that it moved, and the "
            "training loss is calmer",
            noise=curve.noise,
            share=share(curve.noise / moved),
        ),
        advice=say("hold out 4 times as many rows, or choose by the mean of several neighbouring points"),
        certainty="likely",
    )


def _accuracy_stands(log: Log) -> Finding | None:
    accuracy = log.get("validation_accuracy") or log.get("train_accuracy")
    curve = curve_of(log, "validation") or curve_of(log, "train")
    if accuracy is None or curve is None or len(accuracy.finite) < FEWEST_POINTS or len(curve.smooth) < FEWEST_POINTS:
        return None
    values = accuracy.finite.values
    if values.max() - values.min() > STANDS * max(1.0, values.max()) or curve.smooth.min() > 0.9 * curve.smooth[0]:
        return None
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


def _gradients(log: Log) -> Finding | None:
    norms = log.get("gradient_norm")
    if norms is None or len(norms.finite) < FEWEST_POINTS:
        return None
    values = norms.finite.values
    start, end = float(np.median(values[: FEWEST_POINTS // 2])), float(np.median(values[-(FEWEST_POINTS // 2) :]))
    place = norms.finite.at[-1]
    if end < VANISHED or values.max() == 0.0:
        return Finding(
            verdict="gradients vanished",
            run=log.name,
            epoch=place_of(log, place),
            evidence=say(
                "the gradient's norm is {end:.2g} at {place}; it was {start:.2g} at the beginning",
                end=end,
                place=at_place(log, place),
                start=start,
            ),
            advice=say("lower the learning rate; look for units that never answer and saturated outputs"),
            certainty="certain",
        )
    if end > EXPLODED * max(start, 1e-12):
        return Finding(
            verdict="gradients explode",
            run=log.name,
            epoch=place_of(log, place),
            evidence=say(
                "the gradient's norm grew from {start:.2g} to {end:.2g} by {place}",
                start=start,
                end=end,
                place=at_place(log, place),
            ),
            advice=say("clip it near its first size, and lower the learning rate 3 times"),
            certainty="certain",
        )
    return None
