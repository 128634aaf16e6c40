"""From rows or columns of cells to a Log: the step that all readers share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from surefoot.diagnosis.columns import meanings
from surefoot.diagnosis.log import Log, Series, Unit
from surefoot.errors import RequestError

__all__ = ["log_of", "log_of_points", "number"]

# Columns that are kept at most beside those with a role: what else was logged, under its own name.
MOST_OTHERS = 200
LARGEST = 1e100
_BLANK = frozenset({"", "none", "null", "na", "n/a", "-"})


def log_of(
    name: str,
    columns: Mapping[str, Sequence[Any]],
    *,
    named: Mapping[str, str] | None = None,
    notes: Iterable[str] = (),
) -> Log:
    """A log from columns of equal length; a cell that is blank says nothing.

    Args:
        name: of the log.
        columns: what was written down, row by row.
        named: role -> column, where the user says so.
        notes: what was left out before.

    Raises:
        RequestError: nothing in it is a loss or an accuracy.
    """
    notes = list(notes)
    roles = meanings(columns, named)
    kept = list(dict.fromkeys([*roles, *list(columns)[:MOST_OTHERS]]))
    cells = {column: [number(cell) for cell in columns[column]] for column in kept}
    for column, values in cells.items():
        unread = sum(value is _UNREAD for value in values)
        if unread and column in roles:
            notes.append(f"{_counted(unread, 'cell')} of {column!r} said no number and {_were(unread)} left out")
    by_role = {role: cells[column] for column, role in roles.items()}
    unit, places = _places(by_role, len(next(iter(cells.values()), [])))
    points = {
        roles.get(column, column): [
            (place, value)
            for place, value in zip(places, values, strict=False)
            if isinstance(place, float) and math.isfinite(place) and isinstance(value, float)
        ]
        for column, values in cells.items()
        if roles.get(column) not in ("epoch", "step")
    }
    first = 0 if unit == "epoch" and _counts_from_0(by_role["epoch"]) else 1
    return log_of_points(name, unit, points, notes=notes, seen=list(columns), first=first)


def log_of_points(
    name: str,
    unit: Unit,
    points: Mapping[str, Sequence[tuple[float, float]]],
    *,
    notes: Iterable[str] = (),
    seen: Sequence[str] = (),
    first: int = 1,
) -> Log:
    """A log from (place, value) pairs of every series.

    Raises:
        RequestError: nothing in it is a loss or an accuracy.
    """
    notes, series = list(notes), {}
    backwards = 0
    for role, pairs in points.items():
        if pairs:
            series[role], moved = Series.of(pairs)
            backwards = max(backwards, moved)
    if backwards:
        notes.append(
            f"it goes back in time {_counted(backwards, 'time')}, as after a resume: what was written last stands"
        )
    if not {"train_loss", "validation_loss", "train_accuracy", "validation_accuracy"} & series.keys():
        columns = ", ".join(list(seen or points)[:20]) or "none"
        raise RequestError(
            f"{name} has no column that is known as a loss or an accuracy, only: {columns}; "
            "say which is which: columns={'train_loss': NAME}, or --column train_loss=NAME"
        )
    return Log(name, unit, series, tuple(notes), first)


_UNREAD = object()


def number(cell: Any) -> Any:
    """A cell as a float, None where it is blank; something else where it says no number.

    >>> number("0.5"), number(" NaN "), number(""), number("12%")
    (0.5, nan, None, 0.12)
    """
    if cell is None:
        return None
    if isinstance(cell, str):
        text = cell.strip()
        if text.lower() in _BLANK:
            return None
        share = 100.0 if text.endswith("%") else 1.0
        text = text.removesuffix("%").strip()
    else:
        text, share = cell, 1.0
    try:
        value = float(text)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # a tensor of many numbers raises the last
        return _UNREAD
    # beyond any loss, so that sums and squares of what remains are numbers
    return math.copysign(math.inf, value) if abs(value) > LARGEST else value / share


def _places(by_role: Mapping[str, Sequence[Any]], rows: int) -> tuple[Unit, Sequence[Any]]:
    """Where each row stands: at its epoch where every row has another one, else at its step, else at its number."""
    steps, epochs = by_role.get("step"), by_role.get("epoch")
    if epochs is not None and _are_places(epochs) and (steps is None or _differ(epochs)):
        return "epoch", _moved(epochs)
    if steps is not None and _are_places(steps):
        return "step", steps
    if epochs is not None and _are_places(epochs):
        return "epoch", _spread(epochs)
    return "row", [float(row) for row in range(1, rows + 1)]


def _are_places(cells: Sequence[Any]) -> bool:
    found = [cell for cell in cells if isinstance(cell, float) and math.isfinite(cell)]
    return bool(found) and len(found) >= 0.9 * len(cells)


def _differ(cells: Sequence[Any]) -> bool:
    return len(set(cells)) > 0.5 * len(cells)


def _counts_from_0(epochs: Sequence[Any]) -> bool:
    """Whether whole epochs are counted from 0: the row of the first one says how it ended."""
    whole = all(not isinstance(epoch, float) or not math.isfinite(epoch) or epoch == int(epoch) for epoch in epochs)
    return whole and next((epoch for epoch in epochs if isinstance(epoch, float)), 1.0) == 0.0


def _moved(epochs: Sequence[Any]) -> list[Any]:
    """Epochs counted from 1."""
    by = 1.0 if _counts_from_0(epochs) else 0.0
    return [_finite(epoch + by) if isinstance(epoch, float) else None for epoch in _spread(epochs)]


def _spread(epochs: Sequence[Any]) -> list[Any]:
    """Rows of one epoch at even parts of it, so that none replaces another."""
    found: list[Any] = []
    start = 0
    while start < len(epochs):
        stop = start
        while stop < len(epochs) and epochs[stop] == epochs[start]:
            stop += 1
        count = max(1, stop - start)
        for index in range(count):
            epoch = epochs[start]
            found.append(_finite(epoch + index / count) if isinstance(epoch, float) else None)
        start += count
    return found


def _finite(place: float) -> float | None:
    return place if math.isfinite(place) else None


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
