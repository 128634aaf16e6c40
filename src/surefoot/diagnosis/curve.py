"""A loss as the verdicts look at it: few points, smoothed without a shift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surefoot.curves import zero_lag
from surefoot.diagnosis.log import Log, Series

__all__ = ["FEWEST_OF_A_COURSE", "MOST_POINTS", "Curve", "course_of", "curve_of"]

# A curve of thousands of points is judged by this many means of neighbours, so that a rule that counts points means the
# same part of a training in every log.
MOST_POINTS = 50
SMOOTHING = 0.5
FEWEST_OF_A_COURSE = 4


@dataclass(frozen=True)
class Curve:
    """A loss.

    Attributes:
        name: "training loss" or "validation loss".
        at: places in the log's unit.
        values: means of neighbours, infinity and not-a-number among them.
        smooth: the finite ones, smoothed; as many as ``finite_at``.
        finite_at: their places.
        raw: every point that was logged.
    """

    name: str
    at: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    smooth: npt.NDArray[np.float64]
    finite_at: npt.NDArray[np.float64]
    raw: Series

    @property
    def noise(self) -> float:
        """The deviation of one point from a smooth course; 0 where there are too few to tell.

        From second differences, in which a straight descent leaves nothing: of values without a course they have √6
        times the deviation.
        """
        values = self.values[np.isfinite(self.values)]
        return float(np.median(np.abs(np.diff(values, 2))) / 0.6745 / np.sqrt(6.0)) if len(values) > 4 else 0.0

    @property
    def finite(self) -> npt.NDArray[np.float64]:
        """The finite ones of the values, as many as ``smooth``."""
        return self.values[np.isfinite(self.values)]

    @property
    def best(self) -> tuple[float, float]:
        """Place and value of the lowest point of all that were logged: which weights to keep."""
        known = self.raw.finite
        lowest = int(np.argmin(known.values))
        return float(known.at[lowest]), float(known.values[lowest])

    @property
    def last(self) -> float:
        """The last finite value that was logged."""
        return float(self.raw.finite.values[-1])

    @property
    def first(self) -> float:
        """The first finite value that was logged."""
        return float(self.raw.finite.values[0])

    @property
    def lowest(self) -> int:
        """Which of the smoothed points is lowest."""
        return int(np.argmin(self.smooth))


def curve_of(log: Log, part: str, *, name: str = "") -> Curve | None:
    """The loss of a part, "train" or "validation"; None where it was not logged or never finite."""
    raw = log.get(f"{part}_loss")
    if raw is None:
        return None
    coarse = raw.coarse(MOST_POINTS)
    finite = coarse.finite
    if not len(finite):
        return None
    name = name or ("training loss" if part == "train" else "validation loss")
    smooth = zero_lag(finite.values, memory=SMOOTHING)
    return Curve(name, coarse.at, coarse.values, smooth, finite.at, raw)


def course_of(log: Log) -> Curve | None:
    """The loss that tells how a training went: of validation rows, unless they were looked at too few times."""
    validation, training = curve_of(log, "validation"), curve_of(log, "train")
    if validation is None or (training is not None and len(validation.finite) < FEWEST_OF_A_COURSE):
        return training
    return validation
