"""A grid of settings and what was measured in each of its cells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from surefoot.language import say
from surefoot.records import Study
from surefoot.reports.in_columns import table
from surefoot.reports.words import in_words

__all__ = ["Cell", "Grid"]


@dataclass(frozen=True)
class Cell:
    """What one combination of values came to.

    Attributes:
        value: the measure; not-a-number where it has none.
        text: the measure as a person reads it, or how the run ended where it did not complete.
        completed: whether the run did.
    """

    value: float
    text: str
    completed: bool


@dataclass(frozen=True)
class Grid:
    """Every combination of values of some recipe keys.

    Attributes:
        axes: the values of each key.

    >>> Grid({"optimizer.learning_rate": [0.1, 0.2], "batch.size": [16]}).names()
    ['optimizer.learning_rate=0.1, batch.size=16', 'optimizer.learning_rate=0.2, batch.size=16']
    """

    axes: Mapping[str, Sequence[Any]]

    def changes(self) -> list[dict[str, Any]]:
        """Every combination as keys and values, the last axis running fastest."""
        found: list[dict[str, Any]] = [{}]
        for key, values in self.axes.items():
            found = [{**before, key: value} for before in found for value in values]
        return found

    def names(self) -> list[str]:
        """What the recipe of each combination is called."""
        return [", ".join(f"{key}={value}" for key, value in changes.items()) for changes in self.changes()]

    def short_names(self) -> dict[str, str]:
        """Each name with the values alone, for a legend."""
        values = [", ".join(str(value) for value in changes.values()) for changes in self.changes()]
        return dict(zip(self.names(), values, strict=True))

    def title(self) -> str:
        """The keys, for the head of such a legend."""
        return ", ".join(_words(key) for key in self.axes)

    def labels(self, axis: int) -> list[str]:
        """The values of an axis as texts."""
        return [str(value) for value in list(self.axes.values())[axis]]

    def words(self, axis: int) -> str:
        """The key of an axis as a person says it."""
        return _words(list(self.axes)[axis])

    def cells(self, studies: Mapping[str, Study], measure: str) -> list[list[Cell | None]]:
        """A grid's cells, a row a value of the first axis; None where nothing was trained.

        Args:
            studies: by name; a comparison that was interrupted lacks some.
            measure: a metric of the study, or "seconds".
        """
        cells = [_cell(studies[name], measure) if name in studies else None for name in self.names()]
        columns = math.prod(len(values) for values in list(self.axes.values())[1:])
        return [cells[start : start + columns] for start in range(0, len(cells), columns)]

    def table(self, studies: Mapping[str, Study], measure: str) -> str:
        """One measure over a grid of two axes, as text."""
        head = [f"{self.words(0)} \\ {self.words(1)}", *self.labels(1)]
        rows = [
            [label, *("" if cell is None else cell.text for cell in cells)]
            for label, cells in zip(self.labels(0), self.cells(studies, measure), strict=True)
        ]
        return "\n".join([in_words(measure), *(f"  {line}" for line in table([head, *rows]))])


def _words(key: str) -> str:
    return say(key.partition(".")[2].replace("_", " ") if key.startswith("optimizer.") else key.replace(".", " "))


def _cell(study: Study, measure: str) -> Cell:
    value = study.runs[0].seconds if measure == "seconds" else study.metrics.get(measure, math.nan)
    if study.status != "completed":
        return Cell(value, in_words(study.status), completed=False)
    return Cell(value, f"{value:.2f}" if measure == "seconds" else f"{value:.4f}", completed=True)
