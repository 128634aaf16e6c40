"""How far a look at a part of the data can be trusted, gathered batch by batch beside its metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from surefoot.engine.losses import CLASSIFICATION, LOSSES, NamedLoss, aligned, is_one_column
from surefoot.protocols import Certainty

__all__ = ["Doubts"]


class Doubts:
    """Sums over batches that say how sure the mean loss and the accuracy are.

    Args:
        loss: the loss that is reported, None for a user's own, of which only the number of rows is known.
    """

    def __init__(self, loss: NamedLoss | None) -> None:
        self._loss = loss
        self._rows = 0
        self._sum = self._squares = self._any = 0.0
        self._knows_any = loss is not None

    def add(self, output: Tensor, target: Tensor) -> None:
        """Count a batch's rows."""
        self._rows += len(target)
        if self._loss is None:
            return
        losses = LOSSES[self._loss.name](self._loss, output, target, "none").double()
        losses = losses.reshape(len(target), -1).mean(dim=1)
        self._sum += float(losses.sum())
        self._squares += float((losses**2).sum())
        any_label = _any_label(self._loss.name, output, target)
        self._knows_any &= any_label is not None
        self._any += any_label or 0.0

    def share(self) -> tuple[int, float, float, float, bool]:
        """What was counted here, for who counts the rest."""
        return self._rows, self._sum, self._squares, self._any, self._knows_any

    def take(self, shares: Sequence[tuple[int, float, float, float, bool]]) -> None:
        """Count what is in these shares of the rows and nothing else."""
        rows, sums, squares, anys, knows = zip(*shares, strict=True)
        self._rows, self._sum, self._squares, self._any = sum(rows), sum(sums), sum(squares), sum(anys)
        self._knows_any = all(knows)

    def certainty(self, accuracy: float | None) -> Certainty | None:
        """What the batches came to; None without rows.

        Args:
            accuracy: of the same rows, where there is one.
        """
        rows = self._rows
        if not rows:
            return None
        errors = {}
        if self._loss is not None and rows > 1:
            mean = self._sum / rows
            variance = max(self._squares / rows - mean**2, 0.0) * rows / (rows - 1)
            errors["loss"] = math.sqrt(variance / rows)
        if accuracy is not None and math.isfinite(accuracy):
            errors["accuracy"] = math.sqrt(accuracy * (1.0 - accuracy) / rows)
        return Certainty(rows, errors, self._any / rows if self._knows_any else None)


def _any_label(name: str, output: Tensor, target: Tensor) -> float | None:
    """The sum over rows of the loss that they would have in the mean over all labels; None where that is not known."""
    if name not in CLASSIFICATION:
        return None
    if name == "binary_cross_entropy" and is_one_column(output, target):
        logits = aligned(output, target)[0].double()
        return float(0.5 * (functional.softplus(logits) + functional.softplus(-logits)).sum())
    if name == "cross_entropy" and output.ndim == 2 and target.ndim == 1:
        scores = output.double()
        return float((torch.logsumexp(scores, dim=1) - scores.mean(dim=1)).sum())
    return None
