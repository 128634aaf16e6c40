"""In which order an epoch visits the rows: by chance alone, or so that the classes are balanced.

Balance is built into the order of the whole epoch, so it holds for any batch size, also while that moves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from surefoot import seeds
from surefoot.engine.losses import REGRESSION
from surefoot.engine.rows.data import Rows, SparseRows, TensorRows, epoch_order
from surefoot.errors import RecipeError
from surefoot.recipe import Recipe

__all__ = ["Arrange", "arrangement", "oversampled", "stratified"]

Arrange = Callable[[int, int, int], Tensor]
"""(seed, epoch, rows) -> the numbers of as many rows, in the order of the epoch."""

Indices = npt.NDArray[np.int64]


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
    order = np.argsort(labels := _labels(rows, kind, loss), kind="stable")
    classes = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    arrange = oversampled if kind == "oversample" else stratified

    def arranged(seed: int, epoch: int, num_rows: int) -> Tensor:
        assert num_rows == len(labels), "these are the rows whose labels were read"
        return torch.from_numpy(arrange(classes, seeds.stream(seed, "order", epoch)))

    return arranged


def stratified(classes: list[Indices], stream: np.random.Generator) -> Indices:
    """Every row once, each class spread evenly over the epoch.

    The k-th of a class's n rows stands at (k + u)/n of the epoch, u being drawn once for the class. In any stretch of B
    rows the number of a class then differs from B times its share s by less than 1 + s·(classes − 2): with two classes
    it is that number rounded up or down.

    Args:
        classes: the rows of each class.
        stream: decides the order within a class, and u.
    """
    places = np.concatenate([(np.arange(len(rows)) + stream.random()) / len(rows) for rows in classes])
    shuffled = np.concatenate([stream.permutation(rows) for rows in classes])
    return shuffled[np.argsort(places, kind="stable")]


def oversampled(classes: list[Indices], stream: np.random.Generator) -> Indices:
    """As many rows as there are, of each class equally many, in random order.

    A class is repeated as evenly as can be: the times that two of its rows come differ by 1 at most, so that of a class
    with more rows than its share of the epoch none comes twice.

    Args:
        classes: the rows of each class.
        stream: decides which rows and in which order.
    """
    num_rows = sum(map(len, classes))
    least, more = divmod(num_rows, len(classes))
    quotas = least + (stream.permutation(len(classes)) < more)
    drawn = []
    for rows, quota in zip(classes, quotas, strict=True):
        passes, rest = divmod(int(quota), len(rows))
        drawn += [np.tile(rows, passes), stream.permutation(rows)[:rest]]
    return stream.permutation(np.concatenate(drawn))


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
