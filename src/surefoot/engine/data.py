"""Rows as batches: arrays that stay in memory as tensors, or any map-style dataset; and the order of an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import default_collate

from surefoot import seeds
from surefoot.errors import TaskError

__all__ = [
    "EVALUATION_BATCH",
    "DatasetRows",
    "Rows",
    "TensorRows",
    "as_rows",
    "as_tensor",
    "epoch_order",
    "in_order",
    "next_batch_size",
]

EVALUATION_BATCH = 1024


class Rows(Protocol):
    """Rows that can be counted and taken by their indices as one batch."""

    def __len__(self) -> int:
        """How many rows there are."""
        ...

    def take(self, indices: torch.Tensor) -> Any:
        """The rows at ``indices``, collated."""
        ...


@dataclass(frozen=True)
class TensorRows:
    """A pair of tensors in memory: the fast path, one indexing operation a batch."""

    inputs: torch.Tensor
    targets: torch.Tensor

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The inputs and targets at ``indices``."""
        return self.inputs[indices], self.targets[indices]


@dataclass(frozen=True)
class DatasetRows:
    """A map-style dataset, collated as PyTorch's DataLoader does."""

    dataset: Any

    def __len__(self) -> int:
        return len(self.dataset)

    def take(self, indices: torch.Tensor) -> Any:
        """The items at ``indices``, collated."""
        return default_collate([self.dataset[index] for index in indices.tolist()])


def as_rows(part: Any) -> TensorRows | DatasetRows:
    """A part of a task as rows: a pair of arrays becomes tensors, anything else is taken as a dataset."""
    if isinstance(part, tuple) and len(part) == 2:
        inputs, targets = (as_tensor(value) for value in part)
        return TensorRows(inputs, targets)
    return DatasetRows(part)


def as_tensor(values: Any) -> torch.Tensor:
    """Floats as float32, whole numbers as int64, tensors as they are."""
    if isinstance(values, torch.Tensor):
        return values
    array = np.asarray(values)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    elif array.dtype.kind in "iub":
        array = array.astype(np.int64)
    elif array.dtype.kind != "f":
        raise TaskError(f"data of type {array.dtype} cannot become a tensor: encode it as numbers first")
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def epoch_order(seed: int, epoch: int, num_rows: int) -> torch.Tensor:
    """The order in which an epoch visits the rows: each once."""
    return torch.from_numpy(seeds.stream(seed, "order", epoch).permutation(num_rows))


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


def in_order(rows: Rows, size: int) -> Iterator[tuple[Any, int]]:
    """All rows in their own order, in batches for an evaluation; each with the number of its rows."""
    for start in range(0, len(rows), size):
        indices = torch.arange(start, min(start + size, len(rows)))
        yield rows.take(indices), len(indices)
