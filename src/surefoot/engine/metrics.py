"""What an evaluation measures, gathered batch by batch so that large outputs are never held together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from surefoot.engine.losses import CLASSIFICATION, REGRESSION, aligned, is_one_column

__all__ = ["Gathering"]


_SUMS = ("_weight", "_loss_sum", "_count", "_correct", "_squares", "_target_sum", "_target_squares")

# The label that PyTorch's cross-entropy leaves out.
IGNORED = -100


class Gathering:
    """Sums over batches that become metrics at the end.

    Args:
        loss: the loss's name, which decides the metrics beside it: accuracy for classification; r2 and the root of
            the mean squared error in the target's own unit for regression; none for a user's own loss.
        target_scale: the unit of a standardised regression target.
        score: a user's own ``score(output, target)`` over all rows, and its name.
    """

    def __init__(self, loss: str, *, target_scale: float, score: tuple[str, Callable[[Any, Any], Any]] | None) -> None:
        self._loss, self._target_scale, self._score = loss, target_scale, score
        self._weight = self._loss_sum = self._count = self._correct = 0.0
        self._squares = self._target_sum = self._target_squares = 0.0
        self._kept: list[tuple[Tensor, Tensor]] = []

    def add_loss(self, loss: float, weight: float) -> None:
        """Count a batch's mean loss with its weight."""
        if weight:  # the mean over nothing is not a number
            self._loss_sum += loss * weight
            self._weight += weight

    def add_output(self, output: Tensor, target: Tensor, weights: Tensor | None = None) -> None:
        """Count a batch's predictions; a row of weight 2 counts as the row there twice, except in a user's score."""
        if self._score:
            self._kept.append((output.cpu(), target.cpu()))
        if self._loss in CLASSIFICATION:
            by_class = self._loss == "cross_entropy" or not is_one_column(output, target)
            if by_class and target.shape == output.shape:
                target = target.argmax(dim=1)  # a probability a class
            predicted = output.argmax(dim=1) if by_class else (output > 0).reshape(target.shape)
            counted = (target != IGNORED).double()
            self._correct += _total((predicted == target).double() * counted, weights)
            self._count += _total(counted, weights)
        elif self._loss in REGRESSION:
            output = output.double().exp() if self._loss == "poisson" else output.double()
            output, target = aligned(output, target.double())
            self._squares += _total((output - target) ** 2, weights)
            self._target_sum += _total(target, weights)
            self._target_squares += _total(target**2, weights)
            self._count += _total(torch.ones_like(target), weights)

    def share(self) -> tuple[dict[str, float], list[tuple[Tensor, Tensor]]]:
        """What was counted here, for who counts the rest."""
        return {name: getattr(self, name) for name in _SUMS}, self._kept

    def take(self, shares: Sequence[tuple[dict[str, float], list[tuple[Tensor, Tensor]]]]) -> None:
        """Count what is in these shares of the rows, given in their order, and nothing else."""
        for name in _SUMS:
            setattr(self, name, sum(sums[name] for sums, _ in shares))
        self._kept = [pair for _, kept in shares for pair in kept]

    def metrics(self) -> dict[str, float]:
        """The metrics of everything counted so far, named without the part of the data."""
        found = {"loss": self._loss_sum / self._weight if self._weight else math.nan}
        if self._loss in CLASSIFICATION:
            found["accuracy"] = self._correct / self._count if self._count else math.nan
        elif self._count:
            spread = self._target_squares - self._target_sum**2 / self._count
            found["r2"] = 1.0 - self._squares / spread if spread > 0 else math.nan
            found["rmse"] = math.sqrt(self._squares / self._count) * self._target_scale
        if self._score:
            name, function = self._score
            outputs, targets = zip(*self._kept, strict=True)
            found[name] = float(function(torch.cat(outputs), torch.cat(targets)))
        return found


def _total(values: Tensor, weights: Tensor | None) -> float:
    """The sum over a batch, each row times its weight."""
    if weights is None:
        return float(values.sum())
    return float((values.flatten(1).sum(dim=1) if values.ndim > 1 else values) @ weights.to(values.dtype))
