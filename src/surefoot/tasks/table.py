"""A table in a file as a task: types inferred, categories encoded, missing values handled, and all of it said."""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from surefoot.errors import TaskError, nearest
from surefoot.tasks.builder import NamedBuilder
from surefoot.tasks.builtin import PARTS
from surefoot.tasks.held_out import group_codes, split_by_group, split_by_time, time_values
from surefoot.tasks.preparation import OTHER, Column, TablePreparation, is_missing, unit_of
from surefoot.tasks.split import Indices, split_rows
from surefoot.tasks.task import Task

__all__ = ["Kind", "Table", "read_table", "table_task"]

Kind = Literal["classification", "regression"]

# A whole-number target with at most this many values is taken for classes.
MAX_NUMERIC_CLASSES = 20
# A category keeps its most frequent values and puts the rest under "(other)".
MAX_CATEGORIES = 50
# A column is one of numbers with mistakes in it when at most this share of its values are none.
FEW_WRONG = 0.1
# Samples of one training that small networks on tables need to settle, and the epochs this may become.
TRAINING_SAMPLES, FEWEST_EPOCHS, MOST_EPOCHS = 100_000, 10, 100


@dataclass(frozen=True)
class Table:
    """A table as text.

    Attributes:
        name: the file's name without its ending.
        columns: column name -> cells, all of the same length.
    """

    name: str
    columns: dict[str, list[str]]

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.columns.values())))


def table_task(
    path: str | Path,
    *,
    target: str,
    kind: Kind | None = None,
    epochs: float | None = None,
    weights: str | None = None,
    groups: str | None = None,
    time: str | None = None,
) -> Task:
    """A task from a table with a header line: comma, semicolon, tab or bar between cells; may be gzipped.

    Numbers are standardised and a missing one becomes the mean, with a flag column beside it; text becomes one column a
    value; text that hardly repeats is left out. The rows are split 60/20/20, and everything is fitted on the 60.

    Args:
        path: the file.
        target: the column to predict.
        kind: "classification" or "regression"; None infers: text, or at most 20 different whole numbers, are classes.
        epochs: the horizon; None takes about 100,000 samples, between 10 and 100 epochs.
        weights: the column that says how much a row counts, 0 or more; it is not predicted from.
        groups: the column whose rows with one value stay in one part, such as a customer; it is not predicted from.
        time: the column by which the oldest 60 % train, the next 20 validate and the newest 20 test; it is not
            predicted from, since no later value was seen in training.
    """
    table = read_table(path)
    given = [column for column in (target, weights, groups, time) if column is not None]
    for column in given:
        if column not in table.columns:
            raise TaskError(f'{Path(path).name} has no column "{column}"; {nearest(column, table.columns)}')
    twice = [column for column in given if given.count(column) > 1]
    if twice:
        raise TaskError(f'column "{twice[0]}" cannot be two of target, weights, groups and time')
    counts = None if weights is None else _weights(weights, table.columns.pop(weights))
    cells = table.columns[target]
    _refuse_missing(target, cells)
    kind = kind or _infer_kind(cells)
    classes = _classes(target, cells) if kind == "classification" else ()
    if kind == "classification":
        places = {name: index for index, name in enumerate(classes)}
        targets = np.array([places[cell.strip()] for cell in cells], dtype=np.int64)
    else:
        targets = _numbers(target, cells)
    parts, notes = _parts(table, groups, time, labels=targets if classes else None)
    if any(not len(part) for part in parts):
        raise TaskError(f"{Path(path).name} has {table.num_rows} rows: too few to train, validate and test on")
    task = _task(table, target, targets, classes, parts, epochs, counts)
    task.notes += notes
    return task


def _parts(table: Table, groups: str | None, time: str | None, *, labels: Any) -> tuple[list[Indices], tuple[str, ...]]:
    """The rows of every part, and what to say about it; a column that splits is taken out of the table."""
    if groups is not None and time is not None:
        raise TaskError("--groups and --time both say which rows are held out: give one of the two")
    num_rows = table.num_rows
    if groups is not None:
        codes = group_codes(f'column "{groups}"', table.columns.pop(groups), num_rows=num_rows, num_parts=len(PARTS))
        parts = split_by_group(codes, PARTS)
        counts = ", ".join(str(len(np.unique(codes[part]))) for part in parts)
        return parts, (f'"{groups}" keeps its rows together and is not predicted from: {counts} groups in the parts',)
    if time is not None:
        cells = table.columns.pop(time)
        parts = split_by_time(time_values(f'column "{time}"', cells, num_rows=num_rows, num_parts=len(PARTS)), PARTS)
        return parts, (f'"{time}" splits the rows, the newest test, and is not predicted from',)
    return split_rows(num_rows, PARTS, labels=labels), ()


