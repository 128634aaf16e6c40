"""Which rows follow a position: every epoch's order, the same as PyTorch's for the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from surefoot.errors import RecipeError
from surefoot.integrations.keras.rows import Part
from surefoot.recipe import Recipe
from surefoot.row_order import Arrange, Indices, epoch_order, of_classes

__all__ = ["Order", "arrangement"]


def arrangement(recipe: Recipe, train: Part) -> Arrange:
    """The order of a training's epochs, as ``data.balance`` says.

    Raises:
        RecipeError: balance needs a class label of every row, and there is none.
    """
    kind = recipe.data.balance
    return epoch_order if kind == "none" else of_classes(_labels(train.targets, kind), kind)


def _labels(targets: Any, kind: str) -> npt.NDArray[Any]:
    is_array = isinstance(targets, np.ndarray)
    labels = targets.argmax(axis=1) if is_array and targets.ndim == 2 and targets.shape[1] > 1 else targets
    labels = labels.reshape(-1) if is_array and labels.size == len(labels) else labels
    if not is_array or labels.ndim != 1 or not np.array_equal(labels, np.round(labels)):
        raise RecipeError(f'data.balance is "{kind}", which needs a class number or a one-hot row for every row')
    return np.asarray(labels)


class Order:
    """Rows by the clock.

    Args:
        seed: of the run.
        num_rows: of the training part.
        arrange: makes an epoch's order.
    """

    def __init__(self, seed: int, num_rows: int, arrange: Arrange = epoch_order) -> None:
        self._seed, self._num_rows, self._arrange = seed, num_rows, arrange
        self._epochs: dict[int, Indices] = {}

    def rows(self, position: int, size: int) -> Indices:
        """The ``size`` rows that follow ``position``; they may reach into the next epochs."""
        pieces = []
        while size > 0:
            epoch, offset = divmod(position, self._num_rows)
            pieces.append(self._epoch(epoch)[offset : offset + size])
            position, size = position + len(pieces[-1]), size - len(pieces[-1])
        return np.concatenate(pieces)

    def _epoch(self, number: int) -> Indices:
        if number not in self._epochs:
            while len(self._epochs) > 1:
                del self._epochs[next(iter(self._epochs))]
            self._epochs[number] = self._arrange(self._seed, number, self._num_rows)
        return self._epochs[number]
