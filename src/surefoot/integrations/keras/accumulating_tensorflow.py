"""A step in micro-batches on TensorFlow, as a loop inside the compiled step."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from surefoot.integrations.keras.accumulation import split

__all__ = ["train_step"]


def train_step(model: Any, data: Any) -> dict[str, Any]:
    """One step of the optimizer on the gradients of all parts; the metrics so far."""
    parts, first = split(data)
    rows, weights = tf.shape(first)[0], model.trainable_weights

    def add(begin: Any, sums: list[Any]) -> tuple[Any, list[Any]]:
        count = tf.minimum(model.micro_batch, rows - begin)
        inputs, targets, shares = keras.tree.map_structure(
            lambda values: None if values is None else values[begin : begin + count], parts
        )
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            loss = model.compute_loss(inputs, targets, outputs, shares, training=True)
            scaled = model.optimizer.scale_loss(loss * tf.cast(count / rows, loss.dtype))
        model._loss_tracker.update_state(loss, sample_weight=count)
        model.compute_metrics(inputs, targets, outputs, shares)
        zeros = tf.UnconnectedGradients.ZERO
        gradients = tape.gradient(scaled, [weight.value for weight in weights], unconnected_gradients=zeros)
        return begin + count, [sum_ + tf.convert_to_tensor(one) for sum_, one in zip(sums, gradients, strict=True)]

    start = (tf.constant(0), [tf.zeros_like(weight.value) for weight in weights])
    _, gradients = tf.while_loop(lambda begin, _: begin < rows, add, start, parallel_iterations=1)
    model.optimizer.apply(gradients, weights)
    found: dict[str, Any] = model.get_metrics_result()
    return found
