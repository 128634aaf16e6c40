"""Steps on TensorFlow: many of them in one call of a function that is traced once, whatever their sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from surefoot.integrations.keras.network import Network
from surefoot.integrations.keras.rows import Part

__all__ = ["TensorFlowSteps"]

# More than this stays in the machine's memory, where there is a smaller device beside it.
MOST_BYTES_ON_DEVICE = 2**30


class TensorFlowSteps:
    """``Steps`` whose rows are gathered inside the traced function.

    Args:
        network: what is trained.
        train: the training rows.
    """

    def __init__(self, network: Network, train: Part) -> None:
        self._network = network
        self._data = train.kept(_as_tensors)
        self._values = [variable.value for variable in network.trainable]
        index, numbers = tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, None], tf.float64)
        number = tf.TensorSpec([], tf.float64)
        self._many = tf.function(self._run, input_signature=[index, index, numbers, number], autograph=False)
        self._part = tf.function(self._gradient, input_signature=[index, number, number], autograph=False)
        self._step = tf.function(network.apply, autograph=False)
        self._look = tf.function(self._measured, autograph=False, reduce_retracing=True)
        # TensorFlow counts traces by the line of code: the networks of a search, each traced once, would make it warn
        for function in (self._many, self._part, self._step, self._look):
            function._omit_frequent_tracing_warning = True

    def run(
        self, rows: npt.NDArray[np.int64], sizes: Sequence[int], knobs: npt.NDArray[np.float64], limit: float
    ) -> npt.NDArray[np.float64]:
        """Several steps; the loss before each, of as many as ran."""
        ends = np.cumsum([0, *sizes])
        losses, count = self._many(rows.astype(np.int32), ends.astype(np.int32), knobs, np.float64(limit))
        found: npt.NDArray[np.float64] = losses.numpy()[: int(count)]
        return found

    def gradient(self, rows: npt.NDArray[np.int64], *, share: float, penalty_share: float) -> tuple[float, list[Any]]:
        """The loss of a part of a batch, and its share of the gradient."""
        loss, gradients = self._part(rows.astype(np.int32), np.float64(share), np.float64(penalty_share))
        return float(loss), list(gradients)

    def apply(self, gradients: Sequence[Any], knobs: Sequence[float]) -> None:
        """One step with gradients that were added up."""
        self._step(list(gradients), [tf.constant(value, tf.float64) for value in knobs])

    def measure(self, part: Part, *, training: bool) -> tuple[float, Any]:
        """The mean loss of rows, and the model's outputs as arrays."""
        loss, outputs = self._look(keras.tree.map_structure(tf.convert_to_tensor, part.arrays), training)
        return float(loss), keras.tree.map_structure(lambda one: one.numpy(), outputs)

    def _run(self, rows: Any, ends: Any, knobs: Any, limit: Any) -> tuple[Any, Any]:
        count = tf.shape(knobs)[0]

        def goes_on(step: Any, is_sound: Any, losses: Any) -> Any:
            del losses
            return tf.logical_and(step < count, is_sound)

        def take(step: Any, is_sound: Any, losses: Any) -> Any:
            del is_sound
            plain, gradients = self._differentiated(rows[ends[step] : ends[step + 1]])
            self._network.apply(gradients, tf.unstack(knobs[step], num=self._network.num_knobs))
            return step + 1, tf.logical_and(tf.math.is_finite(plain), plain <= limit), losses.write(step, plain)

        losses = tf.TensorArray(tf.float64, size=count, element_shape=())
        done, _, losses = tf.while_loop(goes_on, take, [0, True, losses], parallel_iterations=1)
        return losses.stack(), done

    def _differentiated(self, rows: Any, share: Any = None, penalty_share: Any = None) -> tuple[Any, Any]:
        """A batch's loss, and the gradient of it and its penalties."""
        batch = keras.tree.map_structure(lambda values: tf.gather(values, rows), self._data)
        with tf.GradientTape() as tape:
            plain, penalty, _ = self._network.forward(batch, training=True)
            if share is None:
                total = plain + penalty
            else:
                total = tf.cast(share, plain.dtype) * plain + tf.cast(penalty_share, plain.dtype) * penalty
        found = tape.gradient(total, self._values)
        dense = [tf.convert_to_tensor(one) if isinstance(one, tf.IndexedSlices) else one for one in found]
        return tf.cast(plain, tf.float64), dense

    def _gradient(self, rows: Any, share: Any, penalty_share: Any) -> tuple[Any, Any]:
        return self._differentiated(rows, share, penalty_share)

    def _measured(self, batch: Any, training: bool) -> tuple[Any, Any]:
        plain, _, outputs = self._network.forward(batch, training=training)
        return tf.cast(plain, tf.float64), outputs


def _as_tensors(part: Part) -> Any:
    """A part's rows as tensors, on the device where they are few enough."""
    size = sum(values.nbytes for values in keras.tree.flatten(part.arrays))
    if size <= MOST_BYTES_ON_DEVICE:
        return keras.tree.map_structure(tf.constant, part.arrays)
    with tf.device("CPU:0"):
        return keras.tree.map_structure(tf.constant, part.arrays)
