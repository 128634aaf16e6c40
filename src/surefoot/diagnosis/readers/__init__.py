"""Readers of other tools' logs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surefoot.diagnosis.columns import require_roles
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.readers.events import is_event_file, read_events
from surefoot.diagnosis.readers.json_logs import read_json
from surefoot.diagnosis.readers.objects import read_object
from surefoot.diagnosis.readers.tables import read_json_lines, read_table
from surefoot.errors import RequestError

__all__ = ["read_logs"]

# What a folder of a training may hold, the first that is there being read.
_IN_FOLDERS = ("trainer_state.json", "metrics.csv", "history.json", "history.csv", "training_log.csv")


def read_logs(source: Any, *, columns: Mapping[str, str] | None = None) -> list[Log]:
    """The logs in a file, a folder or an object; an event folder may hold several.

    Args:
        source: a path, or what a training loop handed back.
        columns: role -> column, for columns that are not recognised.

    Raises:
        RequestError: it cannot be read, or no loss or accuracy is recognised in it.
    """
    named = dict(columns or {})
    require_roles(named)
    if not isinstance(source, str | os.PathLike):
        return [read_object(source, named=named)]
    path = Path(os.fspath(source))
    if path.is_dir():
        return _read_folder(path, named)
    if not path.exists():
        raise RequestError(f"{path} does not exist")
    if is_event_file(path):
        return read_events(path, named=named)
    if path.suffix in (".jsonl", ".ndjson"):
        return [read_json_lines(path, named=named)]
    if path.suffix == ".json":
        return [read_json(path, named=named)]
    return [read_table(path, named=named)]


def _read_folder(path: Path, named: Mapping[str, str]) -> list[Log]:
    for name in _IN_FOLDERS:
        if (path / name).is_file():
            return read_logs(path / name, columns=named)
    states = sorted(path.glob("checkpoint-*/trainer_state.json"), key=lambda state: state.stat().st_mtime)
    if states:  # Hugging Face's Trainer keeps its log in its checkpoints, the newest one all of it
        return read_logs(states[-1], columns=named)
    tables = sorted(path.glob("*.csv"))
    if tables and not any(is_event_file(file) for file in path.rglob("*")):
        return [log for table in tables for log in read_logs(table, columns=named)]
    return read_events(path, named=named)
