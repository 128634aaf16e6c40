"""From what a person types as TARGET to a Task."""

from __future__ import annotations

import copy
import difflib
from pathlib import Path
from typing import Any

from surefoot.errors import TaskError, nearest, raised_at
from surefoot.tasks.builder import load_file
from surefoot.tasks.builtin import BUILTIN, builtin
from surefoot.tasks.table import Kind, table_task
from surefoot.tasks.task import Task, require_epochs

__all__ = ["resolve"]

TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")


def resolve(
    target: str,
    *,
    column: str | None = None,
    kind: Kind | None = None,
    epochs: float | None = None,
    weights: str | None = None,
    groups: str | None = None,
    time: str | None = None,
) -> Task:
    """The task that ``target`` names: a built-in one, a table in a file, or ``file.py:name``.

    Args:
        target: "digits", "table.csv" or "my_model.py:task".
        column: the column to predict, for a table.
        kind: "classification" or "regression", for a table; None infers.
        epochs: the horizon; None keeps the task's own.
        weights: the column that says how much a row counts, for a table.
        groups: the column whose rows with one value stay in one part, for a table.
        time: the column whose oldest rows train and whose newest test, for a table.

    Raises:
        TaskError: there is no such task, file, column or name, or the user's code failed.
    """
    if epochs is not None:
        require_epochs(epochs)
    if target.lower().endswith(TABLE_ENDINGS):
        if column is None:
            raise TaskError(f"which column of {target} should be predicted? Say it with --target COLUMN")
        return table_task(target, target=column, kind=kind, epochs=epochs, weights=weights, groups=groups, time=time)
    if any(option is not None for option in (column, kind, weights, groups, time)):
        raise TaskError(
            f"--target, --kind, --weights, --groups and --time are for tables; {target} is not a file that ends in "
            ".csv or .tsv"
        )
    task = _from_python(target) if ".py" in target else _from_builtin(target)
    if epochs is not None:
        task = copy.copy(task)  # the user's own may be a module's variable
        task.epochs = float(epochs)
    return task


def _from_builtin(target: str) -> Task:
    if target not in BUILTIN:
        close = difflib.get_close_matches(target.lower(), BUILTIN, n=1, cutoff=0.6)
        hint = f'did you mean "{close[0]}"? ' if close else ""
        raise TaskError(
            f'there is no task "{target}"; {hint}Built in: {", ".join(sorted(BUILTIN))}. '
            "Or give a table.csv with --target COLUMN, or my_model.py:name"
        )
    return builtin(target)


def _from_python(target: str) -> Task:
    place, _, name = target.rpartition(":")
    if not place.endswith(".py") or not name:
        raise TaskError(
            f'"{target}" does not say which task: write {target.split(":")[0]}:name, as in my_model.py:task'
        )
    module = load_file(Path(place))
    if not hasattr(module, name):
        names = [key for key in vars(module) if not key.startswith("_")]
        raise TaskError(f'{place} has no "{name}"; {nearest(name, names)}')
    found = _called(getattr(module, name), target)
    if not isinstance(found, Task):
        raise TaskError(f"{target} must be a surefoot.Task or a function that returns one, not {type(found).__name__}")
    if found.name == "task":
        found.name = Path(place).stem
    return found


def _called(found: Any, target: str) -> Any:
    if isinstance(found, Task) or not callable(found):
        return found
    try:
        return found()
    except TaskError:
        raise
    except Exception as error:
        raise TaskError(f"{target} failed at {raised_at(error)}") from error
