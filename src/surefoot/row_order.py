"""In which order an epoch visits the rows, and how many of them the next step takes: the same for every framework.

Balance is built into the order of the whole epoch, so it holds for any batch size, also while that moves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from surefoot import seeds

__all__ = [
    "Arrange",
    "Indices",
    "epoch_order",
    "next_batch_size",
    "of_classes",
    "oversampled",
    "step_size",
    "stratified",
]

Indices = npt.NDArray[np.int64]
Arrange = Callable[[int, int, int], Indices]
"""(seed, epoch, rows) -> the numbers of as many rows, in the order of the epoch."""


def epoch_order(seed: int, epoch: int, num_rows: int) -> Indices:
    """The order in which an epoch visits the rows: each once."""
    return seeds.stream(seed, "order", epoch).permutation(num_rows)


def of_classes(labels: npt.NDArray[Any], kind: str) -> Arrange:
    """The orders of epochs that are balanced.

    Args:
        labels: a class number a row.
        kind: "oversample" or "stratify".
    """
    order = np.argsort(labels, kind="stable")
    classes = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    arrange = oversampled if kind == "oversample" else stratified

    def arranged(seed: int, epoch: int, num_rows: int) -> Indices:
        assert num_rows == len(labels), "these are the rows whose labels were read"
        return arrange(classes, seeds.stream(seed, "order", epoch))

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


def next_batch_size(wanted: int, *, left: int) -> int:
    """How many of the ``left`` rows of an epoch or a horizon the next step takes.

    A single row left over joins the batch before it: batch normalisation cannot train on one row, and a batch of
    one is the noisiest of steps.

    >>> next_batch_size(32, left=100), next_batch_size(32, left=33), next_batch_size(1, left=2)
    (32, 33, 1)
    """
    if wanted >= left or (wanted > 1 and left - wanted == 1):
        return left
    return wanted


def step_size(wanted: int, position: int, *, num_rows: int, horizon: int) -> int:
    """How many rows the step at ``position`` takes: as many as wanted, fewer at the end of an epoch or the horizon.

    A horizon that ends one row into the next epoch lets the last step reach there; at the horizon the size is 0.

    >>> [step_size(4, position, num_rows=10, horizon=21) for position in (0, 4, 8, 10, 18, 21)]
    [4, 4, 2, 4, 3, 0]
    """
    left = max(0, horizon - position)
    size = next_batch_size(wanted, left=min(num_rows - position % num_rows, left))
    return left if wanted > 1 and left - size == 1 else size
