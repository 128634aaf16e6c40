"""In which order a training's epochs visit its rows, from a recipe: ``row_order`` with the labels that a part has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from surefoot import row_order
from surefoot.engine.losses import REGRESSION
from surefoot.engine.rows.data import Rows, SparseRows, TensorRows, epoch_order
from surefoot.errors import RecipeError
from surefoot.recipe import Recipe

__all__ = ["Arrange", "arrangement"]

Arrange = Callable[[int, int, int], Tensor]
"""(seed, epoch, rows) -> the numbers of as many rows, in the order of the epoch."""


def arrangement(recipe: Recipe, rows: Rows, loss: str) -> Arrange:
    """The order of a training's epochs, as ``data.balance`` says.

    Args:
        recipe: of the training.
        rows: of the training part.
        loss: its name, or "custom".

    Raises:
        RecipeError: balance needs a class label of every row, and there is none.
    """
    kind = recipe.data.balance
    if kind == "none":
        return epoch_order
    arranged = row_order.of_classes(_labels(rows, kind, loss), kind)
    return lambda seed, epoch, num_rows: torch.from_numpy(arranged(seed, epoch, num_rows))


def _labels(rows: Rows, kind: str, loss: str) -> npt.NDArray[Any]:
    """A class number a row."""
    if loss in REGRESSION:
        raise RecipeError(
            f'data.balance is "{kind}", which is for classes, and this task predicts numbers: leave it out'
        )
    found = rows.targets if isinstance(rows, TensorRows | SparseRows) else _targets(getattr(rows, "dataset", None))
    if found is None:
        raise RecipeError(
            f'data.balance is "{kind}", which needs the label of every row: give arrays, or a dataset with an '
            "attribute targets, a label a row"
        )
    labels = np.asarray(found.cpu() if isinstance(found, Tensor) else found)
    if labels.shape != (len(rows),) or labels.dtype.kind not in "iubf" or not np.array_equal(labels, np.round(labels)):
        raise RecipeError(
            f'data.balance is "{kind}", which needs a class number a row; these targets have shape {labels.shape} '
            f"and type {labels.dtype}"
        )
    return labels


def _targets(dataset: Any) -> Any:
    """The labels that a dataset holds as ``targets``, as torchvision's do, or one that it takes rows of; or None."""
    own = getattr(dataset, "targets", None)
    if own is not None:
        return np.asarray(own.cpu() if isinstance(own, Tensor) else own)
    if hasattr(dataset, "dataset") and hasattr(dataset, "indices"):
        whole = _targets(dataset.dataset)
        return None if whole is None else whole[np.asarray(dataset.indices)]
    return None
