"""Logs in JSON: Hugging Face's trainer_state.json, a Keras history, skorch's history.json, and our own result.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surefoot.diagnosis.assembling import log_of
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.readers.tables import columns_of, text_of
from surefoot.errors import RequestError

__all__ = ["log_of_value", "read_json"]


def read_json(path: Path, *, named: Mapping[str, str]) -> Log:
    """One log in one JSON value.

    Raises:
        RequestError: it is no JSON, or none that is known.
    """
    text, notes = text_of(path)
    try:
        value = json.loads(text)
    except RecursionError:
        raise RequestError(f"{path} is JSON in too many layers to be a log") from None
    except ValueError as error:
        is_cut = not text.rstrip().endswith(("}", "]"))
        why = "it ends in the middle" if is_cut else str(error)
        raise RequestError(f"{path} is not JSON: {why}") from None
    return log_of_value(str(path), value, named=named, notes=notes)


def log_of_value(name: str, value: Any, *, named: Mapping[str, str], notes: Sequence[str] = ()) -> Log:
    """A log from what JSON holds, or Python: a dict of lists, or a list of dicts.

    Raises:
        RequestError: it is neither.
    """
    if isinstance(value, Mapping) and isinstance(value.get("log_history"), list):
        return _log_of_trainer(name, value, named=named, notes=notes)
    if isinstance(value, Mapping) and isinstance(value.get("history"), Mapping):  # a Keras History as JSON
        value = value["history"]
    if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
        # skorch keeps the batches of an epoch inside its row
        rows = [{key: cell for key, cell in row.items() if not isinstance(cell, list | dict)} for row in value]
        return log_of(name, columns_of(rows), named=named, notes=notes)
    if isinstance(value, Mapping):
        columns = {str(key): list(cells) for key, cells in value.items() if _is_column(cells)}
        if columns:
            return log_of(name, _evened(columns), named=named, notes=notes)
    raise RequestError(
        f"{name} holds no log that is known: a list of objects, an object of lists, or Hugging Face's trainer_state"
    )


def _log_of_trainer(name: str, state: Mapping[str, Any], *, named: Mapping[str, str], notes: Sequence[str]) -> Log:
    """Hugging Face's Trainer writes training and evaluation as separate rows, and a summary at the end."""
    rows = [dict(row) for row in state["log_history"] if isinstance(row, Mapping)]
    steps = [row for row in rows if "train_runtime" not in row]  # its train_loss is a mean over the whole training
    if not steps:
        raise RequestError(f"{name} has an empty log_history: the training was stopped before it logged anything")
    merged: dict[Any, dict[str, Any]] = {}
    for row in steps:
        merged.setdefault(row.get("step"), {}).update(row)
    return log_of(name, columns_of(list(merged.values())), named=named, notes=notes)


def _is_column(cells: Any) -> bool:
    return isinstance(cells, Sequence) and not isinstance(cells, str | bytes) and len(cells) > 0


def _evened(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """All as long as the longest: shorter ones began at the same place."""
    longest = max(map(len, columns.values()))
    return {name: cells + [None] * (longest - len(cells)) for name, cells in columns.items()}
