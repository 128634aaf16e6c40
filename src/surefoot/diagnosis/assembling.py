"""From rows of cells to a Log: the step that all readers share."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from surefoot.diagnosis.column_names import is_error
from surefoot.diagnosis.column_sets import passed_over
from surefoot.diagnosis.column_words import PARTS
from surefoot.diagnosis.columns import ROLES, called, has_rewards, hint, meanings, overlooked, sums
from surefoot.diagnosis.counting import counted_on
from surefoot.diagnosis.curve import FEWEST_OF_A_COURSE
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
ACCURACIES = [f"{part}_{measure}" for part in PARTS for measure in ("accuracy", "balanced_accuracy")]
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
    table.without_gaps()
    seen = list(table.columns)
    roles = meanings(seen, named)
    notes = [*notes, *table.notes(), *_unread(table, roles), *_summed(table, roles)]
    by_role = {role: table.columns[column] for column, role in roles.items()}
    unit, first, place = placed(by_role.get("epoch"), by_role.get("step"), table.num_rows)
    points = {}
    for column in dict.fromkeys([*roles, *seen[:MOST_OTHERS]]):
        role = called(column, roles)
        if role not in ("epoch", "step"):
            points[role] = _points(table.columns.pop(column), place)
    return log_of_points(name, unit, points, roles=roles, notes=notes, seen=seen, first=first)


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
    roles: Mapping[str, str] | None = None,
    notes: Iterable[str] = (),
    seen: Sequence[str] = (),
    first: int = 1,
) -> Log:
    """A log from the places and the values of every series.

    Args:
        name: of the log.
        unit: of the places.
        points: by role, or under its own name where a series has none.
        roles: column -> role, as the log calls the columns.
        notes: what was left out before.
        seen: all columns there are.
        first: what the log calls its first epoch.

    Raises:
        RequestError: nothing in it is a loss or an accuracy.
    """
    name, series, backwards = plain(name, longest=LONGEST_PATH), {}, 0
    points, counted = counted_on(points)
    notes = [*notes, *counted]
    for role, (at, values) in points.items():
        if len(at):
            # verdicts name the layers of gradients as the log does
            series[plain(role, longest=LONGEST_PATH)], moved = Series.of(at, values)
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
    _without_a_last_look(series, notes)
    _as_shares(series)
    notes += _beside(points, roles or {})
    return Log(name, unit, series, tuple(notes), first)


def _without_a_last_look(series: dict[str, Series], notes: list[str]) -> None:
    """A validation loss that was measured once, after the training, is no course and hides none."""
    train, validation = series.get("train_loss"), series.get("validation_loss")
    if train is not None and validation is not None and len(validation) == 1 < FEWEST_OF_A_COURSE <= len(train):
        del series["validation_loss"]
        notes.append(
            say("the validation loss was logged once, {value:.3g}; look more often", value=validation.values[0])
        )


def _as_shares(series: dict[str, Series]) -> None:
    """Accuracies that were logged in percent."""
    for role in [name for name in series if name in ACCURACIES]:
        values = series[role].finite.values
        if len(values) and 1.0 < values.max() <= 100.0 and values.min() >= 0.0:
            series[role] = Series(series[role].at, series[role].values / 100.0)


def _beside(points: Mapping[str, tuple[Values, Values]], roles: Mapping[str, str]) -> list[str]:
    """What was logged beside what is judged, and may be meant."""
    notes = []
    chosen = {role: column for column, role in roles.items()}
    columns = [*roles, *(name for name in points if name not in ROLES)]
    for role, others in passed_over(columns, roles).items():
        kept = points[role][1]
        others = [name for name in others if name in points and not np.array_equal(points[name][1], kept)]
        if others:
            notes.append(
                say(
                    "{role} is {column}; not read, as it can be one: {others}",
                    role=role,
                    column=plain(chosen[role]),
                    others=", ".join(plain(column) for column in others[:5]),
                )
            )
    errors = [column for column, role in roles.items() if role.endswith("_loss") and is_error(column)]
    if errors:
        named = ", ".join(map(plain, errors))
        notes.append(say("shares of wrong answers were read as losses, since none is known: {columns}", columns=named))
    if "validation_loss" not in points and (others := overlooked(points)):
        notes.append(
            say(
                "no validation loss is known, and these were not read: {columns}; one of them may be it: "
                "--column validation_loss=NAME",
                columns=", ".join(plain(column) for column in others[:5]),
            )
        )
    if has_rewards(points):
        notes.append(say("rewards are not judged, and the loss of a policy says little of them"))
    return notes
