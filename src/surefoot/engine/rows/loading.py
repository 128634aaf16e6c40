"""Batches by the clock: the rows that follow a position, from memory, a dataset, a stream, or worker processes.

A loader keeps no position of its own. It is asked for ``size`` samples at a position, and what it gives depends on the
rows, the seed and the position alone: a resumed run asks for another position, a moved batch size for another size,
and any number of workers gives the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from surefoot.engine.objective import to_device
from surefoot.engine.rows.data import DatasetRows, Rows, SparseRows, StreamRows, TensorRows, epoch_order
from surefoot.engine.rows.fetching import Failure, Fetching, Request
from surefoot.engine.rows.ordering import Arrange
from surefoot.engine.rows.streaming import StreamLoader
from surefoot.engine.rows.workers import Workers
from surefoot.errors import TaskError

__all__ = ["EVALUATION_BATCH", "Loader", "Order", "in_order", "open_loader"]

EVALUATION_BATCH = 1024
# Rows are put in the epoch's order this many bytes at a time: enough to make it one operation for many batches, little
# enough to stay in the processor's cache and beside any model (measured: see docs/log.md).
BLOCK_BYTES = 4 * 2**20

Plan = Callable[[int], int]
Share = Callable[[int], tuple[int, int]]
"""Which rows of a batch of so many belong to this process: the first, and the one after the last."""


class Loader(Protocol):
    """Where a run gets its batches."""

    def batch(self, position: int, size: int) -> tuple[Any, int]:
        """The ``size`` samples that follow ``position``, collated and on the device, and how many they are.

        Raises:
            TaskError: the dataset raises, or a worker process dies.
        """
        ...

    def close(self) -> None:
        """End the worker processes; another batch would start them again."""
        ...


def open_loader(
    rows: Rows,
    *,
    seed: int,
    plan: Plan,
    workers: int = 0,
    device: torch.device | str = "cpu",
    is_shuffled: bool = True,
    arrange: Arrange = epoch_order,
    pin_memory: bool | None = None,
    shuffle_buffer: int = 0,
    share: Share | None = None,
) -> Loader:
    """The loader of a part.

    Args:
        rows: of the part.
        seed: of the order of every epoch and of what a dataset's rows draw at random.
        plan: the size of the batch at a position, 0 at the end, as far as it can be known: how workers read ahead. It
            only has to be right to be fast.
        workers: processes that read a dataset ahead of the training; rows in memory need none.
        device: where batches go.
        is_shuffled: the epochs' random orders; otherwise the rows' own.
        arrange: gives the order of a shuffled epoch.
        pin_memory: copy batches to a GPU from memory it reads by itself; None does so with what workers read.
        shuffle_buffer: rows of a stream that are shuffled at a time, where it is shuffled at all.
        share: what of every batch this process gets, where several share it; None is all of it.
    """
    device = torch.device(device)
    if isinstance(rows, StreamRows):
        buffer = shuffle_buffer if is_shuffled else 0
        is_pinned = bool(pin_memory)
        return StreamLoader(rows, seed=seed, shuffle_buffer=buffer, workers=workers, device=device, is_pinned=is_pinned)
    order = Order(seed, len(rows), is_shuffled=is_shuffled, arrange=arrange)
    if isinstance(rows, SparseRows):
        return _SparseLoader(rows, order, device, share=share)
    if isinstance(rows, TensorRows):
        return _MemoryLoader(rows, order, device, is_pinned=bool(pin_memory), share=share)
    is_pinned = device.type == "cuda" and pin_memory is not False
    return _DatasetLoader(
        rows, order, seed=seed, plan=plan, workers=workers, device=device, is_pinned=is_pinned, share=share
    )


def in_order(loader: Loader, end: int, size: int, *, first: int = 0) -> Iterator[tuple[Any, int]]:
    """The rows from ``first`` to before ``end`` of a loader that is not shuffled, in batches, each with its length."""
    for start in range(first, end, size):
        yield loader.batch(start, min(size, end - start))


class Order:
    """Which rows follow a position: every epoch's order, remembered for the latest two, where a step may reach over."""

    def __init__(self, seed: int, num_rows: int, *, is_shuffled: bool, arrange: Arrange = epoch_order) -> None:
        self._seed, self.num_rows, self._is_shuffled, self._arrange = seed, num_rows, is_shuffled, arrange
        self._epochs: dict[int, Tensor] = {}

    def epoch(self, number: int) -> Tensor:
        """The rows of an epoch in its order."""
        if number not in self._epochs:
            while len(self._epochs) > 1:
                del self._epochs[next(iter(self._epochs))]
            shuffled = self._arrange(self._seed, number, self.num_rows) if self._is_shuffled else None
            self._epochs[number] = torch.arange(self.num_rows) if shuffled is None else shuffled
        return self._epochs[number]

    def rows(self, position: int, size: int) -> Tensor:
        """The ``size`` rows that follow ``position``."""
        number, offset = divmod(position, self.num_rows)
        found = self.epoch(number)[offset : offset + size]
        if len(found) == size:
            return found
        return torch.cat([found, self.rows(position + len(found), size - len(found))])


