"""Steps with Keras on JAX: pure functions of all variables, compiled once for every batch size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import keras
import numpy as np
import numpy.typing as npt

from surefoot.integrations.keras.network import Network
from surefoot.integrations.keras.rows import Part

__all__ = ["JaxSteps"]

Arrays = list[Any]


class JaxSteps:
    """``Steps`` on JAX.

    Args:
        network: what is trained.
        train: the training rows.
    """

    def __init__(self, network: Network, train: Part) -> None:
        self._network = network
        self._data = train.kept(_as_arrays)
        self._settings = network.optimizer.variables
        self._whole = jax.jit(self._stepped)
        self._part = jax.jit(self._differentiated)
        self._step = jax.jit(self._applied)
        self._look = jax.jit(self._measured, static_argnames="training")

    def run(
        self, rows: npt.NDArray[np.int64], sizes: Sequence[int], knobs: npt.NDArray[np.float64], limit: float
    ) -> npt.NDArray[np.float64]:
        """Several steps; the loss before each, of as many as ran."""
        losses, start, network = list[float](), 0, self._network
        state = tuple(map(_values, (network.trainable, network.others, self._settings)))
        for size, line in zip(sizes, knobs, strict=True):
            plain, state = self._whole(state, self._data, rows[start : start + size], line)
            losses.append(float(plain))
            start += size
            if not (np.isfinite(losses[-1]) and losses[-1] <= limit):
                break
        for variables, values in zip((network.trainable, network.others, self._settings), state, strict=True):
            _assign(variables, values)
        return np.array(losses)

    def gradient(self, rows: npt.NDArray[np.int64], *, share: float, penalty_share: float) -> tuple[float, Arrays]:
        """The loss of a part of a batch, and its share of the gradient."""
        trainable, others = _values(self._network.trainable), _values(self._network.others)
        (_, (plain, moved)), gradients = self._part(trainable, others, self._data, rows, share, penalty_share)
        _assign(self._network.others, moved)
        return float(plain), gradients

    def apply(self, gradients: Sequence[Any], knobs: Sequence[float]) -> None:
        """One step with gradients that were added up."""
        trainable, settings = self._step(
            _values(self._network.trainable), _values(self._settings), list(gradients), np.asarray(knobs)
        )
        _assign(self._network.trainable, trainable)
        _assign(self._settings, settings)

    def measure(self, part: Part, *, training: bool) -> tuple[float, Any]:
        """The mean loss of rows, and the model's outputs as arrays."""
        trainable, others = _values(self._network.trainable), _values(self._network.others)
        plain, outputs = self._look(trainable, others, part.arrays, training=training)
        return float(plain), keras.tree.map_structure(np.asarray, outputs)

    def _stepped(self, state: tuple[Arrays, Arrays, Arrays], data: Any, rows: Any, knobs: Any) -> tuple[Any, Any]:
        trainable, others, settings = state
        (_, (plain, moved)), gradients = self._differentiated(trainable, others, data, rows, 1.0, 1.0)
        trainable, settings = self._applied(trainable, settings, gradients, knobs)
        return plain, (trainable, moved, settings)

    def _differentiated(
        self, trainable: Arrays, others: Arrays, data: Any, rows: Any, share: Any, penalty_share: Any
    ) -> Any:
        batch = keras.tree.map_structure(lambda values: values[rows], data)

        def loss(values: Arrays) -> tuple[Any, tuple[Any, Arrays]]:
            with self._scope(values, others) as scope:
                plain, penalty, _ = self._network.forward(batch, training=True)
            moved = [scope.get_current_value(one) for one in self._network.others]
            return share * plain + penalty_share * penalty, (plain, moved)

        return jax.value_and_grad(loss, has_aux=True)(trainable)

    def _applied(self, trainable: Arrays, settings: Arrays, gradients: Arrays, knobs: Any) -> tuple[Arrays, Arrays]:
        variables = [*self._network.trainable, *self._settings]
        mapping = list(zip(variables, [*trainable, *settings], strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            self._network.apply(gradients, list(knobs))
        values = [scope.get_current_value(one) for one in variables]
        return values[: len(trainable)], values[len(trainable) :]

    def _measured(self, trainable: Arrays, others: Arrays, batch: Any, *, training: bool) -> tuple[Any, Any]:
        with self._scope(trainable, others):
            plain, _, outputs = self._network.forward(batch, training=training)
        return plain, outputs

    def _scope(self, trainable: Arrays, others: Arrays) -> Any:
        variables = [*self._network.trainable, *self._network.others]
        mapping = list(zip(variables, [*trainable, *others], strict=True))
        return keras.StatelessScope(state_mapping=mapping, collect_losses=True)


def _as_arrays(part: Part) -> Any:
    return keras.tree.map_structure(jax.numpy.asarray, part.arrays)


def _values(variables: Sequence[Any]) -> Arrays:
    return [variable.value for variable in variables]


def _assign(variables: Sequence[Any], values: Arrays) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
