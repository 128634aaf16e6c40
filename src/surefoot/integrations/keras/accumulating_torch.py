"""A step in micro-batches with Keras on PyTorch, whose gradients add themselves up."""

from __future__ import annotations

from typing import Any

import keras
import torch

from surefoot.integrations.keras.accumulation import split

__all__ = ["train_step"]


def train_step(model: Any, data: Any) -> dict[str, Any]:
    """One step of the optimizer on the gradients of all parts; the metrics so far."""
    parts, first = split(data)
    rows, weights = len(first), model.trainable_weights
    model.zero_grad()
    for begin in range(0, rows, model.micro_batch):
        end = min(begin + model.micro_batch, rows)
        inputs, targets, shares = keras.tree.map_structure(
            lambda values, at=begin, to=end: None if values is None else values[at:to], parts
        )
        outputs = model(inputs, training=True)
        loss = model.compute_loss(inputs, targets, outputs, shares, training=True)
        model._loss_tracker.update_state(loss.detach(), sample_weight=end - begin)
        model.compute_metrics(inputs, targets, outputs, shares)
        model.optimizer.scale_loss(loss * ((end - begin) / rows)).backward()
    with torch.no_grad():
        model.optimizer.apply([weight.value.grad for weight in weights], weights)
    found: dict[str, Any] = model.get_metrics_result()
    return found
