"""The rows of a part: tensors in memory, sparse ones, any map-style dataset or a stream; and the order of an epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Subset, TensorDataset

from surefoot import row_order
from surefoot.engine.sparse_rows import SparseInputs, SparseRows
from surefoot.errors import TaskError
from surefoot.row_order import next_batch_size, step_size
from surefoot.sparse import CsrRows, is_sparse
from surefoot.streams import Stream

__all__ = [
    "DatasetRows",
    "Rows",
    "SparseRows",
    "StreamRows",
    "TensorRows",
    "as_rows",
    "as_tensor",
    "epoch_order",
    "first",
    "next_batch_size",
    "rows_at",
    "step_size",
]


@dataclass(frozen=True)
class TensorRows:
    """Tensors in memory, one row each of inputs, targets and, where there are any, sample weights."""

    inputs: Tensor
    targets: Tensor
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """What a batch is made of: inputs, targets and the weights if there are any."""
        return (self.inputs, self.targets) if self.weights is None else (self.inputs, self.targets, self.weights)


@dataclass(frozen=True)
class DatasetRows:
    """A map-style dataset; a row is whatever it gives: a pair, a triple with a weight, a mapping, anything nested."""

    dataset: Any

    def __len__(self) -> int:
        return len(self.dataset)


@dataclass(frozen=True)
class StreamRows:
    """Rows that are read one after another."""

    stream: Stream

    def __len__(self) -> int:
        return len(self.stream)


Rows = TensorRows | SparseRows | DatasetRows | StreamRows


def as_rows(part: Any) -> Rows:
    """A part of a task as rows: (X, y) or (X, y, weights) becomes tensors, sparse X stays so, the rest is a dataset.

    A dataset that only pairs two tensors in memory is its tensors.
    """
    if isinstance(part, Stream):
        return StreamRows(part)
    if type(part) is TensorDataset and len(part.tensors) == 2:
        return TensorRows(*part.tensors)
    if isinstance(part, tuple) and len(part) in {2, 3}:
        if is_sparse(part[0]):
            rows = CsrRows.of("inputs", part[0])
            targets, *weights = (as_tensor(values) for values in part[1:])
            return SparseRows(SparseInputs(rows), targets, *(values.float() for values in weights))
        inputs, targets, *weights = (as_tensor(values) for values in part)
        as_floats = (values if values.is_floating_point() else values.float() for values in weights)
        return TensorRows(inputs, targets, *as_floats)
    return DatasetRows(part)


def first(rows: Rows, count: int) -> Rows:
    """The first ``count`` rows."""
    if isinstance(rows, TensorRows):
        return TensorRows(*(values[:count] for values in rows.tensors))
    if isinstance(rows, SparseRows):
        return rows.part(slice(count))
    if isinstance(rows, StreamRows):
        return StreamRows(rows.stream.first(count))
    return DatasetRows(Subset(rows.dataset, range(count)))


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


def epoch_order(seed: int, epoch: int, num_rows: int) -> Tensor:
    """The order in which an epoch visits the rows: each once."""
    return torch.from_numpy(row_order.epoch_order(seed, epoch, num_rows))


def rows_at(position: int, size: int, *, seed: int, num_rows: int) -> Tensor:
    """The rows of the ``size`` samples that follow ``position``; they may reach into the next epochs.

    The twin that a loader, which remembers the order of an epoch, must agree with.
    """
    pieces = []
    while size > 0:
        epoch, offset = divmod(position, num_rows)
        pieces.append(epoch_order(seed, epoch, num_rows)[offset : offset + size])
        position, size = position + len(pieces[-1]), size - len(pieces[-1])
    return torch.cat(pieces)
