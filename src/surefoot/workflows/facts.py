"""What the rows of a task tell about themselves before anything is trained, for the verdicts on a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from surefoot.recipe import Data
from surefoot.records import Facts, Range
from surefoot.space import Dimension, Integer, Log, Uniform, When
from surefoot.sparse import is_sparse
from surefoot.tasks import Task

__all__ = ["facts_of", "guess_of", "loss_name", "ranges_of"]

# Rows that are looked at: enough for a scale, and milliseconds.
MOST_ROWS = 10_000
# Targets that a constant answer is worked out for, in a few copies of eight bytes each.
MOST_TARGETS = 20_000_000
# A label that training never saw is not impossible.
_RARE = 1e-3
# Where more values are zero than this, rows are counts or one-hot, and a small mean square is no wrong scale.
MOSTLY_ZERO = 0.5


def facts_of(task: Task, recipe: Mapping[str, Any]) -> Facts:
    """The scale of the training inputs and the largest class of the validation rows, where they can be told.

    Args:
        task: whose rows are arrays or tensors; of others nothing is known.
        recipe: the one of the model; where it standardises the inputs, their own scale does not matter.
    """
    scale = None if Data(**recipe.get("data", {})).standardize else _scale(task)
    return Facts(input_scale=scale, largest_class=_largest_class(task.validation))


def guess_of(task: Task, loss: str) -> float | None:
    """The validation loss of always giving the training targets' class shares, or their mean, by weight.

    None for losses without such an answer, for labels of sequences that are padded, and for millions of them.
    """
    if not (isinstance(task.train, tuple) and isinstance(task.validation, tuple)):
        return None
    known, asked = (_array(part[1]) for part in (task.train, task.validation))
    if known.size + asked.size > MOST_TARGETS:
        return None
    known_weights, asked_weights = (
        _array(part[2]) if len(part) == 3 else np.ones(len(part[0])) for part in (task.train, task.validation)
    )
    if loss == "mean_squared_error":
        errors = (asked - np.average(known, axis=0, weights=known_weights)) ** 2
    elif loss == "binary_cross_entropy":
        share = np.average(known, axis=0, weights=known_weights).clip(_RARE, 1.0 - _RARE)
        errors = -(asked * np.log(share) + (1 - asked) * np.log(1.0 - share))
    elif loss == "cross_entropy" and known.dtype.kind in "iub" and min(known.min(), asked.min()) >= 0:
        each = np.broadcast_to(known_weights.reshape(-1, *[1] * (known.ndim - 1)), known.shape)
        counts = np.bincount(known.astype(int).ravel(), weights=each.ravel(), minlength=int(asked.max()) + 1)
        shares = np.maximum(counts, 0.5) / counts.sum()  # a class that training never saw is not impossible
        errors = -np.log(shares[asked.astype(int)])
    else:
        return None
    return float(np.average(errors.reshape(len(asked), -1).mean(axis=1), weights=asked_weights))


def loss_name(task: Task, recipe: Mapping[str, Any]) -> str:
    """What is trained on, the recipe's or else the task's own; "custom" for a function."""
    return str(recipe.get("loss", {}).get("name") or (task.loss if isinstance(task.loss, str) else "custom"))


def ranges_of(space: Mapping[str, Dimension]) -> dict[str, Range]:
    """The ranges of numbers in a space, by recipe key."""
    plain = {key: one.dimension if isinstance(one, When) else one for key, one in space.items()}
    return {
        key: Range(low=one.low, high=one.high, is_log=isinstance(one, Log))
        for key, one in plain.items()
        if isinstance(one, Log | Uniform | Integer)
    }


def _scale(task: Task) -> float | None:
    """The root of the mean square of the inputs; None where they are no dense floats or the model may scale them."""
    if not isinstance(task.train, tuple) or task.backend != "surefoot.engine" or is_sparse(task.train[0]):
        return None
    rows = _array(task.train[0][:MOST_ROWS])
    if rows.dtype.kind != "f" or not rows.size:
        return None
    known = rows[np.isfinite(rows)].astype(np.float64)
    found = float(np.sqrt(np.mean(known**2))) if known.size else 0.0
    is_counted = known.size and (known == 0.0).mean() > MOSTLY_ZERO
    return None if found == 0.0 or (found < 1.0 and is_counted) else found


def _largest_class(part: Any) -> float | None:
    if not isinstance(part, tuple):
        return None
    labels = _array(part[1])
    if labels.ndim != 1 or labels.dtype.kind not in "iub" or not len(labels):
        return None
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))


def _array(values: Any) -> Any:
    if not hasattr(values, "detach"):
        return np.asarray(values)
    values = values.detach().cpu()
    return (values.float() if values.is_floating_point() else values).numpy()
