"""The loss on the same few rows again and again: what a step did, without the noise of batches."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn, optim
from torch.utils.data import Subset

from surefoot import seeds
from surefoot.engine import snapshot
from surefoot.engine.memory import is_out_of_memory, make_room
from surefoot.engine.network import averaging
from surefoot.engine.objective import Objective
from surefoot.engine.randomness import RandomState, isolated
from surefoot.engine.rows.data import DatasetRows, Rows, SparseRows, StreamRows, TensorRows, first
from surefoot.engine.rows.loading import open_loader
from surefoot.protocols import Split

__all__ = ["FixedRows"]


class FixedRows:
    """Rows drawn once from the validation part, or from the training part where there is none.

    They are the same for every run of a task, so that the losses of two runs differ by what was trained alone.

    Args:
        model: that is trained.
        optimizer: whose average the weights to use may be.
        objective: the loss of a batch.
        parts: the task's rows by part.
        device: where the model is.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: optim.Optimizer,
        objective: Objective,
        parts: dict[Split, Rows],
        *,
        device: torch.device,
    ) -> None:
        self._model, self._optimizer, self._objective, self._device = model, optimizer, objective, device
        validation = parts.get("validation")
        self._rows = validation if validation is not None and len(validation) else parts["train"]
        self._batch: Any = None
        self._count = 0
        self._most = len(self._rows)  # less once they did not fit in memory

    def loss(self, num_rows: int) -> float:
        """The mean loss over as many of them, or over half as many until they fit in memory.

        Dropout is off, and batch normalisation takes the statistics of these rows. Not-a-number when not one row fits.
        """
        while True:
            count = min(num_rows, self._most)
            try:
                return self._loss(count)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            self._batch, self._count = None, 0
            make_room()
            if count == 1:
                return math.nan
            self._most = count // 2

    @torch.no_grad()
    def _loss(self, num_rows: int) -> float:
        modes = snapshot.training_modes(self._model)
        buffers = [(buffer, buffer.clone()) for buffer in self._model.buffers()]
        streams = RandomState.seeded(seeds.derive(0, "fixed rows"))
        try:
            with isolated(streams), averaging.evaluation_weights(self._model, self._optimizer, ()):
                self._model.eval()
                batch = self._fetched(num_rows)
                for module in self._model.modules() if self._count > 1 else ():
                    if isinstance(module, nn.modules.batchnorm._BatchNorm):
                        module.train()
                found = self._objective(self._model, batch, self._count)
                return float(found.plain)
        finally:
            for buffer, before in buffers:
                buffer.copy_(before)
            for module, mode in modes:
                module.training = mode

    def _fetched(self, count: int) -> Any:
        """The first ``count`` of the drawn rows, kept for the next time."""
        if self._count != count:
            loader = open_loader(self._drawn(count), seed=0, plan=lambda _: 0, device=self._device, is_shuffled=False)
            self._batch, self._count = loader.batch(0, count)[0], count
        return self._batch

    def _drawn(self, count: int) -> Rows:
        """So many rows, at random; of a stream, its first ones."""
        if isinstance(self._rows, StreamRows):
            return first(self._rows, count)
        drawn = torch.from_numpy(seeds.stream(0, "fixed rows").permutation(len(self._rows))[:count])
        if isinstance(self._rows, SparseRows):
            return self._rows.part(drawn)
        if isinstance(self._rows, TensorRows):
            return TensorRows(*(values[drawn.to(values.device)] for values in self._rows.tensors))
        return DatasetRows(Subset(self._rows.dataset, drawn.tolist()))
