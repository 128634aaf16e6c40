"""Steps with Keras on PyTorch: one after the other, as PyTorch takes them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import torch

from surefoot.integrations.keras.network import Network
from surefoot.integrations.keras.rows import Part

__all__ = ["TorchSteps"]


class TorchSteps:
    """``Steps`` on PyTorch.

    Args:
        network: what is trained.
        train: the training rows.
    """

    def __init__(self, network: Network, train: Part) -> None:
        self._network = network
        self._data = train.kept(_as_tensors)
        self._device = keras.tree.flatten(self._data)[0].device

    def run(
        self, rows: npt.NDArray[np.int64], sizes: Sequence[int], knobs: npt.NDArray[np.float64], limit: float
    ) -> npt.NDArray[np.float64]:
        """Several steps; the loss before each, of as many as ran."""
        losses, start = list[float](), 0
        for size, line in zip(sizes, knobs.tolist(), strict=True):
            plain, gradients = self.gradient(rows[start : start + size], share=1.0, penalty_share=1.0)
            self.apply(gradients, line)
            losses.append(plain)
            start += size
            if not (np.isfinite(plain) and plain <= limit):
                break
        return np.array(losses)

    def gradient(self, rows: npt.NDArray[np.int64], *, share: float, penalty_share: float) -> tuple[float, list[Any]]:
        """The loss of a part of a batch, and its share of the gradient."""
        index = torch.as_tensor(rows, device=self._device)
        batch = keras.tree.map_structure(lambda values: values.index_select(0, index), self._data)
        values = [variable.value for variable in self._network.trainable]
        for value in values:
            value.grad = None
        with self._drawing():
            plain, penalty, _ = self._network.forward(batch, training=True)
        (share * plain + penalty_share * penalty).backward()
        return float(plain.detach()), [value.grad for value in values]

    @torch.no_grad()
    def apply(self, gradients: Sequence[Any], knobs: Sequence[float]) -> None:
        """One step with gradients that were added up."""
        self._network.apply(gradients, knobs)

    @torch.no_grad()
    def measure(self, part: Part, *, training: bool) -> tuple[float, Any]:
        """The mean loss of rows, and the model's outputs as arrays."""
        with self._drawing():
            plain, _, outputs = self._network.forward(_as_tensors(part), training=training)
        return float(plain), keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)

    @contextlib.contextmanager
    def _drawing(self) -> Iterator[None]:
        """A block in which PyTorch's own stream, which Keras's Dropout draws from, is at the run's next place."""
        devices = [] if self._device.type == "cpu" else [self._device]
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(int(sum(self._network.draws.next())))
            yield


def _as_tensors(part: Part) -> Any:
    return keras.tree.map_structure(keras.ops.convert_to_tensor, part.arrays)
