"""Points a trial may take: the first spread evenly, later ones anywhere, around the best and along the valley."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from surefoot import seeds
from surefoot.integrations.optuna.coordinates import Coordinates
from surefoot.tuning.points import EVERY, NUM_FIRST, points_to_try

__all__ = ["around_best", "spread"]

Array = npt.NDArray[np.float64]

NUM_ANYWHERE, NUM_BEST, NUM_EACH = 200, 5, 20
# Half of the fractions of a good trial move by about so much; along the valley the rate leaves it by about the last
# one: all set by eye on tables of stored runs (docs/log.md, 2026-11-21).
STRIDES, OFF_THE_VALLEY = (0.15, 0.05, 0.015), 0.03
_BELOW_ONE = math.nextafter(1.0, 0.0)


def spread(number: int, columns: int, *, seed: int) -> Array | None:
    """Fractions of trial ``number`` where it is one of those that are spread evenly, None where a model chooses it.

    >>> spread(0, 2, seed=0).shape, spread(7, 2, seed=0)
    ((2,), None)
    """
    if number >= NUM_FIRST and number % EVERY:
        return None
    # the rows of trials before it count, not what is in them: no two workers get the same
    before, nothing = np.full((number, columns), 0.5), np.full(number, math.inf)
    return np.asarray(points_to_try(before, nothing, num_dimensions=columns, seed=seed)[0])


def around_best(
    fractions: Array, lowest: Sequence[float], *, coordinates: Coordinates, exponent: float, number: int, seed: int
) -> Array:
    """Fractions of points for trial ``number``, one a row.

    Args:
        fractions: of the trials so far.
        lowest: what each has come to.
        coordinates: of the space.
        exponent: γ of its valley.
        number: of the trial.
        seed: of the study.
    """
    stream = seeds.stream(seed, "candidates", number)
    found = [stream.random((NUM_ANYWHERE, fractions.shape[1]))]
    best = np.repeat(fractions[np.argsort(lowest, kind="stable")[:NUM_BEST]], NUM_EACH, axis=0)
    for stride in STRIDES:
        moves = stream.random(best.shape) < 0.5
        found.append(best + moves * stream.normal(0.0, stride, best.shape))
    if coordinates.has_valley:
        moved = coordinates.at_batch(best, stream.random(len(best)), exponent=exponent)
        moved[:, coordinates.rate_column] += stream.normal(0.0, OFF_THE_VALLEY, len(moved))
        found.append(moved)
    return np.clip(np.concatenate(found), 0.0, _BELOW_ONE)
