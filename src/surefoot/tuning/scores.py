"""Losses on a scale that no blow-up can stretch: 0 for the best seen, 1 for the median, at most 1.5."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["WORST", "Scale"]

Array = npt.NDArray[np.float64]

# What a diverged run and everything far above the median count as. Chosen beside ranks and logarithms on three of the
# tasks: docs/log.md, 2026-11-21.
WORST = 1.5


@dataclass(frozen=True)
class Scale:
    """Values to scores and back; adding to all values or multiplying them by a positive number changes no score.

    Attributes:
        best: the value whose score is 0.
        unit: from there to the value whose score is 1.
    """

    best: float
    unit: float

    @classmethod
    def of(cls, values: Array, *, unit_at: float = 0.5) -> Scale:
        """From the values of all runs, lower being better; those that are not finite are diverged and do not count.

        Args:
            values: of the runs.
            unit_at: the share of the finite ones that score 1 or less: the median's, or less to tell good ones apart.

        >>> Scale.of(np.array([0.2, 0.4, 0.6, np.inf]))
        Scale(best=0.2, unit=0.2)
        >>> Scale.of(np.array([1.0, 2.0, 5.0, 9.0, 99.0]), unit_at=0.25)
        Scale(best=1.0, unit=1.0)
        """
        finite = np.sort(values[np.isfinite(values)])
        if not len(finite):
            return cls(best=0.0, unit=1.0)
        best, middle = float(finite[0]), float(finite[int((len(finite) - 1) * unit_at)])
        unit = middle - best or float(finite[-1]) - best
        if not 0.0 < unit < np.inf:
            unit = max(abs(best), float(np.finfo(np.float64).tiny))
        return cls(best=best, unit=unit)

    def score(self, values: Array) -> Array:
        """The scores, ``WORST`` for what is not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            scores = (values - self.best) / self.unit
        return np.asarray(np.minimum(np.where(np.isfinite(values), scores, WORST), WORST))

    def value(self, score: float) -> float:
        """The value a score stands for."""
        return self.best + self.unit * score
