"""Logs in JSON: Hugging Face's trainer_state.json, a Keras history, skorch's history.json, XGBoost's results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from surefoot.diagnosis.assembling import log_of
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.readers.json_text import Cursor, JsonCutError
from surefoot.diagnosis.readers.opening import shown, text_of
from surefoot.diagnosis.readers.tables import SUMMARY, Rows, read_json_lines
from surefoot.diagnosis.table import Table, plain
from surefoot.errors import RequestError
from surefoot.language import say

__all__ = ["log_of_value", "read_json"]

# A group of columns whose name says nothing: what Keras calls a history.
_HISTORY = "history"
DEEPEST = 3
MOST_LISTS = 100
# A piece of a log: the name of a column and some of its cells, or of a list and one of its rows.
Piece = tuple[str, Sequence[Any] | Mapping[str, Any]]


def read_json(path: Path, *, named: Mapping[str, str]) -> Log:
    """One log in one JSON value; one that is cut off is read up to there.

    Raises:
        RequestError: it is no JSON, or none that is known.
    """
    text, notes = text_of(path)
    found, cursor = _Found(), Cursor(text)
    try:
        for piece in _pieces(cursor):
            found.add(piece)
    except JsonCutError:
        if found.is_empty:
            raise RequestError(f"{shown(path)} is not JSON: it ends in the middle") from None
        notes.append(say("it ends in the middle, as while it is written; it was read up to there"))
    except ValueError as error:
        raise RequestError(f"{shown(path)} is not JSON: {error}") from None
    else:
        if text.find("{", cursor.place) >= 0:  # more than one object: one a line, whatever the file is called
            return read_json_lines(path, named=named)
    del text, cursor
    return found.log(str(path), named=named, notes=notes)


def log_of_value(name: str, value: Any, *, named: Mapping[str, str]) -> Log:
    """A log from what Python holds: a dict of lists, or a list of dicts.

    Raises:
        RequestError: it is neither.
    """
    found = _Found()
    for piece in _pieces_of(value):
        found.add(piece)
    return found.log(name, named=named)


class _Found:
    """The pieces of a JSON value, sorted: columns, and rows by the name of their list."""

    def __init__(self) -> None:
        self._columns, self._name, self._end = Table(), "", 0  # the column that is being read, and how far
        self._rows: dict[str, Rows] = {}

    @property
    def is_empty(self) -> bool:
        return not self._columns.num_rows and not any(rows.table.num_rows for rows in self._rows.values())

    def add(self, piece: Piece) -> None:
        name, cells = piece
        if not isinstance(cells, Mapping):
            start = self._end if name == self._name else 0
            self._name, self._end = name, self._columns.extend(name, cells, start=start)
            return
        if name in self._rows or len(self._rows) < MOST_LISTS:
            rows = self._rows.setdefault(name, Rows())
            if name == "log_history" and SUMMARY not in cells:
                rows.add_at(str(cells.get("step")), cells)  # it writes training and evaluation as separate rows
            else:
                rows.add(cells)

    def log(self, name: str, *, named: Mapping[str, str], notes: Sequence[str] = ()) -> Log:
        """The log.

        Raises:
            RequestError: there is none.
        """
        shown_name = plain(name, longest=1000)
        if "log_history" in self._columns.columns and "log_history" not in self._rows:
            raise RequestError(
                f"{shown_name} has an empty log_history: the training was stopped before it logged anything"
            )
        for rows in (self._rows.get("log_history"), self._rows.get("")):
            if rows is not None:
                return log_of(name, rows.table, named=named, notes=notes)
        if self._columns.num_rows:
            moved = [plain(column) for column in self._columns.spread()]
            said = say(
                "shorter than the longest column, and taken to be evenly apart: {columns}", columns=", ".join(moved[:5])
            )
            return log_of(name, self._columns, named=named, notes=[*notes, said] if moved else notes)
        if self._rows:
            longest = max(self._rows.values(), key=lambda rows: rows.table.num_rows)
            return log_of(name, longest.table, named=named, notes=notes)
        raise RequestError(
            f"{shown_name} holds no log that is known: a list of objects, an object of lists, or Hugging Face's "
            "trainer_state"
        )


def _pieces(cursor: Cursor, name: str = "", depth: int = 0) -> Iterator[Piece]:
    """The pieces of a JSON text; what can be no part of a log is skipped."""
    letter = cursor.peek()
    if letter == "{" and depth < DEEPEST:
        for key in cursor.members():
            yield from _pieces(cursor, _named(name, key), depth + 1)
    elif letter == "[":
        yield name, ()  # it is there, should it be empty
        for element in cursor.elements():
            if isinstance(element, list):
                yield name, element
            elif element == "{":
                yield name, cursor.row()
            else:
                cursor.skip()
    else:
        cursor.skip()


def _pieces_of(value: Any, name: str = "", depth: int = 0) -> Iterator[Piece]:
    """The same of a value of Python's."""
    if isinstance(value, Mapping):
        if depth < DEEPEST:
            for key, inner in value.items():
                yield from _pieces_of(inner, _named(name, str(key)), depth + 1)
        return
    cells = value.tolist() if hasattr(value, "tolist") else value  # an array of NumPy's, a tensor
    if isinstance(cells, Sequence) and not isinstance(cells, str | bytes):
        yield name, ()
        if cells and all(isinstance(row, Mapping) for row in cells):
            yield from ((name, row) for row in cells)
        else:
            yield name, cells


def _named(before: str, key: str) -> str:
    if key == _HISTORY and not before:
        return ""
    return f"{before}/{key}" if before else key
