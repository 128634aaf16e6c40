"""Log: what a training wrote down, whatever tool wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Log", "Series", "Unit", "neighbours"]

Unit = Literal["epoch", "step", "row"]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """One quantity over a training.

    Attributes:
        at: where it was written down, in the log's unit, increasing.
        values: as many numbers; not-a-number and infinity where the training wrote them.
    """

    at: Values
    values: Values

    def __len__(self) -> int:
        return len(self.values)

    @property
    def finite(self) -> Series:
        """Without what is not a finite number."""
        keep = np.isfinite(self.values)
        return Series(self.at[keep], self.values[keep])

    def until(self, place: float) -> Series:
        """What was known at a place, itself included."""
        keep = self.at <= place
        return Series(self.at[keep], self.values[keep])

    def coarse(self, most: int) -> Series:
        """At most so many points: means of neighbours, at the place of the last of them."""
        if len(self) <= most:
            return self
        last, means = neighbours(self.values, most)
        return Series(self.at[last], means)

    @classmethod
    def of(cls, at: Values, values: Values) -> tuple[Series, int]:
        """A series in the order of its places, and how often it went back; what was written last at a place stands.

        A log that goes back in time belongs to a training that was resumed.

        >>> Series.of(np.array([1.0, 2.0, 3.0, 2.0]), np.array([0.9, 0.8, 0.7, 0.6]))[0].values.tolist()
        [0.9, 0.6, 0.7]
        """
        if (at[1:] > at[:-1]).all():
            return cls(at, values), 0
        order = np.argsort(at, kind="stable")
        is_last = np.append(np.diff(at[order]) > 0, True)
        in_order, said = at[order], values[order]
        is_same = np.append(False, (in_order[1:] == in_order[:-1]) & (said[1:] == said[:-1]))
        said_again = np.zeros(len(at), dtype=bool)  # as the best round is at the end
        said_again[order] = is_same
        goes_back = (at[1:] < at[:-1]) & ~said_again[1:]
        return cls(at[order][is_last], values[order][is_last]), int(goes_back.sum())


def neighbours(values: Values, most: int) -> tuple[npt.NDArray[np.intp], Values]:
    """Means of so many groups of neighbours, and where the last of each group stands.

    >>> neighbours(np.array([1.0, 3.0, 5.0, 5.0]), 2)[1].tolist()
    [2.0, 5.0]
    """
    edges = np.linspace(0, len(values), most + 1).astype(np.intp)
    with np.errstate(over="ignore", invalid="ignore"):
        return edges[1:] - 1, np.add.reduceat(values, edges[:-1]) / np.diff(edges)


@dataclass(frozen=True)
class Log:
    """What one training wrote down.

    Attributes:
        name: what to call it: a file, a run.
        unit: what places count: epochs, steps, or rows of the log where it says neither.
        series: by their names: "train_loss", "validation_loss", "train_accuracy", "validation_accuracy",
            "learning_rate", "batch_size", "gradient_norm", and whatever else was there under its own name.
        notes: what was left out while reading, a sentence each.
        first: what the log calls its first epoch; places count from 1, and words use the log's own numbers.
    """

    name: str
    unit: Unit
    series: Mapping[str, Series]
    notes: tuple[str, ...] = field(default=())
    first: int = 1

    def get(self, name: str) -> Series | None:
        """A series that has points, or None."""
        found = self.series.get(name)
        return found if found is not None and len(found) else None

    def until(self, place: float) -> Log:
        """The log as it was when the training stood at a place."""
        series = {name: one.until(place) for name, one in self.series.items()}
        return Log(self.name, self.unit, series, self.notes, self.first)
