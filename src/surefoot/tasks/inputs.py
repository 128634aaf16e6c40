"""What one row of a model's input looks like: kept with the model, so that rows can be checked and made up later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from surefoot import seeds
from surefoot.errors import TaskError
from surefoot.sparse import CsrRows, is_sparse
from surefoot.streams import Stream

__all__ = ["InputForm", "input_form", "some_inputs"]


class InputForm(BaseModel):
    """Shape and type of one row as the network takes it, after any preparation.

    Attributes:
        shape: of one row, without the batch dimension.
        dtype: such as "float32" or "int64".
        low: the least whole number that training saw, None for other numbers.
        high: the largest one, likewise.

    >>> form = InputForm(shape=(2,), dtype="float32")
    >>> form.fitted([1, 2]).shape, form.fitted([[1, 2], [3, 4]]).shape
    ((1, 2), (2, 2))
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    shape: tuple[int, ...]
    dtype: str
    low: int | None = None
    high: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the network takes whole numbers, such as the codes of words."""
        return "int" in self.dtype

    def fitted(self, rows: Any) -> Any:
        """Rows, or a single one, as an array of many in the network's type; a tensor stays one.

        Raises:
            TaskError: they have another shape, are none, or hold what the network cannot take.
        """
        if is_sparse(rows):
            rows = CsrRows.of("the rows", rows)
        values = rows if hasattr(rows, "detach") or isinstance(rows, CsrRows) else _array(rows)
        if tuple(values.shape) == self.shape:
            values = values[None]
        if tuple(values.shape[1:]) != self.shape or not len(values.shape):
            raise TaskError(f"the rows have shape {tuple(values.shape)}; the model takes {self._asked} a row")
        if not len(values):
            raise TaskError("there are no rows to predict")
        if isinstance(values, CsrRows) and values.num_not_finite:
            raise TaskError("rows hold values that are not finite (NaN or infinite); the model takes finite numbers")
        if hasattr(values, "detach") or isinstance(values, CsrRows):
            return values
        if self.is_whole and values.dtype.kind not in "iub":
            raise TaskError(f"the rows hold {values.dtype} values; the model takes whole numbers ({self.dtype})")
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise TaskError("rows hold values that are not finite (NaN or infinite); the model takes finite numbers")
        return values.astype(np.int64 if self.is_whole else np.float32)

    def generated(self, count: int) -> npt.NDArray[Any]:
        """Rows made up to try a model on: standard normal numbers, or whole ones in the range that training saw."""
        stream = seeds.stream(0, "rows made up", count)
        if self.is_whole:
            low = self.low or 0
            return stream.integers(low, max(self.high or 0, low) + 1, (count, *self.shape))
        return stream.standard_normal((count, *self.shape)).astype(np.float32)

    @property
    def _asked(self) -> str:
        return f"shape {self.shape}" if len(self.shape) != 1 else f"{self.shape[0]} numbers"


def input_form(train: Any) -> InputForm | None:
    """The form of a training part's inputs; None where a row is no pair of one array and its target.

    Args:
        train: arrays or tensors (inputs, targets) with or without weights, or a map-style dataset or a stream, whose
            first row is looked at.
    """
    if isinstance(train, tuple):
        inputs = train[0]
        return _form(inputs, tuple(inputs.shape[1:]))
    row = train.head(1)[0] if isinstance(train, Stream) else train[0]
    if isinstance(row, Mapping) or not isinstance(row, tuple | list) or len(row) not in {2, 3}:
        return None
    if not hasattr(row[0], "shape") or not hasattr(row[0], "dtype"):
        return None
    return _form(row[0], tuple(row[0].shape))


def some_inputs(part: Any, count: int) -> Any:
    """At most ``count`` rows of a part's inputs, evenly spread, as a file may be sorted; of a stream the first."""
    rows = len(part[0]) if isinstance(part, tuple) else len(part)
    places = np.unique(np.linspace(0, rows - 1, min(count, rows)).astype(int))
    if isinstance(part, tuple):
        found = part[0][places]
        return found.toarray() if isinstance(found, CsrRows) else found
    picked = part.head(count) if isinstance(part, Stream) else [part[int(place)] for place in places]
    rows_of_inputs = [row[0] for row in picked]
    return np.stack(
        [np.asarray(values.detach().cpu() if hasattr(values, "detach") else values) for values in rows_of_inputs]
    )


def _form(values: Any, shape: tuple[int, ...]) -> InputForm:
    dtype = str(values.dtype).removeprefix("torch.")
    is_array = not hasattr(values, "detach")
    if is_array:  # as the engine turns arrays into tensors
        dtype = "int64" if values.dtype.kind in "iub" else ("float32" if dtype == "float64" else dtype)
    if "int" not in dtype:
        return InputForm(shape=shape, dtype=dtype)
    return InputForm(shape=shape, dtype=dtype, low=int(values.min()), high=int(values.max()))


def _array(rows: Any) -> npt.NDArray[Any]:
    try:
        values = np.asarray(rows)
    except ValueError:
        raise TaskError("the rows differ in length, so they are no array of numbers") from None
    if values.dtype.kind not in "fiub":
        raise TaskError(f"the rows hold values of type {values.dtype}; the model takes numbers")
    return values