def _weights(column: str, cells: Sequence[str]) -> Any:
    """How much each row counts."""
    wrong = [row for row, cell in enumerate(cells, start=1) if not (_is_number(cell) and float(cell) >= 0)]
    if wrong:
        raise TaskError(
            f'column "{column}" holds {cells[wrong[0] - 1]!r} in data row {wrong[0]}; a weight is a number, 0 or more'
        )
    return np.array([float(cell) for cell in cells])


def _task(
    table: Table,
    target: str,
    targets: Any,
    classes: tuple[str, ...],
    parts: list[Indices],
    epochs: float | None,
    counts: Any = None,
) -> Task:
    preparation, notes = _fit(table, target, parts[0])
    preparation = preparation.model_copy(update={"classes": classes})
    if not classes:
        offset, scale = (float(value) for value in unit_of(targets[parts[0]]))
        if np.ptp(targets) == 0:
            raise TaskError(f'column "{target}" has the same value in every row: there is nothing to predict')
        targets = ((targets - offset) / scale).astype(np.float32)
        preparation = preparation.model_copy(update={"target_offset": offset, "target_scale": scale})
    inputs = preparation.encode(table.columns)
    arrays = (inputs, targets) if counts is None else (inputs, targets, counts)
    train, validation, test = (tuple(values[part] for values in arrays) for part in parts)
    guessed = min(max(round(TRAINING_SAMPLES / len(parts[0])), FEWEST_EPOCHS), MOST_EPOCHS)
    reading = f"{len(classes)} classes" if classes else "a number (regression)"
    return Task(
        NamedBuilder("surefoot.tasks.models:mlp", {"inputs": inputs.shape[1], "outputs": len(classes) or 1}),
        train,
        validation=validation,
        test=test,
        epochs=guessed if epochs is None else epochs,
        name=table.name,
        preparation=preparation,
        notes=(f'"{target}" is read as {reading}', *notes),
    )


def read_table(path: str | Path) -> Table:
    """The table in a text file.

    Raises:
        TaskError: it cannot be read, has no rows, a column name twice, or a row of another length.
    """
    path = Path(path)
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = raw.decode("utf-8-sig")
    except (OSError, EOFError) as error:
        raise TaskError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    except UnicodeDecodeError:
        raise TaskError(f"{path} is not UTF-8 text; save it as a CSV file in UTF-8") from None
    lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text)))
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    if len(lines) < 2:
        raise TaskError(f"{path} has no rows: it needs a header line and data below it")
    header = [name.strip() for name in lines[0]]
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise TaskError(f'{path} has the column "{twice[0]}" more than once; names must differ')
    for number, line in enumerate(lines[1:], start=1):
        if len(line) != len(header):
            raise TaskError(f"{path}: data row {number} has {len(line)} cells, the header {len(header)}")
    cells = list(zip(*lines[1:], strict=True))
    name = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    return Table(name, {column: list(values) for column, values in zip(header, cells, strict=True)})


def _delimiter(text: str) -> str:
    """The mark between cells: whichever divides the header line most often."""
    header = text.split("\n", 1)[0]
    return max(",;\t|", key=header.count)


def _refuse_missing(target: str, cells: Sequence[str]) -> None:
    missing = [row for row, cell in enumerate(cells, start=1) if is_missing(cell)]
    if missing:
        raise TaskError(
            f'column "{target}" has no value in {len(missing)} of {len(cells)} rows (first: data row {missing[0]}); '
            "remove those rows, a target must be known"
        )


def _infer_kind(cells: Sequence[str]) -> Kind:
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        return "classification"
    whole = all(math.isfinite(value) and value == int(value) for value in values)
    return "classification" if whole and len(set(values)) <= MAX_NUMERIC_CLASSES else "regression"


