"""Whether a task's targets are what its loss can take, told in one line before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from surefoot.engine.losses import CLASSIFICATION, IGNORED, is_one_column
from surefoot.engine.rows.data import Rows, SparseRows, TensorRows
from surefoot.errors import TaskError
from surefoot.protocols import Split

__all__ = ["check_labels"]

# The losses of one output an element, and the values that their targets may have.
_TARGETS = {"binary_cross_entropy": (0.0, 1.0), "poisson": (0.0, math.inf)}


def check_labels(loss: str, parts: Mapping[Split, Rows], output_of: Callable[[Tensor], Any]) -> None:
    """Raise when a target has no output of its own, or is not a value that the loss can take.

    Args:
        loss: its name; one that takes any number, or a user's own, is not looked at.
        parts: the rows; datasets are not looked at.
        output_of: the model, for a few input rows.

    Raises:
        TaskError: in one line.
    """
    in_memory = {name: rows for name, rows in parts.items() if isinstance(rows, TensorRows | SparseRows)}
    rows = in_memory.get("train")
    if rows is None or not (loss in CLASSIFICATION or loss in _TARGETS):
        return
    if loss in _TARGETS:
        for name, part in in_memory.items():
            _check_values(name, part.targets, loss)
        return
    if loss == "cross_entropy" and rows.targets.is_floating_point():
        return  # a probability a class
    output = output_of(rows.inputs[:2])
    if not isinstance(output, Tensor):
        return  # the loss says it better
    is_binary = loss != "cross_entropy" and is_one_column(output, rows.targets[:2])
    for name, part in in_memory.items():
        if is_binary:
            _check_binary(name, part.targets, loss)
        else:
            _check_classes(name, part.targets, loss, output)


def _check_values(part: Split, targets: Tensor, loss: str) -> None:
    """Raise when a target is not what a loss of one output an element can take."""
    lowest, highest = _TARGETS[loss]
    low, high = float(targets.min()), float(targets.max())
    if low < lowest or high > highest:
        allowed = f"from {lowest:g} to {highest:g}" if math.isfinite(highest) else f"of at least {lowest:g}"
        raise TaskError(f"{loss} needs targets {allowed}; the {part} targets run from {low:g} to {high:g}")


def _check_binary(part: Split, labels: Tensor, loss: str) -> None:
    """Raise unless the labels for one output an element are 0 and 1."""
    if not bool(((labels == 0) | (labels == 1)).all()):
        raise TaskError(
            f"{loss} with one output a row needs the labels 0 and 1; the {part} labels run from "
            f"{float(labels.min()):g} to {float(labels.max()):g}: give the model an output a class"
        )


def _check_classes(part: Split, labels: Tensor, loss: str, output: Tensor) -> None:
    """Raise unless every label has an output."""
    if output.ndim < 2:
        raise TaskError(f"{loss} needs an output a class; the model's has shape {tuple(output.shape)}")
    if labels.is_floating_point():
        raise TaskError(f"{loss} needs whole-number labels; the {part} labels are of type {labels.dtype}")
    asked = labels[labels != IGNORED] if labels.ndim > 1 else labels
    if not asked.numel():
        return
    low, high, classes = int(asked.min()), int(asked.max()), output.shape[1]
    if low < 0 or high >= classes:
        raise TaskError(
            f"the {part} labels run from {low} to {high}, but the model has {classes} outputs; "
            f'labels must lie in 0 to {classes - 1} (to predict numbers, give loss="mean_squared_error")'
        )
