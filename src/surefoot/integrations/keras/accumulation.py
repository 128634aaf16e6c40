"""Batches larger than memory: micro-batches whose gradients add up to exactly the batch's.

Keras's ``gradient_accumulation_steps`` is something else. It averages the gradients of k batches as if they had equally
many rows; what an epoch leaves over goes into the first step of the next, and what the training leaves over is lost
(keras/src/optimizers/base_optimizer.py of 3.15, ``_backend_apply_gradients``). Here every part counts by its rows, and
a step never waits for another batch.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import keras

from surefoot.errors import RequestError

__all__ = ["Accumulating", "micro_batches", "split"]


def micro_batches(batch: Any, size: int) -> Iterator[tuple[Any, float]]:
    """The parts of a batch, each with its share of the rows, for a loop of one's own.

    Multiply a part's mean loss by its share and add the gradients up: the sum is the gradient of the whole batch::

        for (inputs, targets), share in micro_batches((inputs, targets), 32):
            with tf.GradientTape() as tape:
                value = share * loss(targets, model(inputs, training=True))
            parts.append(tape.gradient(value, model.trainable_variables))
        optimizer.apply([sum(each) for each in zip(*parts)], model.trainable_variables)

    Args:
        batch: arrays or tensors of equal length, or nested tuples and tables of them.
        size: rows of a part at most, at least 1.

    >>> import numpy as np
    >>> [(len(part), share) for part, share in micro_batches(np.arange(5), 2)]
    [(2, 0.4), (2, 0.4), (1, 0.2)]
    """
    _require_size(size)
    rows = int(keras.tree.flatten(batch)[0].shape[0])
    for begin in range(0, rows, size):
        count = min(size, rows - begin)
        yield keras.tree.map_structure(lambda values, at=begin, n=count: values[at : at + n], batch), count / rows


@keras.saving.register_keras_serializable(package="surefoot")
class Accumulating(keras.Model):  # type: ignore[misc] # Keras has no types
    """A model that takes every step of ``fit`` in micro-batches, with the gradient of the whole batch.

    Compile and fit it in place of the model inside, whose weights are trained; afterwards that one is used as ever.
    Batch normalisation sees the micro-batches, as it must, and so do layers that draw at random. The loss has to be a
    mean over rows, Keras's default.

    Args:
        model: built or not.
        micro_batch: rows that go through it at once, at least 1.
        **keras_arguments: ``name`` and others that every model of Keras takes.

    >>> model = Accumulating(keras.Sequential([keras.layers.Dense(1)]), micro_batch=32)
    >>> model.compile("sgd", loss="mse")
    """

    def __init__(self, model: Any, *, micro_batch: int, **keras_arguments: Any) -> None:
        super().__init__(**keras_arguments)
        _require_size(micro_batch)
        self.inner, self.micro_batch = model, micro_batch
        # parts of two sizes in one loop are nothing that TensorFlow's compiler can do
        self.supports_jit = keras.config.backend() != "tensorflow"

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """What the model inside answers."""
        return self.inner(inputs, training=training)

    def train_step(self, *arguments: Any) -> Any:
        """A step on one batch, part by part; what it is called with is the backend's affair.

        Raises:
            RequestError: the loss is no mean over rows.
        """
        for one in keras.tree.flatten(self.loss):
            reduction = getattr(one, "reduction", "sum_over_batch_size")
            if reduction != "sum_over_batch_size":
                raise RequestError(f'the loss has reduction="{reduction}"; shares of rows need "sum_over_batch_size"')
        steps = importlib.import_module(f"surefoot.integrations.keras.accumulating_{keras.config.backend()}")
        return steps.train_step(self, *arguments)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        inner = keras.saving.serialize_keras_object(self.inner)
        return {**super().get_config(), "model": inner, "micro_batch": self.micro_batch}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Accumulating:
        """The model that ``get_config`` described."""
        inner = keras.saving.deserialize_keras_object(config.pop("model"), custom_objects=custom_objects)
        return cls(inner, **config)


def split(data: Any) -> tuple[Any, Any]:
    """Inputs, targets and weights of what ``fit`` hands a step, and the first array of them."""
    parts = keras.utils.unpack_x_y_sample_weight(data)
    return parts, next(one for one in keras.tree.flatten(parts[0]) if one is not None)


def _require_size(size: Any) -> None:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise RequestError(f"micro_batch must be a whole number of at least 1, not {size!r}")
