"""Whether rows suit a model, said before Keras says it: the shape of its inputs, the labels of its loss."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from surefoot.errors import TaskError
from surefoot.integrations.keras.compiled import loss_of
from surefoot.integrations.keras.losses import NamedLoss

__all__ = ["require_inputs", "require_targets"]


def require_inputs(model: Any, part: str, inputs: Any) -> None:
    """Raise unless rows have the shape that a model with one input takes.

    Args:
        model: one that does not say its inputs yet takes any.
        part: what the rows are called.
        inputs: the rows; of several inputs Keras says it.

    Raises:
        TaskError: they have another.
    """
    wanted = (getattr(model, "inputs", None) or []) if model.built else []
    if len(wanted) != 1 or keras.tree.is_nested(inputs):
        return
    asked, given = tuple(wanted[0].shape[1:]), inputs.shape[1:]
    is_column = 1 in (*asked[-1:], *given[-1:]) and abs(len(asked) - len(given)) == 1  # Keras adds or drops it
    pairs = zip(asked, given, strict=False)
    if any(one not in {None, other} for one, other in pairs) or (len(asked) != len(given) and not is_column):
        raise TaskError(f"the model takes inputs of shape {asked}, the {part} data has {given}")


def require_targets(model: Any, part: str, targets: Any, outputs: Any) -> None:
    """Raise unless targets are what a classifier's loss takes.

    Args:
        model: compiled; a loss that Surefoot does not know takes any.
        part: what the rows are called.
        targets: of the rows, at least one.
        outputs: of the model, for any number of rows.

    Raises:
        TaskError: class numbers stand where one-hot rows are asked for or the other way round, or there is no output
            for a label.
    """
    loss, own = loss_of(model), model.loss if isinstance(model.loss, NamedLoss) else None
    if keras.tree.is_nested(targets) or keras.tree.is_nested(outputs) or targets.dtype.kind not in "fiub":
        return
    if loss.name == "binary_cross_entropy":
        _require_range(part, targets, 0, 1, "binary_crossentropy needs targets from 0 to 1")
    takes_classes = loss.name == "cross_entropy" if own is None else own.takes_classes
    if len(outputs.shape) < 2 or outputs.shape[-1] == 1 or not takes_classes:
        return
    classes, is_hot = int(outputs.shape[-1]), len(targets.shape) == len(outputs.shape) and targets.shape[-1] != 1
    if own is None and is_hot == loss.is_sparse:
        given = f"the {part} y has {targets.shape[-1]} numbers a row" if is_hot else f"the {part} y holds class numbers"
        text = ("sparse_categorical_crossentropy", "categorical_crossentropy")
        names = text if isinstance(model.loss, str) else ("SparseCategoricalCrossentropy", "CategoricalCrossentropy")
        taken = "class numbers" if is_hot else "a number a class (one-hot)"
        raise TaskError(f"{given}, and {names[not is_hot]} takes {taken}: compile with {names[is_hot]}")
    if is_hot:
        if targets.shape[-1] != classes:
            raise TaskError(
                f"the {part} y has {targets.shape[-1]} numbers a row, but the model has {classes} outputs; "
                "it needs a number an output"
            )
    else:
        ignored = getattr(model.loss, "ignore_class", None)
        labels = targets if ignored is None else targets[targets != ignored]
        _require_range(
            part,
            labels,
            0,
            classes - 1,
            f"the model has {classes} outputs: labels must be 0 to {classes - 1}",
            "labels",
        )


def _require_range(part: str, values: Any, lowest: float, highest: float, rule: str, kind: str = "targets") -> None:
    if values.size and (np.min(values) < lowest or np.max(values) > highest):
        raise TaskError(f"the {part} {kind} run from {np.min(values):g} to {np.max(values):g}, but {rule}")
