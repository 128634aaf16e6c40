"""What one optimizer step takes: its seconds, and the bytes in use while it runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, UntypedStorage, nn, optim
from torch.autograd.graph import saved_tensors_hooks

from surefoot.engine.descent import Descent
from surefoot.engine.memory import OutOfRoom, is_out_of_memory, make_room
from surefoot.engine.noise import has_batch_statistics
from surefoot.engine.objective import to_device
from surefoot.engine.rows.data import DatasetRows, Rows, StreamRows, rows_at
from surefoot.engine.rows.fetching import Failure, Fetching, Request
from surefoot.engine.threads import is_small
from surefoot.errors import TaskError
from surefoot.protocols import StepCost
from surefoot.recipe import Recipe
from surefoot.steering import Settings

__all__ = ["SavedTensors", "Weighing", "device_name"]

# Far below what any float32 weight feels, and far above where a processor slows down.
NEAR_ZERO = 1e-12


class Weighing:
    """Takes steps at a rate near 0 and weighs them.

    Time is that of a step once its rows are there. Reading them counts where a training has to wait for it at every
    step: rows in memory are put in order many batches at a time, at the same cost whatever the batch, and workers read
    ahead. Augmenting counts too. Memory is that of the step alone, whatever else lies on the device: weights, buffers,
    optimizer state and the batch, and

    - on CUDA, the peak of what was allocated beyond these during the step;
    - elsewhere, where no allocator counts, the gradients and the tensors saved for the backward pass: its buffers in
      between are left out, and so is what activation checkpointing computes again.

    Args:
        model: in training mode when a step is weighed.
        optimizer: whose gradients are those of ``model``.
        descent: takes the steps.
        recipe: whose micro-batch and workers count.
        rows: of the training part.
        seed: of the run, which decides the order of the rows.
    """

    def __init__(
        self, model: nn.Module, optimizer: optim.Optimizer, descent: Descent, *, recipe: Recipe, rows: Rows, seed: int
    ) -> None:
        self._model, self._optimizer, self._descent, self._recipe = model, optimizer, descent, recipe
        self._rows = rows
        self._device = next(model.parameters()).device
        self._dataset = _DatasetBatches(rows, seed) if isinstance(rows, DatasetRows) else None

    def is_single_threaded(self, size: int, *, by_default: bool) -> bool:
        """Whether a training with batches of ``size`` rows would use one CPU thread; a moving batch keeps its own."""
        return is_small(self._model, self._rows, size) if self._recipe.batch.policy == "fixed" else by_default

    def step(self, position: int, size: int, *, fetch: Callable[[int], Any], with_memory: bool) -> StepCost:
        """One step over the ``size`` rows that follow ``position``, whole unless the recipe has a micro-batch.

        Where rows differ in size, the largest one looked at so far is among those whose memory is weighed.

        Args:
            position: the clock in samples.
            size: rows of the step.
            fetch: gives the batch of so many rows, on the device, as a training gets it.
            with_memory: the bytes are wanted, and the seconds are not.

        Raises:
            OutOfRoom: it does not fit.
            TaskError: the dataset raises.
        """
        if size == 1 and has_batch_statistics(self._model):
            raise OutOfRoom("batch normalisation cannot train on a single row")
        batch = peak = None
        waits = isinstance(self._rows, StreamRows) and not (with_memory or self._recipe.data.workers)
        if self._dataset is None and not waits and not self._recipe.data.augments:
            batch = fetch(size)
        elif self._dataset is not None and (with_memory or self._recipe.data.workers):
            batch = to_device(self._dataset.batch(position, size, with_largest=with_memory), self._device)
        _synchronize(self._device)
        started = time.perf_counter()
        batch = fetch(size) if batch is None else batch
        if with_memory:
            peak = self._take_counting(batch, size)
        else:
            self._take(batch, size)
        _synchronize(self._device)
        return StepCost(time.perf_counter() - started, peak)

    def _take(self, batch: Any, size: int) -> None:
        """The step itself, in as many parts as the recipe asks for, not as a lack of memory left behind."""
        before, self._descent.micro_batch = self._descent.micro_batch, self._recipe.batch.micro_batch
        try:
            self._descent.step(batch, size, Settings(NEAR_ZERO), may_halve=False)
        finally:
            self._descent.micro_batch = before

    def _take_counting(self, batch: Any, size: int) -> int:
        """The step, and the bytes in use during it, at most."""
        self._optimizer.zero_grad(set_to_none=True)
        lasting = [*self._model.parameters(), *self._model.buffers(), *_tensors(batch)]
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
            torch.cuda.reset_peak_memory_stats(self._device)
            before = torch.cuda.memory_allocated(self._device)
            self._take(batch, size)
            passing = torch.cuda.max_memory_allocated(self._device) - before
        else:
            saved = SavedTensors(lasting)
            with saved.watching():
                self._take(batch, size)
            gradients = [parameter.grad for parameter in self._model.parameters() if parameter.grad is not None]
            passing = saved.most + _num_bytes(gradients)
        return _num_bytes(lasting) + _num_bytes(_tensors(self._optimizer.state)) + passing


class SavedTensors:
    """Bytes that autograd keeps for the backward pass: each storage once, while anything in it is kept.

    Args:
        others: tensors that are counted elsewhere; what lies in their storages is not counted here.

    Attributes:
        most: bytes kept at once, at most.
    """

    def __init__(self, others: Iterable[Tensor]) -> None:
        self.most = self._bytes = 0
        self._others = {tensor.untyped_storage().data_ptr() for tensor in others if tensor.layout == torch.strided}
        self._kept: Counter[int] = Counter()

    def watching(self) -> saved_tensors_hooks:
        """A block whose forward passes are watched."""
        return saved_tensors_hooks(self._keep, lambda kept: kept.tensor)

    def _keep(self, tensor: Tensor) -> _Kept:
        counts = tensor.layout == torch.strided and tensor.untyped_storage().data_ptr() not in self._others
        return _Kept(tensor.detach(), self if counts else None)

    def kept(self, storage: UntypedStorage) -> None:
        """Count a storage that a tensor was saved in."""
        if not self._kept[storage.data_ptr()]:
            self._bytes += storage.nbytes()
            self.most = max(self.most, self._bytes)
        self._kept[storage.data_ptr()] += 1

    def let_go(self, storage: UntypedStorage) -> None:
        """Count it no more, once no saved tensor lies in it."""
        self._kept[storage.data_ptr()] -= 1
        if not self._kept[storage.data_ptr()]:
            self._bytes -= storage.nbytes()


class _Kept:
    """A tensor that autograd holds on to, and that says when it is let go."""

    __slots__ = ("_counting", "tensor")

    def __init__(self, tensor: Tensor, counting: SavedTensors | None) -> None:
        self.tensor, self._counting = tensor, counting
        if counting is not None:
            counting.kept(tensor.untyped_storage())

    def __del__(self) -> None:
        if self._counting is not None:
            self._counting.let_go(self.tensor.untyped_storage())


class _DatasetBatches:
    """Batches of a dataset for weighing, read in this process; the largest row seen so far can be among them.

    A row is as large as the batch that it makes by itself has elements: padding and tokenizing happen when rows are
    put together, and may be the dataset's own.
    """

    def __init__(self, rows: DatasetRows, seed: int) -> None:
        self._fetching, self._seed, self._num_rows = Fetching(rows.dataset, seed), seed, len(rows)
        self._largest, self._most = -1, -1

    def batch(self, position: int, size: int, *, with_largest: bool) -> Any:
        """The ``size`` rows that follow ``position``, the last one replaced by the largest where that is missing."""
        indices: list[int] = rows_at(position, size, seed=self._seed, num_rows=self._num_rows).tolist()
        if with_largest:
            for index in indices:
                elements = sum(tensor.numel() for tensor in _tensors(self._fetch(position, [index])))
                if elements > self._most:
                    self._largest, self._most = index, elements
            if self._largest not in indices:
                indices[-1] = self._largest
        return self._fetch(position, indices)

    def _fetch(self, position: int, indices: list[int]) -> Any:
        try:
            found = self._fetching.__getitems__(Request(position, indices))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            found = None
        if found is None:
            make_room()
            raise OutOfRoom(f"a batch of {len(indices)} does not fit in memory even before it reaches the model")
        if isinstance(found, Failure):
            raise TaskError(found.text)
        return found


def device_name(device: torch.device) -> str:
    """A device as a person would say it: with its threads, or its make."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"cpu, {threads} thread{'s' if threads > 1 else ''}" if device.type == "cpu" else str(device)


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in nested mappings, lists and tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _num_bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors if tensor.layout == torch.strided)
