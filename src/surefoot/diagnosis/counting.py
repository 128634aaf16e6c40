"""Places that were counted in more than one way: anew after a stop, by another clock, or not at all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from surefoot.language import say

__all__ = ["by_time", "counted_on"]

Values = npt.NDArray[np.float64]
FEWEST = 3  # points by which two ways of counting are told apart
CLEARLY = 4.0  # deviations of a point
LOOKED_AT = 5  # points whose middle says where a loss stands


def counted_on(points: Mapping[str, tuple[Values, Values]]) -> tuple[dict[str, tuple[Values, Values]], list[str]]:
    """The points of one training, where a log holds several that were each counted from the beginning.

    One whose loss begins where the one before had ended is the same training, and its places are counted on; of
    trainings that began anew, the last one remains.

    >>> at, falls = np.array([0.0, 1.0, 2.0, 0.0, 1.0, 2.0]), np.array([0.9, 0.5, 0.4, 0.35, 0.3, 0.25])
    >>> points, notes = counted_on({"train_loss": (at, falls)})
    >>> points["train_loss"][0].tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]

    Args:
        points: of every series, its places and its values as they were written.

    Returns:
        The points, and what to say of them.
    """
    loss = next((name for name in ("train_loss", "validation_loss") if len(points.get(name, ((), ()))[0])), None)
    starts = _starts(points[loss][0]) if loss else []
    if loss is None or not starts:
        return dict(points), []
    places, values = (np.split(one, starts) for one in points[loss])
    noise = _noise(values)
    new = [
        number for number in range(1, len(values)) if not _goes_on(values[0], values[number - 1], values[number], noise)
    ]
    first = max(new, default=0)
    offsets = [0.0]
    for before, after in itertools.pairwise(places[first:]):
        apart = float(np.median(np.diff(before))) if len(before) > 1 else 1.0
        offsets.append(offsets[-1] + float(before.max()) + apart - float(after[0]))
    found = dict(points)
    for name, one in points.items():
        parts = _parts(one, len(starts))[first:]
        if parts:
            at = [place + offset for (place, _), offset in zip(parts, offsets, strict=True)]
            found[name] = np.concatenate(at), np.concatenate([part for _, part in parts])
    return found, _said(len(new), len(starts) - first)


def _said(num_new: int, num_on: int) -> list[str]:
    notes = []
    if num_new:
        notes.append(say("it holds {count} trainings one after another; the last one is judged", count=num_new + 1))
    if num_on:
        notes.append(
            say(
                "places where it counts from the beginning again while the loss goes on where it stood, which were "
                "counted on: {count}",
                count=num_on,
            )
        )
    return notes


def _starts(at: Values) -> list[int]:
    """Where places begin anew: they go back, to the first one or before it, and go on from there."""
    back = np.flatnonzero(at[1:] < at[:-1]) + 1
    found = [int(place) for place in back if at[place] <= at[0]]
    # the best round, said once more at the end, is no beginning
    return [start for start, end in itertools.pairwise([*found, len(at)]) if end - start >= FEWEST]


def _goes_on(first: Values, before: Values, after: Values, noise: float) -> bool:
    """Whether a loss does not begin clearly nearer to where the first began than to where the one before ended.

    Where none moved it cannot be told, and says the same.
    """
    length = max(1, min(LOOKED_AT, min(map(len, (first, before, after))) // 4))
    with np.errstate(invalid="ignore"):  # a lost loss is infinite
        began, stood, begins = (float(np.median(part)) for part in (first[:length], before[-length:], after[:length]))
    if not np.isfinite(stood):
        return not np.isfinite(begins)
    return not abs(begins - stood) - abs(begins - began) > CLEARLY * noise


def _noise(parts: list[Values]) -> float:
    """The deviation of a point, from second differences, in which a straight descent leaves nothing."""
    with np.errstate(invalid="ignore"):
        bends = np.concatenate([np.abs(np.diff(part, 2)) for part in parts])
    known = bends[np.isfinite(bends)]
    return float(np.median(known)) / 0.6745 / math.sqrt(6.0) if len(known) else 0.0


def _parts(points: tuple[Values, Values], num_starts: int) -> list[tuple[Values, Values]]:
    """A series cut where it begins anew; nothing where it does so another number of times."""
    at, values = points
    starts = _starts(at) if len(at) else []
    if len(starts) != num_starts:  # what was first logged late may begin a little later the second time
        starts = (np.flatnonzero(at[1:] < at[:-1]) + 1).tolist()
    if len(starts) != num_starts:
        return []
    return list(zip(np.split(at, starts), np.split(values, starts), strict=True))


def by_time(steps: Values, times: Values, clock: tuple[Values, Values]) -> Values | None:
    """The places of a series by a clock that counts otherwise; None where it counts alike, or nothing can be told.

    A training loss is often logged at every step, and what is measured after an epoch at the epoch's number.

    >>> by_time(np.arange(4.0), np.array([10.5, 20.5, 30.5, 40.5]), (np.arange(1.0, 41.0), np.arange(1.0, 41.0)))
    array([10., 20., 30., 40.])

    Args:
        steps: the places that were written down.
        times: when that was.
        clock: the places of the series that is looked at to tell, and its times.
    """
    places, ticks = clock
    if len(steps) < FEWEST or len(places) < FEWEST or not ticks[-1] > ticks[0]:
        return None
    if not (np.isfinite(times).all() and np.isfinite(ticks).all()):
        return None
    if (np.diff(steps) < 0).any() or (np.diff(places) < 0).any():
        return None
    order = np.argsort(ticks, kind="stable")
    found = np.floor(np.interp(times, ticks[order], places[order]))
    for place in (len(steps) // 2, len(steps) - 1):
        less, more = sorted((float(steps[place]), float(found[place])))
        if less < 0.0 or more <= 2.0 * less + 1.0:
            return None
    return np.asarray(found)
