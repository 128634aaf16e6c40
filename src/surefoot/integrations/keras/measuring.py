"""What a look at a part of the data measures: the loss, and beside it what the loss and the compile ask for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from surefoot.integrations.keras.compiled import CompiledLoss
from surefoot.integrations.keras.network import Network
from surefoot.integrations.keras.rows import Part
from surefoot.integrations.keras.scores import any_label, row_losses
from surefoot.integrations.keras.steps import Steps, is_out_of_memory
from surefoot.protocols import Certainty

__all__ = ["Measured", "measure"]

EVALUATION_BATCH = 1024
_REGRESSION = ("mean_squared_error", "mean_absolute", "huber")
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Measured:
    """A look.

    Attributes:
        metrics: by name, without the part.
        certainty: how far they can be trusted.
    """

    metrics: dict[str, float]
    certainty: Certainty


def measure(
    network: Network, steps: Steps, part: Part, *, target_scale: float, score: tuple[str, Callable[..., Any]] | None
) -> Measured:
    """Look at every row of a part once, dropout off, in batches that fit in memory; nothing is changed by it.

    Args:
        network: what is looked at.
        steps: of it.
        part: the rows.
        target_scale: the unit of a standardised regression target.
        score: a name and a ``score(output, target)`` of one's own.
    """
    size = EVALUATION_BATCH
    while True:
        try:
            return _measured(network, steps, part, size, target_scale=target_scale, score=score)
        except Exception as error:
            if size == 1 or not is_out_of_memory(error):
                raise
        size //= 2


def _measured(
    network: Network,
    steps: Steps,
    part: Part,
    size: int,
    *,
    target_scale: float,
    score: tuple[str, Callable[..., Any]] | None,
) -> Measured:
    sums, kept = _Sums(network.loss), list[tuple[Any, Any]]()
    own = network.own_metrics
    if own:
        network.model.reset_metrics()
    for start in range(0, len(part), size):
        rows = part if len(part) <= size else part.take(slice(start, start + size))
        loss, outputs = steps.measure(rows, training=False)
        sums.add(loss, outputs, rows)
        if own:
            network.model.compute_metrics(rows.inputs, rows.targets, outputs, sample_weight=rows.weights)
        if score is not None:
            kept.append((outputs, rows.targets))
    metrics = sums.metrics(target_scale)
    if own:
        found = network.model.get_metrics_result()
        metrics |= {name: float(found[name]) for name in own}
        network.model.reset_metrics()
    if score is not None:
        name, function = score
        outputs, targets = (np.concatenate(values) for values in zip(*kept, strict=True))
        metrics[name] = float(function(outputs, targets))
    return Measured(metrics, sums.certainty(metrics.get("accuracy")))


@dataclass
class _Sums:
    """Sums over batches that become metrics."""

    loss: CompiledLoss
    rows: int = 0
    weight: float = 0.0
    loss_sum: float = 0.0
    count: float = 0.0
    correct: float = 0.0
    squares: float = 0.0
    target_sum: float = 0.0
    target_squares: float = 0.0
    row_sum: float = 0.0
    row_squares: float = 0.0
    any_label: float | None = 0.0
    knows_rows: bool = field(default=True)

    def add(self, loss: float, outputs: Any, rows: Part) -> None:
        """Count a batch."""
        share = (
            float(len(rows)) if rows.weights is None or not self.loss.is_weighted_mean else float(rows.weights.sum())
        )
        self.rows += len(rows)
        self.weight += share
        self.loss_sum += loss if self.loss.is_sum else loss * share
        if keras.tree.is_nested(outputs) or keras.tree.is_nested(rows.targets):
            self.any_label, self.knows_rows = None, False
            return
        weights = np.ones(len(rows)) if rows.weights is None else rows.weights.astype(np.float64)
        if self.loss.name in _REGRESSION:
            self._add_numbers(outputs, rows.targets, weights)
        elif self.loss.name != "custom":
            self._add_classes(outputs, rows.targets, weights)
        self._add_doubts(outputs, rows.targets)

    def _add_classes(self, outputs: Array, targets: Array, weights: Array) -> None:
        if self.loss.name == "cross_entropy":
            predicted = outputs.argmax(axis=-1)
            actual = targets if self.loss.is_sparse else targets.argmax(axis=-1)
        else:
            predicted = outputs > (0.0 if self.loss.from_logits else 0.5)
            actual = targets > 0.5
        right = predicted.reshape(len(outputs), -1) == actual.reshape(len(outputs), -1)
        self.correct += float(right.sum(axis=1) @ weights)
        self.count += float(right.shape[1] * weights.sum())

    def _add_numbers(self, outputs: Array, targets: Array, weights: Array) -> None:
        output = outputs.astype(np.float64).reshape(len(outputs), -1)
        target = targets.astype(np.float64).reshape(len(outputs), -1)
        self.squares += float(((output - target) ** 2).sum(axis=1) @ weights)
        self.target_sum += float(target.sum(axis=1) @ weights)
        self.target_squares += float((target**2).sum(axis=1) @ weights)
        self.count += float(target.shape[1] * weights.sum())

    def _add_doubts(self, outputs: Array, targets: Array) -> None:
        losses = row_losses(self.loss, outputs, targets)
        if losses is None:
            self.knows_rows = False
        else:
            self.row_sum += float(losses.sum())
            self.row_squares += float((losses**2).sum())
        found = any_label(self.loss, outputs, targets)
        self.any_label = None if found is None or self.any_label is None else self.any_label + found

    def metrics(self, target_scale: float) -> dict[str, float]:
        """What was counted, by name."""
        found = {"loss": self.loss_sum / self.weight if self.weight else math.nan}
        if self.loss.name in _REGRESSION and self.count:
            spread = self.target_squares - self.target_sum**2 / self.count
            found["r2"] = 1.0 - self.squares / spread if spread > 0 else math.nan
            found["rmse"] = math.sqrt(self.squares / self.count) * target_scale
        elif self.count:
            found["accuracy"] = self.correct / self.count
        return found

    def certainty(self, accuracy: float | None) -> Certainty:
        """How far the mean loss and the accuracy can be trusted."""
        errors, rows = {}, self.rows
        if self.knows_rows and rows > 1:
            mean = self.row_sum / rows
            variance = max(self.row_squares / rows - mean**2, 0.0) * rows / (rows - 1)
            errors["loss"] = math.sqrt(variance / rows)
        if accuracy is not None and math.isfinite(accuracy):
            errors["accuracy"] = math.sqrt(accuracy * (1.0 - accuracy) / rows)
        return Certainty(rows, errors, None if self.any_label is None else self.any_label / rows)
