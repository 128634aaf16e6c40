"""Part of a batch: the same rows of every tensor in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from surefoot.engine.sparse_rows import csr_part
from surefoot.errors import TaskError

__all__ = ["part_of", "part_sizes"]


def part_sizes(count: int, most: int) -> list[int]:
    """How many rows each part of a batch gets: as few parts as ``most`` allows, as even as can be.

    No part has a single row where ``most`` allows two: batch normalisation cannot train on one. A part may then be one
    row larger than ``most``.

    >>> part_sizes(33, 16), part_sizes(3, 2), part_sizes(5, 1), part_sizes(4, 9)
    ([11, 11, 11], [3], [1, 1, 1, 1, 1], [4])
    """
    parts = -(-count // most)
    if most > 1 and count // parts < 2:
        parts = max(1, count // 2)
    small, more = divmod(count, parts)
    return [small + 1] * more + [small] * (parts - more)


def part_of(batch: Any, start: int, stop: int, *, count: int) -> Any:
    """Rows ``start`` to ``stop`` of a batch of ``count``: tensors, and tuples, lists and mappings of them.

    Raises:
        TaskError: something in the batch has no row for each of its samples.
    """
    if isinstance(batch, Tensor) and batch.ndim and len(batch) == count:
        return csr_part(batch, start, stop) if batch.layout == torch.sparse_csr else batch[start:stop]
    if isinstance(batch, Mapping):
        parts = {key: part_of(value, start, stop, count=count) for key, value in batch.items()}
        return parts if type(batch) is dict else type(batch)(parts)  # type: ignore[call-arg] # as UserDict takes it
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(part_of(value, start, stop, count=count) for value in batch))
    if isinstance(batch, list | tuple):
        if len(batch) == count and not any(_has_rows(value, count) for value in batch):
            return batch[start:stop]  # an entry a row: texts, tensors of their own lengths
        return type(batch)(part_of(value, start, stop, count=count) for value in batch)
    if batch is None or isinstance(batch, str | bool | int | float):
        return batch
    what = f"a tensor of shape {tuple(batch.shape)}" if isinstance(batch, Tensor) else f"a {type(batch).__name__}"
    raise TaskError(
        f"a batch of {count} rows holds {what}, which cannot be split by rows: micro-batches and looks at the noise "
        "need one entry a row in every tensor"
    )


def _has_rows(value: Any, count: int) -> bool:
    """Whether a tensor with an entry a row lies somewhere in it."""
    if isinstance(value, Tensor):
        return bool(value.ndim) and len(value) == count
    if isinstance(value, Mapping):
        return any(_has_rows(item, count) for item in value.values())
    return isinstance(value, list | tuple) and any(_has_rows(item, count) for item in value)
