"""From rows as people have them to what a network eats, and back; fitted on the training part only.

A preparation is plain data: it goes into ``model.json`` beside the weights and comes back without running any code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from surefoot.errors import TaskError

__all__ = [
    "ArrayPreparation",
    "Column",
    "Preparation",
    "TablePreparation",
    "preparation_from_json",
    "unit_of",
]

Matrix = npt.NDArray[np.float32]
OTHER = "(other)"
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Targets(_Plain):
    """How the model's output reads: class names, or the offset and unit of a number; nothing where ``only_inputs``."""

    only_inputs: bool = False
    classes: tuple[str, ...] = ()
    target_offset: float = 0.0
    target_scale: float = 1.0

    def decode(self, outputs: npt.NDArray[Any]) -> list[Any]:
        """Predictions in the target's own words or unit; outputs (rows, classes) or (rows, 1)."""
        if self.classes:
            return [self.classes[index] for index in outputs.argmax(axis=1)]
        values: list[Any] = (outputs.reshape(-1) * self.target_scale + self.target_offset).tolist()
        return values


class ArrayPreparation(_Targets):
    """Gives an array of rows other units: one a feature or a channel, or one for all.

    A missing value (NaN) becomes the ``fill`` of its feature where there is one, and is refused otherwise.
    """

    kind: Literal["array"] = "array"
    offset: tuple[float, ...]
    scale: tuple[float, ...]
    fill: tuple[float, ...] = ()
    num_features: int
    row_dimensions: int = 1

    def encode(self, rows: Any) -> Matrix:
        """Rows, (n, features) or (n, channels, height, width), or a single row, as the network's input."""
        try:
            array = np.asarray(rows, dtype=np.float64)
        except (TypeError, ValueError):
            raise TaskError(f"rows must be numbers, {self.num_features} a row") from None
        array = array[None] if array.ndim == self.row_dimensions else array
        if array.ndim != 1 + self.row_dimensions or (
            (self.row_dimensions == 1 or len(self.offset) > 1) and array.shape[1] != self.num_features
        ):
            taken = f"{self.num_features} numbers a row" if self.row_dimensions == 1 else self._pictures
            raise TaskError(f"rows have shape {array.shape}; the model takes {taken}")
        if not np.isfinite(array).all() and (not self.fill or np.isinf(array).any()):
            raise TaskError("rows hold values that are not finite (NaN or infinite); the model takes finite numbers")
        return self.apply(array).astype(np.float32)

    def apply(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The values in their new units, missing ones filled."""
        offset, scale, fill = (
            np.reshape(given, (-1, *(1,) * (self.row_dimensions - 1))) if len(given) > 1 else np.array(given)
            for given in (self.offset, self.scale, self.fill)
        )
        known = np.where(np.isnan(values), fill, values) if self.fill else values
        found: npt.NDArray[np.float64] = (known - offset) / scale
        return found

    @property
    def _pictures(self) -> str:
        channels = f" with {self.num_features} channels" if len(self.offset) > 1 else ""
        return f"arrays of {self.row_dimensions} dimensions a row{channels}"


class Column(_Plain):
    """One column of a table as numbers.

    A number is standardised, a missing one becomes the mean and, where training had some missing, raises a flag beside
    it. A category becomes one column a value.
    """

    name: str
    kind: Literal["number", "category"]
    offset: float = 0.0
    scale: float = 1.0
    flags_missing: bool = False
    categories: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many inputs of the network it takes."""
        return len(self.categories) if self.kind == "category" else 1 + self.flags_missing

    def encode(self, cells: Sequence[Any]) -> npt.NDArray[np.float64]:
        """The cells as (rows, width)."""
        if self.kind == "category":
            places = {category: index for index, category in enumerate(self.categories)}
            encoded = np.zeros((len(cells), len(self.categories)))
            for row, cell in enumerate(cells):
                text = "" if is_missing(cell) else str(cell).strip()
                place = places.get(text, places.get(OTHER))
                if place is not None:
                    encoded[row, place] = 1.0
            return encoded
        values = np.array([_number(cell, self.name) for cell in cells])
        missing = np.isnan(values)
        standard = np.where(missing, 0.0, (values - self.offset) / self.scale)
        return np.column_stack([standard, missing.astype(float)] if self.flags_missing else [standard])


class TablePreparation(_Targets):
    """Encodes the columns of a table by name."""

    kind: Literal["table"] = "table"
    columns: tuple[Column, ...]
    target: str
    dropped: tuple[str, ...] = ()

    @property
    def num_features(self) -> int:
        """Inputs of the network."""
        return sum(column.width for column in self.columns)

    def encode(self, rows: Any) -> Matrix:
        """Rows as a list of mappings, a DataFrame or a mapping of columns, as the network's input."""
        table = _columns(rows)
        absent = [column.name for column in self.columns if column.name not in table]
        if absent:
            raise TaskError(f"the rows lack {_listing(absent)}, which the model was trained on")
        encoded = [column.encode(table[column.name]) for column in self.columns]
        return np.concatenate(encoded, axis=1).astype(np.float32)


Preparation = Annotated[ArrayPreparation | TablePreparation, Field(discriminator="kind")]


def preparation_from_json(value: Any) -> ArrayPreparation | TablePreparation | None:
    """The preparation that a file describes; None for None."""
    found: ArrayPreparation | TablePreparation | None = TypeAdapter(Preparation | None).validate_python(value)
    return found


def unit_of(values: npt.NDArray[Any], axis: int | None = 0) -> tuple[Any, Any]:
    """Mean and standard deviation, 1 where a column never changes."""
    scale = np.std(values, axis=axis)
    return np.mean(values, axis=axis), np.where(scale > 0, scale, 1.0)


def is_missing(cell: Any) -> bool:
    """Whether a cell says that nothing is known."""
    if isinstance(cell, float):
        return math.isnan(cell)
    return cell is None or str(cell).strip().lower() in MISSING


def _number(cell: Any, column: str) -> float:
    if is_missing(cell):
        return math.nan
    try:
        value = float(cell)
    except (TypeError, ValueError):
        raise TaskError(f'column "{column}" holds {str(cell)!r} where the training data had numbers') from None
    if not math.isfinite(value):
        raise TaskError(f'column "{column}" holds {str(cell)!r}; numbers must be finite')
    return value


def _columns(rows: Any) -> dict[str, Sequence[Any]]:
    """Column name -> cells, from whatever rows come as."""
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):  # a DataFrame, pandas' or polars'
        return {str(name): list(rows[name]) for name in rows.columns}
    if isinstance(rows, Mapping):
        single = all(isinstance(value, str) or not hasattr(value, "__len__") for value in rows.values())
        return {str(name): [value] if single else list(value) for name, value in rows.items()}
    if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
        raise TaskError("rows must be mappings from column name to value, or a DataFrame")
    if not rows:
        raise TaskError("there are no rows to predict")
    names = [name for name in rows[0] if all(name in row for row in rows)]
    return {str(name): [row[name] for row in rows] for name in names}


def _listing(names: Sequence[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in names[:5])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"the column{'s' if len(names) > 1 else ''} {quoted}{more}"
