"""Logs in lines of text: CSV of any tool, and a JSON object a line."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from surefoot.diagnosis.assembling import log_of
from surefoot.diagnosis.columns import is_place, part_of, role_of
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.readers.opening import LONGEST_LINE, Lines, shown
from surefoot.diagnosis.readers.runs_apart import Labels
from surefoot.diagnosis.table import Cells, Table
from surefoot.errors import RequestError
from surefoot.language import say

__all__ = ["SUMMARY", "Rows", "read_json_lines", "read_table"]

_SEPARATORS = (",", ";", "\t", "|")
# A column of these names says of which part of the data a row is, where its cells do.
_PART_COLUMNS = ("phase", "split", "mode", "stage", "subset", "part", "set")
_COLOURS = re.compile(r"\x1b\[[0-9;]{0,20}m")
_RULE = re.compile(r"[-=+| ]++")  # below the header of a table that was printed
SUMMARY = "train_runtime"  # Hugging Face's Trainer ends with a mean over the whole training, called train_loss
DEEPEST = 3
NEAR = 1000  # rows of one place stand near each other


class Rows:
    """Rows of named cells on their way into a table.

    A row of a part of the data ("phase": "val") says so in its names and belongs to the other parts' row of the same
    place; so does a row that goes on where the one before stood and says other things. What a row holds in a group of
    its own ("train": {"loss": 1.0}) is called "train/loss".
    """

    def __init__(self) -> None:
        self.table = Table()
        self._of_place: dict[Any, int] = {}
        self._last: dict[str, Any] = {}

    def add(self, row: Mapping[Any, Any]) -> None:
        """Add a row."""
        cells = dict(_flat(row))
        if SUMMARY in cells:
            return
        told = next((name for name in cells if name.lower() in _PART_COLUMNS), None)
        part = cells.get(told) if told is not None else None
        if not isinstance(part, str) or part_of(part) is None:
            goes_on = self._goes_on(cells)
            self.table.add(cells, at=self.table.num_rows - 1 if goes_on else None)
            self._last = {**self._last, **cells} if goes_on else cells
            return
        places = {name: cell for name, cell in cells.items() if is_place(name)}
        rest = {f"{part}/{name}": cell for name, cell in cells.items() if name not in places and name != told}
        self.add_at(tuple(str(cell) for cell in places.values() if cell is not None), {**places, **rest})

    def _goes_on(self, cells: Mapping[str, Any]) -> bool:
        """Whether cells say other things about the place of the row before, as an evaluation after a training."""
        both = cells.keys() & self._last.keys()
        return bool(both) and all(cells[name] == self._last[name] and is_place(name) for name in both)

    def add_at(self, place: Any, cells: Mapping[str, Any]) -> None:
        """Add cells to the row of a place, a new one where none is near."""
        if place not in self._of_place:
            self._of_place[place] = self.table.num_rows
            if len(self._of_place) > NEAR:
                del self._of_place[next(iter(self._of_place))]
        self.table.add(cells, at=self._of_place[place])


def _flat(row: Mapping[Any, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Cells by name; lists in a row are left out, such as the batches that skorch keeps inside an epoch."""
    for key, cell in row.items():
        name = f"{before}{key}"
        if isinstance(cell, Mapping):
            if depth < DEEPEST:
                yield from _flat(cell, f"{name}/", depth + 1)
        elif not isinstance(cell, list):
            yield name, cell


def read_table(path: Path, *, named: Mapping[str, str]) -> list[Log]:
    """CSV with a header, separated by commas, semicolons, tabs or bars; a quoted cell ends with its line.

    A log each where a column says of which training each row is, and of the runs in a chart of Weights & Biases, their
    columns called "run - metric".

    Raises:
        RequestError: there is no header, or nothing below it.
    """
    lines = Lines(path)
    rest = iter(lines)
    header = next((line for line in rest if line.strip() and not line.startswith("#")), "")
    separator = _separator(header)
    names = _cells(header, separator)
    rows = _below(rest, names, separator)
    first = next(rows, [])
    rows = itertools.chain([first] if first else [], rows)
    has_parts = any(
        name.strip().lower() in _PART_COLUMNS and part_of(cell) for name, cell in zip(names, first, strict=False)
    )
    labels = Labels([] if has_parts else names)
    table, notes = (_by_part if has_parts else _by_column)(_distinct(names), labels.of(rows))
    if not names or not table.num_rows:
        raise RequestError(f"{shown(path)} has no rows below a header of column names")
    notes = [*lines.notes(), *notes]
    of_runs = labels.apart(table)
    if of_runs:
        return _logs_of(path, of_runs, named=named, notes=notes)
    runs = {name.rpartition(" - ")[0] for name in table.columns if name.endswith(("loss", "acc", "accuracy"))} - {""}
    if len(runs) < 2 or named:
        return [log_of(str(path), table, named=named, notes=notes)]
    return [log_of(f"{path}: {run}", _of_run(table, run), notes=notes) for run in sorted(runs)]


