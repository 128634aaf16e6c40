"""Part of a batch: the same rows of every tensor in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from surefoot.errors import TaskError

__all__ = ["part_of"]


def part_of(batch: Any, start: int, stop: int, *, count: int) -> Any:
    """Rows ``start`` to ``stop`` of a batch of ``count``: tensors, and tuples, lists and mappings of them.

    Raises:
        TaskError: something in the batch has no row for each of its samples.
    """
    if isinstance(batch, Tensor) and batch.ndim and len(batch) == count:
        return batch[start:stop]
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(part_of(value, start, stop, count=count) for value in batch))
    if isinstance(batch, tuple) or (isinstance(batch, list) and batch and isinstance(batch[0], Tensor)):
        return type(batch)(part_of(value, start, stop, count=count) for value in batch)
    if isinstance(batch, Mapping):
        return {key: part_of(value, start, stop, count=count) for key, value in batch.items()}
    if isinstance(batch, list) and len(batch) == count:
        return batch[start:stop]
    if batch is None or isinstance(batch, str | bool | int | float):
        return batch
    what = f"a tensor of shape {tuple(batch.shape)}" if isinstance(batch, Tensor) else f"a {type(batch).__name__}"
    raise TaskError(
        f"a batch of {count} rows holds {what}, which cannot be split by rows: micro-batches and looks at the noise "
        "need one entry a row in every tensor"
    )