def _classes(target: str, cells: Sequence[str]) -> tuple[str, ...]:
    """The class names in their natural order."""
    counts = Counter(cell.strip() for cell in cells)
    if len(counts) == 1:
        raise TaskError(
            f'column "{target}" has one class only ("{next(iter(counts))}"): there is nothing to tell apart'
        )
    if len(counts) > max(MAX_NUMERIC_CLASSES, len(cells) // 10):
        raise TaskError(
            f'column "{target}" has {len(counts):,} different values in {len(cells):,} rows: too many to be classes; '
            "choose another target, or --kind regression if they are numbers"
        )
    try:
        return tuple(sorted(counts, key=float))
    except ValueError:
        return tuple(sorted(counts))


def _numbers(target: str, cells: Sequence[str]) -> Any:
    values = []
    for row, cell in enumerate(cells, start=1):
        try:
            value = float(cell)
        except ValueError:
            raise TaskError(f'column "{target}" holds {cell!r} in data row {row}; regression needs numbers') from None
        if not math.isfinite(value):
            raise TaskError(f'column "{target}" holds {cell!r} in data row {row}; a target must be a finite number')
        values.append(value)
    return np.array(values)


def _fit(table: Table, target: str, train: Indices) -> tuple[TablePreparation, list[str]]:
    """How to encode every column, from the training rows; and what there is to say about it."""
    columns: list[Column] = []
    dropped: list[str] = []
    notes: list[str] = []
    for name, cells in table.columns.items():
        if name == target:
            continue
        column, note = _fit_column(name, cells, train)
        if column is None:
            dropped.append(name)
        else:
            columns.append(column)
        if note:
            notes.append(note)
    if not columns:
        why = f": {notes[0]}" if notes else ""
        raise TaskError(f'no column is left to predict "{target}" from{why}')
    return TablePreparation(columns=tuple(columns), target=target, dropped=tuple(dropped)), notes


def _fit_column(name: str, cells: Sequence[str], train: Indices) -> tuple[Column | None, str]:
    known = [cell for cell in cells if not is_missing(cell)]
    num_missing = len(cells) - len(known)
    if not known:
        return None, f'"{name}" is left out: it has no values'
    wrong = [cell for cell in known if not _is_number(cell)]
    if wrong and len(wrong) <= FEW_WRONG * len(known):
        raise TaskError(
            f'column "{name}": {len(known) - len(wrong):,} of {len(known):,} values are numbers, but data row '
            f"{cells.index(wrong[0]) + 1} holds {wrong[0]!r}; correct it, or leave the cell empty"
        )
    if not wrong and _numbers_the_rows(name, known):
        return None, f'"{name}" is left out: it only numbers the rows'
    if not wrong:
        values = np.array([math.nan if is_missing(cells[row]) else float(cells[row]) for row in train])
        values = values[~np.isnan(values)]
        if not len(values) or np.ptp(values) == 0:
            return None, f'"{name}" is left out: it is the same in every training row'
        offset, scale = unit_of(values)
        column = Column(
            name=name, kind="number", offset=float(offset), scale=float(scale), flags_missing=num_missing > 0
        )
        note = f'"{name}" lacks {num_missing} values: the mean stands in, with a flag beside it' if num_missing else ""
        return column, note
    different = len({cell.strip() for cell in known})
    if different > MAX_CATEGORIES and different > len(known) // 2:
        return None, f'"{name}" is left out: {different:,} different texts in {len(known):,} rows'
    return _fit_category(name, cells, train, num_missing)


def _fit_category(name: str, cells: Sequence[str], train: Indices, num_missing: int) -> tuple[Column | None, str]:
    counts = Counter("" if is_missing(cells[row]) else cells[row].strip() for row in train)
    if len(counts) < 2:
        return None, f'"{name}" is left out: it is the same in every training row'
    kept = [value for value, _ in counts.most_common(MAX_CATEGORIES)]
    others = [OTHER] if len(counts) > len(kept) else []
    notes = []
    if num_missing:
        notes.append(f"lacks {num_missing} values: missing is a category of its own")
    if others:
        notes.append(f"has {len(counts)} values in training: the {MAX_CATEGORIES} most frequent are kept")
    column = Column(name=name, kind="category", categories=(*sorted(kept), *others))
    return column, f'"{name}" ' + "; ".join(notes) if notes else ""


def _numbers_the_rows(name: str, known: Sequence[str]) -> bool:
    """Whether a column of numbers is an identifier: whole numbers, all different, and called one."""
    values = [float(cell) for cell in known]
    if len(values) < 2 or len(set(values)) < len(values) or any(value != int(value) for value in values):
        return False
    words = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    return not {"id", "index", "uuid", "rownum", "rowid", "unnamed"}.isdisjoint(words)


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False
