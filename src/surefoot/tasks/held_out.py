"""Parts that do not leak: rows of one group on one side, or later rows on the later side."""

from __future__ import annotations

import datetime as dt
import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from surefoot import seeds
from surefoot.errors import TaskError
from surefoot.tasks.preparation import is_missing
from surefoot.tasks.split import Indices

__all__ = ["group_codes", "split_as_asked", "split_by_group", "split_by_time", "time_values"]


def split_as_asked(
    fractions: tuple[float, ...], num_rows: int, *, groups: Any = None, times: Any = None
) -> list[Indices] | None:
    """Indices of every part by groups or by times; None when neither is given.

    Args:
        fractions: of the rows, adding up to 1.
        num_rows: how many rows there are.
        groups: a value a row, or None.
        times: likewise.

    Raises:
        TaskError: both are given, or one cannot be split by.
    """
    if groups is not None and times is not None:
        raise TaskError("groups and times both say which rows are held out: give one of the two")
    if groups is not None:
        codes = group_codes("groups", groups, num_rows=num_rows, num_parts=len(fractions))
        return split_by_group(codes, fractions)
    if times is not None:
        return split_by_time(time_values("times", times, num_rows=num_rows, num_parts=len(fractions)), fractions)
    return None


def split_by_group(groups: npt.NDArray[np.int64], fractions: tuple[float, ...], *, split: int = 0) -> list[Indices]:
    """Indices of every part, all rows of a group in the same one; the groups are dealt out at random.

    A part has as near to its fraction of the rows as whole groups allow, and one group at least. Classes are not dealt
    out evenly: they belong to groups.

    Args:
        groups: a number from 0 on a row, as ``group_codes`` gives.
        fractions: of the rows, adding up to 1.
        split: which of many splits; 0 is the one that everybody gets.

    >>> [part.tolist() for part in split_by_group(np.array([0, 1, 0, 1, 2, 2]), (0.67, 0.33))]
    [[1, 3, 4, 5], [0, 2]]
    """
    shuffled = seeds.stream(split, "groups", len(groups)).permutation(int(groups.max()) + 1)
    places = np.argsort(shuffled)[groups]
    return _cut(places, fractions)


def split_by_time(times: npt.NDArray[Any], fractions: tuple[float, ...]) -> list[Indices]:
    """Indices of every part, each later than the one before; rows of the same time stay together.

    Args:
        times: a number a row, as ``time_values`` gives.
        fractions: of the rows, from the oldest to the newest, adding up to 1.

    >>> [part.tolist() for part in split_by_time(np.array([5, 3, 9, 1]), (0.5, 0.5))]
    [[1, 3], [0, 2]]
    """
    return _cut(times, fractions)


def group_codes(name: str, values: Any, *, num_rows: int, num_parts: int) -> npt.NDArray[np.int64]:
    """A number from 0 on for every row's group.

    Args:
        name: what the values are called, for messages.
        values: a text or a number a row.
        num_rows: how many there must be.
        num_parts: how many groups there must be at least.

    Raises:
        TaskError: there are more or fewer, one is missing, or they are too few groups to split.
    """
    cells = _cells(name, values, num_rows)
    codes: dict[Any, int] = {}
    found = np.array([codes.setdefault(cell, len(codes)) for cell in cells], dtype=np.int64)
    if len(codes) < num_parts:
        what = "1 group" if len(codes) == 1 else f"{len(codes)} groups"
        raise TaskError(f"{name} has {what}; {num_parts} parts need a group each at least: leave it out to split rows")
    return found


def time_values(name: str, values: Any, *, num_rows: int, num_parts: int) -> npt.NDArray[Any]:
    """A number for every row's time: numbers as they are, dates as microseconds.

    Args:
        name: what the values are called, for messages.
        values: numbers, dates, NumPy's datetime64, or texts as in ISO 8601; a time without a zone is taken as UTC.
        num_rows: how many there must be.
        num_parts: how many different times there must be at least.

    Raises:
        TaskError: there are more or fewer, one is missing or no time, or they are too few times to split.
    """
    cells = _cells(name, values, num_rows)
    try:
        found = np.array([_number(cell) for cell in cells])
    except ValueError:
        found = np.array([_microseconds(name, cell, row) for row, cell in enumerate(cells)])
    different = len(np.unique(found))
    if different < num_parts:
        what = "1 time" if different == 1 else f"{different} different times"
        raise TaskError(
            f"{name} has {what}; {num_parts} parts, each later than the one before, need as many at least: "
            "leave it out to split rows at random"
        )
    return found


def _cut(places: npt.NDArray[Any], fractions: tuple[float, ...]) -> list[Indices]:
    """Rows in the order of their places, cut near the fractions, never between two rows of one place."""
    order = np.argsort(places, kind="stable")
    borders = np.flatnonzero(np.diff(places[order])) + 1
    cuts: list[int] = []
    first = 0
    for number, edge in enumerate(np.cumsum(fractions)[:-1], start=1):
        last = len(borders) - (len(fractions) - 1 - number)  # a border is left for each of the other cuts
        allowed = borders[first:last]
        nearest = int(np.argmin(np.abs(allowed - edge * len(places))))
        first += nearest + 1
        cuts.append(int(allowed[nearest]))
    return [np.sort(part) for part in np.split(order, cuts)]


def _cells(name: str, values: Any, num_rows: int) -> Sequence[Any]:
    """A cell a row, texts without blanks around them."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    is_array = isinstance(values, np.ndarray)
    if is_array and values.ndim != 1:
        raise TaskError(f"{name} has shape {values.shape}; one value a row is needed: ({num_rows},)")
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise TaskError(f"{name} must be one value a row, not {type(values).__name__}")
    if is_array and values.dtype.kind == "M":
        values = values.astype("datetime64[us]")
    values = values.tolist() if is_array else list(values)
    if any(hasattr(cell, "__len__") and not isinstance(cell, str) for cell in values):
        raise TaskError(f"{name} holds lists; one value a row is needed")
    cells = [cell.strip() if isinstance(cell, str) else cell for cell in values]
    if len(cells) != num_rows:
        raise TaskError(f"{name} has {len(cells)} values for {num_rows} rows; one a row is needed")
    missing = [row for row, cell in enumerate(cells) if is_missing(cell) or cell != cell]
    if missing:
        raise TaskError(
            f"{name} has no value in {len(missing)} of {num_rows} rows (first: {_row(missing[0], name)}); "
            "fill them in, or leave those rows out"
        )
    return cells


def _number(cell: Any) -> float | int:
    """A number as it is, or as a text says it; ValueError for what is none."""
    value = float(cell) if isinstance(cell, str) else cell
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ValueError
    return value if isinstance(value, int) else float(value)


def _microseconds(name: str, cell: Any, row: int) -> int:
    """A date as microseconds since 1970."""
    try:
        when = dt.datetime.fromisoformat(cell if isinstance(cell, str) else cell.isoformat())
    except (ValueError, AttributeError):
        raise TaskError(
            f"{name} holds {cell!r} in {_row(row, name)}; a time is a number, or a date as in 2024-05-31 or "
            "2024-05-31T12:30"
        ) from None
    when = when if when.tzinfo else when.replace(tzinfo=dt.UTC)
    return (when - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def _row(row: int, name: str) -> str:
    """A row as the reader counts: a table's data rows from 1 on, an array's from 0."""
    return f"data row {row + 1}" if name.startswith("column") else f"row {row}"
