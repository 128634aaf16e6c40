"""What makes one doubt the numbers themselves: too few rows to tell, beside parts that are mixed up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from surefoot.diagnosis.curve import Curve, curve_of
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.logged_rate import has_come_down
from surefoot.diagnosis.mixed_parts import mixed_parts
from surefoot.diagnosis.wording import share
from surefoot.language import say
from surefoot.records import Finding

__all__ = ["doubts"]

FEWEST_POINTS = 6
# A validation loss whose neighbours differ by this share of all that it moved tells little between them.
RESTLESS = 0.1
# A training loss that jumps by half as much, or by half as large a share of where it stands, is no calmer.
AS_CALM = 0.5
# With fewer validation rows than this, one row is two percent of the accuracy.
FEW_ROWS, FEWEST_SHARES = 50, 2
CHANCE = 0.01  # that so few digits are near multiples of 1/n for this n or a smaller one


def doubts(log: Log, *, is_noisy: bool = False) -> list[Finding]:
    """All that applies.

    Args:
        log: of one training.
        is_noisy: the weights themselves jump, so a validation loss that does says nothing of its rows.
    """
    rows = _rows_counted(log)
    few = _few_rows(log, rows) if rows is not None else None if is_noisy else _too_few_rows(log)
    return [finding for finding in (mixed_parts(log, num_validation=rows), few) if finding is not None]


def _rows_counted(log: Log) -> int | None:
    """The number of validation rows, where accuracies that are all multiples of one small share say that it is low."""
    accuracy, losses = log.get("validation_accuracy"), log.get("validation_loss")
    if accuracy is None or losses is None or len(accuracy.finite) < FEWEST_POINTS:
        return None
    return _rows_behind(accuracy.finite.values)


def _few_rows(log: Log, rows: int) -> Finding:
    return Finding(
        verdict="validation too small to tell",
        run=log.name,
        evidence=say(
            "all its accuracies are multiples of 1/{rows}, as of {rows} rows: one row is {share} of the accuracy",
            rows=rows,
            share=share(1.0 / rows),
        ),
        advice=say("hold out several hundred rows, or judge by cross-validation"),
        certainty="likely",
    )


def _rows_behind(accuracies: npt.NDArray[np.float64]) -> int | None:
    """The smallest number of rows whose shares these are; None where they do not tell.

    >>> _rows_behind(np.array([1, 7, 8, 9, 11]) / 12)
    12
    >>> _rows_behind(np.array([0.61, 0.73, 0.85, 0.92]))

    Written with few digits, every number is a multiple of a power of ten: there chance must not explain that all of
    them are near multiples of so large a share. A number in four bytes has about seven digits.
    """
    shares = np.unique(accuracies)
    if len(shares) < FEWEST_SHARES or shares[-1] > 1.0 or not ((shares > 0.0) & (shares < 1.0)).any():
        return None
    digits = next((count for count in range(1, 7) if np.abs(shares - np.round(shares, count)).max() <= 1e-12), 7)
    inside = int(((shares > 0.0) & (shares < 1.0)).sum())
    by_chance = 0.0
    for rows in range(2, FEW_ROWS):
        by_chance += _share_near(rows, digits) ** inside
        if _are_near(shares, rows, digits).all():
            return rows if by_chance <= CHANCE else None
    return None


def _are_near(shares: npt.NDArray[np.float64], rows: int, digits: int) -> npt.NDArray[np.bool_]:
    """Which of these are multiples of 1/rows, written with so many digits."""
    return np.abs(shares * rows - np.round(shares * rows)) <= 0.51 * rows * 10.0**-digits


def _share_near(rows: int, digits: int) -> float:
    """The share of all numbers with so many digits that are."""
    if digits > 3:
        return min(1.02 * rows * 10.0**-digits, 1.0)
    return float(_are_near(np.arange(1, 10**digits) / 10.0**digits, rows, digits).mean())


def _too_few_rows(log: Log) -> Finding | None:
    curve = curve_of(log, "validation")
    if curve is None or len(curve.values) < 2 * FEWEST_POINTS:
        return None
    moved = float(curve.smooth.max() - curve.smooth.min())
    if curve.noise < RESTLESS * moved or moved == 0.0:
        return None
    training = curve_of(log, "train")
    if training is not None and (
        training.noise > AS_CALM * curve.noise or _restless(training) > AS_CALM * _restless(curve)
    ):
        return None  # the training itself is as restless
    has_calmed = has_come_down(log, to=0.5)
    return Finding(
        verdict="validation too small to tell",
        run=log.name,
        evidence=say(
            "the validation loss jumps by {noise:.2g} from point to point, {share} of all that it moved, and the "
            "training loss is calmer",
            noise=curve.noise,
            share=share(curve.noise / moved),
        ),
        advice=say(
            "hold out 4 times as many rows, or choose by the mean of several neighbouring points"
            if has_calmed
            else "see whether it calms down where the learning rate comes down, then it was the rate; if not, hold out "
            "4 times as many rows, or choose by the mean of several neighbouring points"
        ),
        certainty="likely" if has_calmed else "possible",
    )


def _restless(curve: Curve) -> float:
    """How far a point jumps from its neighbours over the second half, as a share of where it stands."""
    values = curve.finite[len(curve.finite) // 2 :]
    jump = float(np.median(np.abs(np.diff(values)))) if len(values) > 1 else 0.0
    return jump / max(abs(float(np.median(values))), 1e-12)
