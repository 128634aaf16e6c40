"""A step in micro-batches on JAX, where the parts are written out one after the other in the compiled step."""

from __future__ import annotations

from typing import Any

import jax
import keras

from surefoot.integrations.keras.accumulation import split

__all__ = ["train_step"]


def train_step(model: Any, state: tuple[Any, ...], data: Any) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """One step of the optimizer on the gradients of all parts; the metrics so far, and the state after it."""
    trainable, other, optimizer, metrics = state
    parts, first = split(data)
    rows, total, logs = first.shape[0], None, dict[str, Any]()
    gradient_of = jax.value_and_grad(model.compute_loss_and_updates, has_aux=True)
    for begin in range(0, rows, model.micro_batch):
        end = min(begin + model.micro_batch, rows)
        inputs, targets, shares = keras.tree.map_structure(
            lambda values, at=begin, to=end: None if values is None else values[at:to], parts
        )
        (_, (loss, outputs, other, metrics)), gradients = gradient_of(
            trainable, other, metrics, inputs, targets, shares, training=True, optimizer_variables=optimizer
        )
        logs, metrics = model._update_metrics_variables(metrics, loss, inputs, targets, outputs, shares)
        share = (end - begin) / rows
        weighted = [share * one for one in gradients]
        total = weighted if total is None else [sum_ + one for sum_, one in zip(total, weighted, strict=True)]
    trainable, optimizer = model.optimizer.stateless_apply(optimizer, total, trainable)
    return logs, (trainable, other, optimizer, metrics)
