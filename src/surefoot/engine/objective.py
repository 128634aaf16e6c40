"""The loss of a batch, whichever way the task gives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from surefoot.engine.losses import LOSSES
from surefoot.errors import TaskError
from surefoot.protocols import Problem
from surefoot.recipe import Recipe

__all__ = ["BatchLoss", "Objective", "loss_name", "to_device", "weights_of"]


@dataclass(frozen=True)
class BatchLoss:
    """What a batch gave.

    Attributes:
        training: the scalar to descend: smoothing in, penalties not yet.
        plain: the same without smoothing, to be reported.
        weight: what it is a mean over; samples unless the task's step says otherwise.
        output: the model's output, None where the task's step keeps it to itself.
        target: the batch's targets, likewise.
    """

    training: Tensor
    plain: Tensor
    weight: float
    output: Tensor | None = None
    target: Tensor | None = None


@dataclass(frozen=True)
class Objective:
    """Computes the loss of a batch under a recipe."""

    loss: str | Callable[[Any, Any], Any] | None
    step: Callable[[Any, Any], Any] | None
    label_smoothing: float

    @classmethod
    def of(cls, problem: Problem, recipe: Recipe) -> Objective:
        """The objective of a task; a recipe may name another loss."""
        return cls(recipe.loss.name or problem.loss, problem.step, recipe.loss.label_smoothing)

    def __call__(self, model: nn.Module, batch: Any, num_samples: int) -> BatchLoss:
        """The loss of a batch, a mean over its samples."""
        if self.step is not None:
            return self._from_step(model, batch, num_samples)
        inputs, target, *_ = batch
        output = model(inputs)
        if not isinstance(output, Tensor) and isinstance(self.loss, str):
            raise TaskError(
                f'the model returned {type(output).__name__}; the loss "{self.loss}" needs a tensor: '
                "give a loss(output, target) or a step(model, batch) of your own"
            )
        if callable(self.loss):
            loss = _scalar(self.loss(output, target), "the loss")
            return BatchLoss(loss, loss, num_samples, output, target)
        function = LOSSES[str(self.loss)]
        plain = function(output, target, 0.0)
        training = function(output, target, self.label_smoothing) if self.label_smoothing else plain
        return BatchLoss(training, plain, num_samples, output, target)

    def _from_step(self, model: nn.Module, batch: Any, num_samples: int) -> BatchLoss:
        assert self.step is not None
        returned = self.step(model, batch)
        loss, weight = returned if isinstance(returned, tuple) else (returned, num_samples)
        scalar = _scalar(loss, "step")
        return BatchLoss(scalar, scalar, float(weight))


def loss_name(problem: Problem, recipe: Recipe) -> str:
    """The loss's name, or "custom" for a user's own."""
    chosen = recipe.loss.name or problem.loss
    return chosen if isinstance(chosen, str) and problem.step is None else "custom"


def weights_of(batch: Any) -> Tensor | None:
    """The sample weights of a batch: its third part, where it has one."""
    return batch[2] if isinstance(batch, tuple | list) and len(batch) == 3 else None


def to_device(batch: Any, device: torch.device) -> Any:
    """The batch with every tensor in it on ``device``."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {key: to_device(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(to_device(value, device) for value in batch))
    if isinstance(batch, list | tuple):
        return type(batch)(to_device(value, device) for value in batch)
    return batch


def _scalar(loss: Any, name: str) -> Tensor:
    if not isinstance(loss, Tensor):
        raise TaskError(f"{name} must return a scalar tensor, not {type(loss).__name__}")
    if loss.numel() != 1:
        raise TaskError(
            f"{name} must return a scalar, not a tensor of shape {tuple(loss.shape)}; average it, for instance"
        )
    return loss.reshape(())