class _MemoryLoader:
    """Tensors in memory: a block of rows is put in order at once, and batches are slices of it.

    Blocks begin at fixed places of an epoch, so that a batch lies at the same place of a block before and after a
    resume: what a sum of floats gives may depend on how its numbers are aligned. A batch that does not lie within one
    block is gathered by itself. A block is given out once, from its beginning to its end: whoever goes back in time
    gets fresh rows, even if a model has written into the ones it got.
    """

    def __init__(
        self, rows: TensorRows, order: Order, device: torch.device, *, is_pinned: bool, share: Share | None
    ) -> None:
        self._share = share
        self._tensors, self._order, self._device = rows.tensors, order, device
        self._is_pinned = is_pinned
        a_row = sum(values[0].numel() * values.element_size() for values in self._tensors) if len(rows) else 1
        self._length = max(1, min(len(rows), BLOCK_BYTES // max(1, a_row)))
        self._block: tuple[Tensor, ...] = ()
        self._start = self._end = self._given = 0  # positions: of the block, and up to where it was given out

    def batch(self, position: int, size: int) -> tuple[tuple[Tensor, ...], int]:
        if self._share is not None:  # a block would hold more rows of others than of this process
            start, stop = self._share(size)
            return self._gathered(position + start, stop - start), stop - start
        end = position + size
        if not (self._given <= position and end <= self._end) and not self._renew(position, end):
            return self._gathered(position, size), size
        self._given = end
        low, high = position - self._start, end - self._start
        return tuple([values[low:high] for values in self._block]), size

    def _renew(self, position: int, end: int) -> bool:
        """Put the block around these positions in order; False when they are better gathered by themselves."""
        num_rows = self._order.num_rows
        offset = position % num_rows
        begin = offset - offset % self._length
        length = min(self._length, num_rows - begin)
        start = position - offset + begin
        if end > start + length or (2 * (end - position) > length < num_rows):
            return False
        self._block = self._gathered(start, length)
        self._start, self._end = start, start + length
        return True

    def _gathered(self, position: int, size: int) -> tuple[Tensor, ...]:
        rows = self._order.rows(position, size)
        found = [values.index_select(0, rows.to(values.device)) for values in self._tensors]
        if self._is_pinned:
            found = [values.pin_memory() if values.device.type == "cpu" else values for values in found]
        return tuple([to_device(values, self._device) for values in found])

    def close(self) -> None:
        self._block, self._start, self._end, self._given = (), 0, 0, 0


class _SparseLoader:
    """Sparse rows in memory: every batch is gathered by itself, which reads little more than it gives."""

    def __init__(self, rows: SparseRows, order: Order, device: torch.device, *, share: Share | None) -> None:
        self._rows, self._order, self._device = rows, order, device
        self._share = share or (lambda size: (0, size))

    def batch(self, position: int, size: int) -> tuple[Any, int]:
        start, stop = self._share(size)
        taken = self._rows.take(self._order.rows(position + start, stop - start))
        return to_device(taken, self._device), stop - start

    def close(self) -> None:
        pass


class _DatasetLoader:
    """A dataset, read in this process or by workers ahead of the training."""

    def __init__(
        self,
        rows: DatasetRows,
        order: Order,
        *,
        seed: int,
        plan: Plan,
        workers: int,
        device: torch.device,
        is_pinned: bool,
        share: Share | None,
    ) -> None:
        self._order, self._plan, self._device = order, plan, device
        self._share = share or (lambda size: (0, size))
        self._fetching = Fetching(rows.dataset, seed)
        self._workers = Workers(self._fetching, workers, pin_memory=is_pinned) if workers else None

    def batch(self, position: int, size: int) -> tuple[Any, int]:
        start, stop = self._share(size)
        if start == stop:
            return None, 0
        if self._workers is None:
            found = self._fetching.__getitems__(self._request(position + start, stop - start))
        else:
            requests = self._requests(position, size)
            found = self._workers.fetch(position + start, stop - start, requests=lambda *_: requests)
        if isinstance(found, Failure):
            self.close()
            raise TaskError(found.text)
        return to_device(found, self._device), stop - start

    def _request(self, position: int, size: int) -> Request:
        return Request(position, self._order.rows(position, size).tolist())

    def _requests(self, position: int, size: int) -> Iterator[Request]:
        """What is asked for now, and what the plan says will follow."""
        while size > 0:
            start, stop = self._share(size)
            if start < stop:
                yield self._request(position + start, stop - start)
            position += size
            size = self._plan(position)

    def close(self) -> None:
        if self._workers is not None:
            self._workers.close()
