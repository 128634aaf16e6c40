"""The rows of a search: the whole, and which of them each fold learns from and is judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Fold", "Folds", "Indices", "Part"]

Indices = npt.NDArray[np.int64]
Fold = tuple[Indices, Indices]


@dataclass(frozen=True)
class Part:
    """Rows of a part: inputs (an array or a sparse matrix), targets and, where there are any, weights."""

    inputs: Any
    targets: Any
    weights: Any = None

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, rows: Any) -> tuple[Any, Any, Any]:
        return self.inputs[rows], self.targets[rows], None if self.weights is None else self.weights[rows]

    def take(self, rows: Any) -> Part:
        """Some of the rows."""
        return Part(*self[rows])


@dataclass(frozen=True)
class Folds:
    """The rows of a task as a search needs them; for a ``Task`` it is a map-style dataset.

    Attributes:
        whole: all rows.
        splits: the rows to learn from and those to judge by, a pair a fold.
        classes: all labels, None for a regressor.
        scorer: ``scorer(estimator, X, y)``, or None.
    """

    whole: Part
    splits: tuple[Fold, ...]
    classes: Any = None
    scorer: Callable[..., float] | None = None

    def __len__(self) -> int:
        """Rows that a fold learns from."""
        return len(self.splits[0][0])

    def __getitem__(self, row: int) -> Any:
        return self.whole[self.splits[0][0][row]]
