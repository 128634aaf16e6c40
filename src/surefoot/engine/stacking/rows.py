"""The batches of a stack: every member's own rows, gathered together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from surefoot.engine.rows.data import TensorRows
from surefoot.engine.rows.loading import Order

__all__ = ["StackedRows", "near"]

# Rows of up to so many bytes are copied to the device once; more are gathered where they are. A GiB is little beside
# the memory of any device that has its own.
MOST_BYTES = 2**30


def near(rows: TensorRows, device: torch.device) -> TensorRows:
    """The rows on a device, unless they are too many for it."""
    size = sum(values.numel() * values.element_size() for values in rows.tensors)
    return TensorRows(*(values.to(device) for values in rows.tensors)) if size <= MOST_BYTES else rows


class StackedRows:
    """Batches for several seeds at once: what ``open_loader`` gives each of them alone.

    Args:
        rows: in memory.
        seeds: of the members' orders.
        device: where batches go.

    Attributes:
        num_rows: of the part.
    """

    def __init__(self, rows: TensorRows, seeds: Sequence[int], device: torch.device) -> None:
        self._tensors = rows.tensors
        self._orders = [Order(seed, len(rows), is_shuffled=True) for seed in seeds]
        self.num_rows, self._device = len(rows), device
        self._number, self._epoch = -1, torch.empty(0)

    def batch(self, position: int, size: int) -> tuple[Tensor, ...]:
        """The members' ``size`` samples that follow ``position``: each (members, size, ...)."""
        indices = self._indices(position, size)
        shape = indices.shape
        taken = [values.index_select(0, indices.flatten().to(values.device)) for values in self._tensors]
        return tuple([values.view(*shape, *values.shape[1:]).to(self._device) for values in taken])

    def _indices(self, position: int, size: int) -> Tensor:
        number, offset = divmod(position, self.num_rows)
        if offset + size > self.num_rows:
            return torch.stack([order.rows(position, size) for order in self._orders])
        if number != self._number:
            epoch = torch.stack([order.epoch(number) for order in self._orders])
            self._number, self._epoch = number, epoch.to(self._tensors[0].device)
        return self._epoch[:, offset : offset + size]
