"""Rows as Keras takes them: arrays, or dictionaries and lists of arrays that share their first dimension."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from surefoot.errors import TaskError
from surefoot.row_order import Indices
from surefoot.tasks.split import Subset

__all__ = ["Columns", "Part", "as_part", "as_rows"]

_TAKEN = "(x, y) or (x, y, sample_weight), each an array or a dictionary or list of arrays"


@dataclass(frozen=True)
class Columns:
    """Rows of several inputs or outputs; for a ``Task`` it is a map-style dataset.

    Attributes:
        inputs: arrays in any nesting.
        targets: likewise.
        weights: a number a row, or None.
    """

    inputs: Any
    targets: Any
    weights: Any = None

    def __len__(self) -> int:
        return len(keras.tree.flatten(self.inputs)[0])

    def __getitem__(self, row: Any) -> tuple[Any, ...]:
        weights = () if self.weights is None else (self.weights[row],)
        return (*keras.tree.map_structure(lambda values: values[row], (self.inputs, self.targets)), *weights)


@dataclass(frozen=True)
class Part:
    """The rows of a part, ready for Keras: floats in Keras's own type, weights with a mean of 1.

    Attributes:
        inputs: arrays in any nesting.
        targets: likewise.
        weights: a number a row, or None.
    """

    inputs: Any
    targets: Any
    weights: npt.NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(keras.tree.flatten(self.inputs)[0])

    @property
    def arrays(self) -> tuple[Any, ...]:
        """What a batch is made of."""
        return (self.inputs, self.targets) if self.weights is None else (self.inputs, self.targets, self.weights)

    def kept(self, convert: Callable[[Part], Any]) -> Any:
        """What ``convert`` makes of the part, made once."""
        cache: dict[Any, Any] = self.__dict__.setdefault("_kept", {})
        if convert not in cache:
            cache[convert] = convert(self)
        return cache[convert]

    def take(self, rows: Indices | slice) -> Part:
        """Some of the rows, their weights as they are."""
        return Part(*keras.tree.map_structure(lambda values: values[rows], self.arrays))


def as_rows(name: str, given: Any, *, flat_labels: bool = False) -> Any:
    """What a person gave as data, as a ``Task`` takes it: arrays, or ``Columns`` where there are several.

    Args:
        name: what it is called, for messages.
        given: as ``model.fit`` takes arrays.
        flat_labels: targets of shape (rows, 1) become (rows,), as Keras reads sparse labels.

    Raises:
        TaskError: it is something else.
    """
    if not isinstance(given, tuple | list) or len(given) not in {2, 3}:
        kind = type(given)
        is_pipeline = kind.__module__.startswith("tensorflow") or isinstance(given, keras.utils.PyDataset)
        hint = "; a pipeline is trained on by model.fit, with the callbacks of this door" if is_pipeline else ""
        raise TaskError(f"{name} must be {_TAKEN}, not {kind.__name__}{hint}")
    inputs, targets, *weights = given
    inputs, targets = _arrays(f"{name} x", inputs), _arrays(f"{name} y", targets)
    if flat_labels and getattr(targets, "ndim", 0) == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    weights = [_arrays(f"{name} sample_weight", values) for values in weights if values is not None]
    if isinstance(inputs, np.ndarray) and isinstance(targets, np.ndarray):
        return (inputs, targets, *weights)
    lengths = {len(values) for values in keras.tree.flatten((inputs, targets, weights))}
    if len(lengths) > 1:
        raise TaskError(f"the arrays of {name} have {', '.join(map(str, sorted(lengths)))} rows; they must pair up")
    return Columns(inputs, targets, *weights)


def _arrays(name: str, values: Any) -> Any:
    """An array, or the same nesting of arrays."""
    if isinstance(values, dict):
        return {key: _arrays(f"{name}[{key!r}]", value) for key, value in values.items()}
    if isinstance(values, list | tuple) and values and hasattr(values[0], "shape") and values[0].shape:
        return [_arrays(f"{name}[{index}]", value) for index, value in enumerate(values)]
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise TaskError(f"{name} cannot become an array: {' '.join(str(error).split())}") from None
    if array.dtype.kind not in "fiub":
        raise TaskError(f"{name} holds values of type {array.dtype}; encode text and categories as numbers first")
    if not array.ndim:
        raise TaskError(f"{name} holds a single value where an array of rows is needed")
    return array


def as_part(name: str, part: Any) -> Part:
    """A part of a task.

    Raises:
        TaskError: it has no rows, or holds values that no training survives.
    """
    if isinstance(part, Subset) and isinstance(part.dataset, Columns):
        columns = Columns(*part.dataset[part.indices])
    elif isinstance(part, Columns):
        columns = part
    elif isinstance(part, tuple) and all(hasattr(values, "__array__") for values in part):
        columns = Columns(*(_on_the_cpu(values) for values in part))
    else:
        raise TaskError(f"the {name} part must be {_TAKEN}, not {type(part).__name__}")
    if not len(columns):
        raise TaskError(f"the {name} part has no rows")
    floats = keras.config.floatx()
    inputs, targets = keras.tree.map_structure(
        lambda values: values.astype(floats) if values.dtype.kind == "f" else values, (columns.inputs, columns.targets)
    )
    for kind, nested in (("x", inputs), ("y", targets)):
        for values in keras.tree.flatten(nested):
            _require_finite(f"{name} {kind}", values)
    return Part(inputs, targets, _weights(name, columns.weights, len(columns)))


def _on_the_cpu(values: Any) -> npt.NDArray[Any]:
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _require_finite(name: str, values: npt.NDArray[Any]) -> None:
    if values.dtype.kind != "f":
        return
    bad = int((~np.isfinite(values)).reshape(len(values), -1).any(axis=1).sum())
    if bad:
        raise TaskError(
            f"{bad} of {len(values)} rows of {name} are not finite (NaN or infinite); remove or replace them"
        )


def _weights(name: str, weights: Any, num_rows: int) -> npt.NDArray[Any] | None:
    """Sample weights with a mean of 1, since Keras divides by rows: one of weight 2 counts as the row there twice."""
    if weights is None:
        return None
    found = np.asarray(weights, dtype=np.float64)
    if found.shape != (num_rows,):
        raise TaskError(f"the {name} sample_weight has shape {found.shape}; one a row is needed: ({num_rows},)")
    if not np.isfinite(found).all() or found.min() < 0 or not found.max() > 0:
        raise TaskError(f"the {name} sample_weight must be finite numbers of at least 0, and not all 0")
    scaled: npt.NDArray[Any] = (found / found.mean()).astype(keras.config.floatx())
    return scaled
