"""From rows of cells to a Log: the step that all readers share."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from surefoot.diagnosis.columns import has_rewards, hint, meanings, overlooked, sums
from surefoot.diagnosis.log import Log, Series, Unit, neighbours
from surefoot.diagnosis.places import Place, dense, placed
from surefoot.diagnosis.table import LONGEST_PATH, Cells, Table, plain
from surefoot.errors import RequestError
from surefoot.language import say

__all__ = ["log_of", "log_of_points"]

# Columns that are kept at most beside those with a role: what else was logged, under its own name.
MOST_OTHERS = 200
# A longer column is kept as this many means of neighbours; verdicts look at 50 of them.
MOST_POINTS = 50_000
Values = npt.NDArray[np.float64]


def log_of(name: str, table: Table, *, named: Mapping[str, str] | None = None, notes: Iterable[str] = ()) -> Log:
    """A log from what was read; the table is emptied on the way, for the sake of memory.

    Args:
        name: of the log.
        table: what was written down.
        named: role -> column, where the user says so.
        notes: what was left out before.

    Raises:
        RequestError: nothing in it is a loss or an accuracy.
    """
    seen = list(table.columns)
    roles = meanings(seen, named)
    notes = [*notes, *table.notes(), *_unread(table, roles), *_summed(table, roles)]
    by_role = {role: table.columns[column] for column, role in roles.items()}
    unit, first, place = placed(by_role.get("epoch"), by_role.get("step"), table.num_rows)
    points = {}
    for column in dict.fromkeys([*roles, *seen[:MOST_OTHERS]]):
        role = roles.get(column, column)
        if role not in ("epoch", "step"):
            points[role] = _points(table.columns.pop(column), place)
    return log_of_points(name, unit, points, notes=notes, seen=seen, first=first)


def _unread(table: Table, roles: Mapping[str, str]) -> list[str]:
    notes = []
    for column in roles:
        unread = table.columns[column].unread
        if unread:
            notes.append(
                say("cells of {column} that say no number were left out: {count}", column=plain(column), count=unread)
            )
    return notes


def _summed(table: Table, roles: dict[str, str]) -> list[str]:
    """Where a part has several losses and none that stands for all, their sum becomes a column of its own."""
    notes = []
    for role, columns in sums(table.columns, roles).items():
        parts = [table.columns[column] for column in columns]
        said = functools.reduce(np.intersect1d, (part.rows for part in parts))
        total = sum((dense(part, table.num_rows)[said] for part in parts), np.zeros(len(said)))
        table.columns[role] = Cells.of(said, total)
        roles[role] = role
        terms = " + ".join(plain(column) for column in columns)
        notes.append(say("{role} is the sum of several columns: {terms}", role=role, terms=terms))
    return notes


def _points(cells: Cells, place: Place) -> tuple[Values, Values]:
    """The places and values of a column."""
    rows, values = cells.rows, cells.values
    if len(rows) > MOST_POINTS:
        last, values = neighbours(values, MOST_POINTS)
        rows = rows[last]
    at = place(rows)
    known = np.isfinite(at)
    return at[known], values[known]


def log_of_points(
    name: str,
    unit: Unit,
    points: Mapping[str, tuple[Values, Values]],
    *,
    notes: Iterable[str] = (),
    seen: Sequence[str] = (),
    first: int = 1,
) -> Log:
    """A log from the places and the values of every series.

    Raises:
        RequestError: nothing in it is a loss or an accuracy.
    """
    name, notes, series = plain(name, longest=LONGEST_PATH), list(notes), {}
    backwards = 0
    for role, (at, values) in points.items():
        if len(at):
            series[role], moved = Series.of(at, values)
            backwards = max(backwards, moved)
    if backwards:
        notes.append(
            say(
                "places where it goes back in time, what was written last standing, as after a resume: {count}",
                count=backwards,
            )
        )
    if not {"train_loss", "validation_loss", "train_accuracy", "validation_accuracy"} & series.keys():
        columns = ", ".join(plain(column) for column in list(seen or points)[:20]) or "none"
        raise RequestError(
            f"{name} has no column that is known as a loss or an accuracy, only: {columns}; {hint(seen or points)}"
        )
    if "validation_loss" not in series and (others := overlooked(points)):
        notes.append(
            say(
                "no validation loss is known, and these were not read: {columns}; one of them may be it: "
                "--column validation_loss=NAME",
                columns=", ".join(plain(column) for column in others[:5]),
            )
        )
    if has_rewards(points):
        notes.append(say("rewards are not judged, and the loss of a policy says little of them"))
    return Log(name, unit, series, tuple(notes), first)
