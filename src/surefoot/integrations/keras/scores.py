"""A model's outputs as scores and as losses of single rows, for losses that have a name."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from surefoot.integrations.keras.compiled import CompiledLoss

__all__ = ["any_label", "as_scores", "row_losses"]

# Keras holds probabilities away from 0 and 1 by it before it takes a logarithm.
FUZZ = 1e-7
Array = npt.NDArray[Any]


def as_scores(loss: CompiledLoss, outputs: Array) -> Array:
    """Outputs as scores, whose softmax or logistic function is the probability; others as they are.

    >>> as_scores(CompiledLoss("binary_cross_entropy"), np.array([0.5])).tolist()
    [0.0]
    """
    if loss.from_logits or loss.name not in {"cross_entropy", "binary_cross_entropy"}:
        return outputs
    shares = np.clip(outputs.astype(np.float64), FUZZ, 1.0 - FUZZ)
    if loss.name == "binary_cross_entropy":
        return np.asarray(np.log(shares) - np.log1p(-shares))
    return np.asarray(np.log(shares))


def row_losses(loss: CompiledLoss, outputs: Array, targets: Array) -> Array | None:
    """The loss of every row; None for a loss that is not known."""
    count = len(outputs)
    if loss.name == "cross_entropy":
        logs = _log_softmax(as_scores(loss, outputs).astype(np.float64))
        if loss.is_sparse:
            found = -np.take_along_axis(logs, targets.astype(np.int64).reshape((*logs.shape[:-1], 1)), axis=-1)
        else:
            found = -(targets * logs).sum(axis=-1)
    elif loss.name == "binary_cross_entropy":
        scores = as_scores(loss, outputs).astype(np.float64)
        found = np.logaddexp(0.0, scores) - targets.reshape(scores.shape) * scores
    elif loss.name in {"mean_squared_error", "mean_absolute"}:
        apart = outputs.astype(np.float64).reshape(count, -1) - targets.reshape(count, -1)
        found = apart**2 if loss.name == "mean_squared_error" else np.abs(apart)
    else:
        return None
    return np.asarray(found.reshape(count, -1).mean(axis=1))


def any_label(loss: CompiledLoss, outputs: Array, targets: Array) -> float | None:
    """The sum over rows of the loss that they would have in the mean over all labels; None where that is not known."""
    scores = as_scores(loss, outputs).astype(np.float64)
    if loss.name == "binary_cross_entropy" and outputs.size == len(outputs):
        return float(0.5 * (np.logaddexp(0.0, scores) + np.logaddexp(0.0, -scores)).sum())
    if loss.name == "cross_entropy" and outputs.ndim == 2 and len(targets) == len(outputs):
        return float(-_log_softmax(scores).mean(axis=1).sum())
    return None


def _log_softmax(scores: Array) -> Array:
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))
