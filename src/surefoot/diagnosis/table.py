"""A log while it is read: its columns, in eight to twelve bytes a cell."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from surefoot.language import say

__all__ = ["LONGEST_PATH", "MOST_COLUMNS", "Cells", "Table", "number", "plain"]

# A training logs tens of columns; past this many a file is something else, and its memory would grow with its header.
MOST_COLUMNS = 10_000
# Beyond any loss, so that sums and squares of what remains are numbers.
LARGEST = 1e100
DENSE = 0.9  # the share of rows with a number from which on a column says one in every row
LONGEST_NAME, LONGEST_PATH = 80, 1000
_BLANK = frozenset({"", "none", "null", "na", "n/a", "-"})
_UNREAD = object()


class Cells:
    """One column: the rows that say a number and what they say; and how many said something else."""

    __slots__ = ("_rows", "_start", "_values", "unread")

    def __init__(self) -> None:
        self._values = array("d")
        self._start = 0
        self._rows: array[int] | None = None  # None as long as every row since the first one said a number
        self.unread = 0

    @classmethod
    def of(cls, rows: npt.NDArray[np.uint32], values: npt.NDArray[np.float64]) -> Cells:
        """A column of what was computed."""
        found = cls()
        found._rows = array("I")
        found._rows.frombytes(rows.view(np.uint8).data)
        found._values.frombytes(values.view(np.uint8).data)
        return found

    def put(self, row: int, cell: Any) -> None:
        """Keep a cell; one that is blank says nothing."""
        value = number(cell)
        if value is _UNREAD:
            self.unread += 1
        elif value is not None:
            count = len(self._values)
            if not count:
                self._start = row
            if self._rows is None and row != self._start + count:
                self._rows = array("I", range(self._start, self._start + count))
            if self._rows is not None:
                self._rows.append(row)
            self._values.append(value)

    @property
    def rows(self) -> npt.NDArray[np.uint32]:
        """The rows that say a number."""
        if self._rows is None:
            return np.arange(self._start, self._start + len(self._values), dtype=np.uint32)
        return np.frombuffer(self._rows, dtype=np.uint32)

    def first_row(self) -> float:
        """The first row that says a number which is one, infinity where none does."""
        is_none = np.isnan(self.values)
        place = int(np.argmin(is_none)) if len(is_none) else 0
        if not len(is_none) or is_none[place]:
            return math.inf
        return self._start + place if self._rows is None else self._rows[place]

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """What they say."""
        return np.frombuffer(self._values) if self._values else np.zeros(0)


class Table:
    """Rows as they come.

    Attributes:
        columns: by name, in the order in which they came.
        num_rows: how many rows there are.
        num_unkept: how many columns had no room.
    """

    def __init__(self) -> None:
        self.columns: dict[str, Cells] = {}
        self.num_rows = 0
        self.num_unkept = 0

    @classmethod
    def of(cls, columns: Mapping[str, Iterable[Any]]) -> Table:
        """A table of columns that are in memory; a shorter one began at the same row."""
        table = cls()
        for name, cells in columns.items():
            table.extend(name, cells)
        return table

    def column(self, name: str) -> Cells | None:
        """A column to put cells into, a new one if need be; None where there are too many."""
        found = self.columns.get(name)
        if found is None:
            if len(self.columns) >= MOST_COLUMNS:
                self.num_unkept += 1
                return None
            found = self.columns[name] = Cells()
        return found

    def extend(self, name: str, cells: Iterable[Any], *, start: int = 0) -> int:
        """Put cells into a column from a row on; the row after them."""
        column = self.column(name)
        row = start
        for cell in cells:
            if column is not None:
                column.put(row, cell)
            row += 1
        self.num_rows = max(self.num_rows, row)
        return row

    def spread(self) -> list[str]:
        """Put columns that are at most half as long as the longest evenly beside it, their ends together; which ones.

        >>> table = Table.of({"loss": [3.0, 2.0, 1.5, 1.2, 1.1, 1.0], "val_loss": [2.1, 1.4]})
        >>> table.spread(), table.columns["val_loss"].rows.tolist()
        (['val_loss'], [2, 5])
        """
        moved = []
        for name, cells in self.columns.items():
            rows = cells.rows
            count = len(rows)
            if 2 <= count <= self.num_rows // 2 and rows[-1] == count - 1:
                places = np.arange(1, count + 1) * self.num_rows // count - 1
                self.columns[name] = Cells.of(places.astype(np.uint32), cells.values)
                moved.append(name)
        return moved

    def without_gaps(self) -> None:
        """Take not-a-number for a blank, as pandas writes it, between numbers and at the end of a sparse column.

        A loss that was a number in every row, and is none from a row on, was lost.

        >>> table = Table.of({"train_loss": [2.0, math.nan, 1.0, math.nan], "loss": [2.0, 1.0, math.nan, math.nan]})
        >>> table.without_gaps()
        >>> [cells.values.tolist() for cells in table.columns.values()]
        [[2.0, 1.0], [2.0, 1.0, nan, nan]]
        """
        for name, cells in self.columns.items():
            is_number = np.isnan(cells.values)
            if is_number.all() or not is_number.any():
                continue
            np.logical_not(is_number, out=is_number)
            last = len(is_number) - 1 - int(np.argmax(is_number[::-1]))
            rows = cells.rows
            if is_number[: last + 1].mean() >= DENSE and not self._begins_after(int(rows[last])):
                is_number[last:] = True
            self.columns[name] = Cells.of(rows[is_number], cells.values[is_number])

    def _begins_after(self, row: int) -> bool:
        """Whether a later row says what none before it did, as that of an evaluation after the training does."""
        return any(row < cells.first_row() < math.inf for cells in self.columns.values())

    def add(self, row: Mapping[str, Any], *, at: int | None = None) -> None:
        """Add a row at the end, or to one that is there already."""
        place = self.num_rows if at is None else at
        for name, cell in row.items():
            column = self.column(name)
            if column is not None:
                column.put(place, cell)
        self.num_rows = max(self.num_rows, place + 1)

    def notes(self) -> list[str]:
        """What had no room, a sentence."""
        if not self.num_unkept:
            return []
        return [say("it has more than {most:,} columns; those after them were left out", most=MOST_COLUMNS)]


def number(cell: Any) -> Any:
    """A cell as a float, None where it is blank; something else where it says no number.

    >>> number("0.5"), number(" NaN "), number(""), number("12%")
    (0.5, nan, None, 0.12)
    """
    if cell is None:
        return None
    try:
        value = float(cell)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # a tensor of many numbers raises the last
        return _number_in(cell) if isinstance(cell, str) else _too_large(cell)
    return value if -LARGEST <= value <= LARGEST or value != value else math.copysign(math.inf, value)


def _number_in(cell: str) -> Any:
    """A text that is no number by itself: blank, or a share in percent."""
    text = cell.strip()
    if text.lower() in _BLANK:
        return None
    try:
        return number(float(text[:-1]) / 100.0) if text.endswith("%") else _UNREAD
    except ValueError:
        return _UNREAD


def _too_large(cell: Any) -> Any:
    """A whole number of Python's beyond what a float holds is as good as infinite."""
    return math.copysign(math.inf, 1 if cell > 0 else -1) if isinstance(cell, int) else _UNREAD


def plain(text: str, *, longest: int = LONGEST_NAME) -> str:
    r"""A name out of a log as it may be shown: one line, no control characters, not too long.

    >>> plain("loss\n\x1b[31m")
    'loss??[31m'
    """
    shown = "".join(letter if letter.isprintable() else "?" for letter in text[: longest + 1])
    return shown if len(shown) <= longest else f"{shown[:longest]}..."
