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

__all__ = ["facts_of", "ranges_of"]

# Rows that are looked at: enough for a scale, and milliseconds.
MOST_ROWS = 10_000
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
