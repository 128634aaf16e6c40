"""Points to try: the first spread evenly over the space, later ones anywhere and around the best.

A point has one fraction in [0, 1) for every key of the space, what ``Dimension.at`` takes; ``encode`` gives the
coordinates in which distance means difference.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from surefoot import seeds

__all__ = ["encode", "points_to_try"]

Array = npt.NDArray[np.float64]

NUM_FIRST = 6
# Half of the later points lie anywhere, half around the best runs, where half of the fractions move by about so much.
NUM_ANYWHERE, NUM_AROUND, NUM_BEST, STRIDE = 100, 100, 5, 0.15
# One begun run in three goes on spreading evenly whatever the model says, as in BOHB (Falkner, Klein and Hutter 2018,
# arXiv:1807.01774, algorithm 2): without them one table was searched where nothing learns (docs/log.md, 2026-11-21).
EVERY = 3
_BELOW_ONE = float(np.nextafter(1.0, 0.0))


def points_to_try(fractions: Array, values: Array, *, num_dimensions: int, seed: int) -> Array:
    """Fractions of points that may be tried next, one a row; a single row for the first six runs and every third one.

    Args:
        fractions: of the runs begun so far.
        values: the lowest each has come to, not finite where it diverged.
        num_dimensions: keys of the space.
        seed: of the study.

    >>> points_to_try(np.empty((0, 2)), np.empty(0), num_dimensions=2, seed=0).shape
    (1, 2)
    """
    number = len(values)
    if number < NUM_FIRST or number % EVERY == 0:
        shift = seeds.stream(seed, "choosing", "first").random(num_dimensions)
        return np.asarray([(_radical_inverses(number + 1, num_dimensions) + shift) % 1.0])
    stream = seeds.stream(seed, "choosing", number)
    anywhere = stream.random((NUM_ANYWHERE, num_dimensions))
    finite = np.flatnonzero(np.isfinite(values))
    keys = (*fractions[finite].T[::-1], values[finite])
    best = fractions[finite[np.lexsort(keys)[:NUM_BEST]]]
    if not len(best):
        return anywhere
    around = np.repeat(best, NUM_AROUND // len(best), axis=0)
    moves = stream.random(around.shape) < 0.5
    around = around + moves * stream.normal(0.0, STRIDE, around.shape)
    return np.concatenate([anywhere, np.clip(around, 0.0, _BELOW_ONE)])


def encode(fractions: Array, *, num_options: Sequence[int]) -> Array:
    """Coordinates of points: a fraction as it is, a category as one column an option, two of them at distance 1.

    Args:
        fractions: one point a row.
        num_options: of every key, 0 where it is no category.

    >>> encode(np.array([[0.3, 0.9]]), num_options=[0, 2]).round(3).tolist()
    [[0.3, 0.0, 0.707]]
    """
    columns: list[Array] = []
    for column, count in zip(fractions.T, num_options, strict=True):
        if count:
            chosen = np.minimum((column * count).astype(int), count - 1)
            columns.extend((chosen == option) * np.sqrt(0.5) for option in range(count))
        else:
            columns.append(column)
    return np.stack(columns, axis=1)


def _radical_inverses(number: int, num_dimensions: int) -> Array:
    """Halton's sequence (1960, Numer. Math. 2): the digits of ``number`` in a prime base, mirrored at the point."""
    found = np.zeros(num_dimensions)
    for dimension, base in enumerate(_primes(num_dimensions)):
        rest, weight = number, 1.0 / base
        while rest:
            rest, digit = divmod(rest, base)
            found[dimension] += digit * weight
            weight /= base
    return found


def _primes(count: int) -> list[int]:
    primes: list[int] = []
    candidate = 2
    while len(primes) < count:
        if all(candidate % prime for prime in primes):
            primes.append(candidate)
        candidate += 1
    return primes
