"""Losses by name: ``loss(output, target, label_smoothing) -> scalar``, the mean over the batch."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from surefoot.errors import TaskError

__all__ = ["CLASSIFICATION", "LOSSES", "aligned"]

CLASSIFICATION = frozenset({"cross_entropy", "binary_cross_entropy"})


def cross_entropy(output: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """−log softmax(output)[target]; output (batch, classes, ...), target whole numbers (batch, ...)."""
    return functional.cross_entropy(output, target, label_smoothing=label_smoothing)


def binary_cross_entropy(output: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The same for one output a row, a logit; target 0 or 1."""
    output, target = aligned(output, target.to(output.dtype))
    smoothed = target * (1.0 - label_smoothing) + 0.5 * label_smoothing
    return functional.binary_cross_entropy_with_logits(output, smoothed)


def mean_squared_error(output: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """(output − target)², averaged."""
    del label_smoothing
    return functional.mse_loss(*aligned(output, target.to(output.dtype)))


def mean_absolute(output: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """|output − target|, averaged."""
    del label_smoothing
    return functional.l1_loss(*aligned(output, target.to(output.dtype)))


def huber(output: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Squared below an error of 1, absolute above, averaged."""
    del label_smoothing
    return functional.huber_loss(*aligned(output, target.to(output.dtype)))


LOSSES: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "mean_squared_error": mean_squared_error,
    "mean_absolute": mean_absolute,
    "huber": huber,
}


def aligned(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one shape; a trailing dimension of one is dropped.

    PyTorch would broadcast (batch, 1) against (batch,) to (batch, batch) and train on nonsense.
    """
    if output.shape == target.shape:
        return output, target
    if output.shape == (*target.shape, 1):
        return output.squeeze(-1), target
    if target.shape == (*output.shape, 1):
        return output, target.squeeze(-1)
    raise TaskError(
        f"the model's output has shape {tuple(output.shape)} and the target {tuple(target.shape)}; "
        "they must agree but for a last dimension of one"
    )