def _logs_of(path: Path, runs: Mapping[str, Table], *, named: Mapping[str, str], notes: list[str]) -> list[Log]:
    """A log for each run that has a loss; where none has one, why."""
    logs: list[Log] = []
    refused: list[RequestError] = []
    for run, table in runs.items():
        try:
            logs.append(log_of(f"{path}: {run}", table, named=named, notes=notes))
        except RequestError as error:
            refused.append(error)
    if not logs:
        raise refused[0]
    return logs


def _separator(header: str) -> str:
    """What stands between the cells; blanks, as skorch and fastai print them, where one of several words is known."""
    if any(mark in header for mark in _SEPARATORS):
        return max(_SEPARATORS, key=header.count)
    words = header.split()
    is_table = len(words) > 1 and any(role_of(word) for word in words) and not any(word.isdecimal() for word in words)
    return " " if is_table else ","


def _of_run(table: Table, run: str) -> Table:
    """The columns of one run and those of none."""
    found = Table()
    found.columns = {name: cells for name, cells in table.columns.items() if name.rpartition(" - ")[0] in ("", run)}
    found.num_rows = table.num_rows
    return found


def _below(lines: Iterable[str], header: list[str], separator: str) -> Iterator[list[str]]:
    """The cells of every row that is one."""
    has_commas = separator == ";"  # where semicolons separate, the comma is the mark of decimals
    for line in lines:
        if line.strip():
            cells = _cells(line.replace(",", ".") if has_commas else line, separator)
            if cells != header and not _RULE.fullmatch(line):  # the header again, where a run was resumed
                yield cells


def _by_column(names: list[str], rows: Iterable[list[str]]) -> tuple[Table, list[str]]:
    table, uneven = Table(), 0
    for name in names:
        table.column(name)
    columns: list[Cells] = list(table.columns.values())
    row = 0
    for cells in rows:
        uneven += len(cells) != len(names)
        for column, cell in zip(columns, cells, strict=False):
            if cell:
                column.put(row, cell)
        row += 1
    table.num_rows = row
    return table, _uneven(uneven)


def _uneven(count: int) -> list[str]:
    if not count:
        return []
    return [
        say("lines with another number of cells than the header, what is missing being blank: {count}", count=count)
    ]


def _by_part(names: list[str], rows: Iterable[list[str]]) -> tuple[Table, list[str]]:
    found, uneven = Rows(), 0
    for cells in rows:
        uneven += len(cells) != len(names)
        found.add(dict(zip(names, (cell.strip() for cell in cells), strict=False)))
    return found.table, _uneven(uneven)


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        return _COLOURS.sub("", line).split()
    if '"' not in line:
        return line.split(separator)
    csv.field_size_limit(LONGEST_LINE)
    return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])


def _distinct(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    found = []
    for name in (name.strip() for name in names):
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found if len(set(found)) == len(found) else [f"{name} {place}" for place, name in enumerate(found)]


def read_json_lines(path: Path, *, named: Mapping[str, str]) -> Log:
    """A JSON object a line, also behind the time and the level that a logger writes, as fairseq's.

    Raises:
        RequestError: no line is one.
    """
    lines = Lines(path)
    rows, unread = Rows(), 0
    for line in lines:
        if line.strip():
            row = _object_in(line)
            if row is None:
                unread += 1
            else:
                rows.add(row)
    if not rows.table.num_rows:
        raise RequestError(f"{shown(path)} has no line that is a JSON object")
    notes = lines.notes()
    if unread:
        notes.append(say("lines that are no JSON objects were left out: {count}", count=unread))
    return log_of(str(path), rows.table, named=named, notes=notes)


def _object_in(line: str) -> Mapping[str, Any] | None:
    start = line.find("{")
    if start < 0:
        return None
    text = line[start:]
    if text.startswith("{'"):  # Hugging Face's Trainer prints Python's dicts
        text = text.replace("'", '"')
    try:
        found, _ = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


# a whole number of any length is a float; Python's own limit on them is an error
_DECODER = json.JSONDecoder(parse_int=float)
