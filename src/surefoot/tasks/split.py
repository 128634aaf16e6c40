"""Rows into parts, once and for all: the split has a seed of its own, apart from any run's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from surefoot import seeds

__all__ = ["Subset", "is_whole", "split_rows", "take_rows"]

Indices = npt.NDArray[np.int64]


def split_rows(num_rows: int, fractions: tuple[float, ...], *, labels: Any = None, split: int = 0) -> list[Indices]:
    """Indices of every part, the last one taking what is left; stratified where labels are given.

    Within each class the rows are shuffled and dealt out in proportion, so a class with enough rows is in every part.

    Args:
        num_rows: how many rows there are.
        fractions: of every part, adding up to 1.
        labels: one whole number a row, or None.
        split: which of many splits; 0 is the one that everybody gets.
    """
    generator = seeds.stream(split, "split", num_rows)
    groups = [np.arange(num_rows)] if labels is None else _by_label(_on_the_cpu(labels))
    parts: list[list[Indices]] = [[] for _ in fractions]
    edges = np.cumsum(fractions)[:-1]
    for group in groups:
        shuffled = generator.permutation(group)
        cuts = np.round(edges * len(group)).astype(int)
        for part, rows in zip(parts, np.split(shuffled, cuts), strict=True):
            part.append(rows)
    return [np.sort(np.concatenate(part)) for part in parts]


def _on_the_cpu(labels: Any) -> npt.NDArray[Any]:
    return np.asarray(labels.cpu() if hasattr(labels, "cpu") else labels)


def _by_label(labels: npt.NDArray[Any]) -> list[Indices]:
    order = np.argsort(labels, kind="stable")
    changes = np.flatnonzero(np.diff(labels[order])) + 1
    return np.split(order, changes)


def is_whole(values: Any) -> bool:
    """Whether these are whole numbers, as class labels are."""
    return getattr(getattr(values, "dtype", None), "kind", "") in "iub" or "int" in str(getattr(values, "dtype", ""))


def take_rows(part: Any, indices: Indices) -> Any:
    """The rows of a part at ``indices``: of arrays, or of a map-style dataset."""
    if isinstance(part, tuple):
        return tuple(values[indices] for values in part)
    return Subset(part, indices)


class Subset:
    """Some rows of a map-style dataset, with the attributes of PyTorch's own Subset.

    Args:
        dataset: the whole.
        indices: which of its rows, in this order.
    """

    def __init__(self, dataset: Any, indices: Indices) -> None:
        self.dataset, self.indices = dataset, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]

    @property
    def __getitems__(self) -> Callable[[list[int]], Any] | None:
        """The dataset's own way to give many rows at once, None where it has none."""
        at_once = getattr(self.dataset, "__getitems__", None)
        return (lambda places: at_once(self.indices[places].tolist())) if at_once else None
