"""Readers of other tools' logs."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from surefoot.diagnosis.columns import require_roles
from surefoot.diagnosis.log import Log
from surefoot.diagnosis.readers.database import is_database
from surefoot.diagnosis.readers.events import is_event_file, read_events
from surefoot.diagnosis.readers.json_logs import read_json
from surefoot.diagnosis.readers.mlflow import metrics_folder, read_database, read_metrics
from surefoot.diagnosis.readers.objects import read_object
from surefoot.diagnosis.readers.opening import beginning_of, kind_of, shown
from surefoot.diagnosis.readers.screen import is_screen, read_screen
from surefoot.diagnosis.readers.tables import read_json_lines, read_table
from surefoot.diagnosis.readers.wandb_file import is_wandb, read_wandb
from surefoot.errors import RequestError
from surefoot.language import say

__all__ = ["read_logs"]

# What a folder of a training may hold, the first that is there being read.
_IN_FOLDERS = (
    *("trainer_state.json", "metrics.csv", "history.json", "history.csv", "training_log.csv"),
    *("results.csv", "summary.csv", "result.json", "metrics.json", "mlflow.db"),  # Ultralytics, timm, Ray, Detectron2
)
_CHECKPOINT = re.compile(r"checkpoint-\d+$")
MOST_FILES = 100_000
# An object that stands behind what a logger writes before it, or is Python's.
_OBJECT_BEHIND = re.compile(r"""^[^{\n"']+\{["'].*\}\s*$|^\{'.*\}\s*$""", re.MULTILINE)


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
    return _read_folder(path, named) if kind_of(path) == "folder" else _read_file(path, named)


def _read_file(path: Path, named: Mapping[str, str]) -> list[Log]:
    if is_event_file(path):
        return read_events(path, [path], named=named)
    if is_wandb(path):
        return [read_wandb(path, named=named)]
    if is_database(path):
        return read_database(path, named=named)
    if path.suffix in (".jsonl", ".ndjson"):
        return [read_json_lines(path, named=named)]
    if path.suffix == ".json":
        return [read_json(path, named=named)]
    beginning = beginning_of(path)
    if _OBJECT_BEHIND.search(beginning):
        return [read_json_lines(path, named=named)]
    if path.suffix not in (".csv", ".tsv") and is_screen(beginning):
        return [read_screen(path, named=named)]
    return [read_json(path, named=named)] if beginning[:1] in ("{", "[") else read_table(path, named=named)


def _read_folder(path: Path, named: Mapping[str, str]) -> list[Log]:
    for name in _IN_FOLDERS:
        if (path / name).is_file():
            return _read_file(path / name, named)
    files = _files_below(path)
    known = _known_in(path, files)
    events = [file for file in files if is_event_file(file)]
    refused: list[RequestError] = []
    if known:
        logs = _read_some(known, named, refused)
        if logs:
            said = say("event files beside them were not read: {count}", count=len(events))
            return _with_notes(logs, (said,) if events else ())
    if events:
        return read_events(path, events, named=named)
    if any(metrics_folder(file) for file in files):
        return read_metrics(files, named=named)
    runs = [file for file in files if is_wandb(file)]
    tables = [file for file in files if file.parent == path and file.suffix == ".csv"]
    logs = _read_some(runs or tables, named, refused)
    if logs:
        return logs
    if refused:
        raise refused[0]
    raise RequestError(f"{shown(path)} has no log in it that is known by its name: give the file itself")


def _known_in(path: Path, files: Sequence[Path]) -> list[Path]:
    """The logs below a folder that are known by their names, one for each training.

    Hugging Face's Trainer keeps its log in its checkpoints, the newest one all of it; Lightning makes a folder for
    each version, Ray for each trial.
    """
    found: dict[Path, tuple[tuple[int, float], Path]] = {}
    for file in files:
        if file.name not in _IN_FOLDERS:
            continue
        is_checkpoint = _CHECKPOINT.match(file.parent.name) is not None and file.parent != path
        training = file.parent.parent if is_checkpoint else file.parent
        rank = (-1 if is_checkpoint else len(_IN_FOLDERS) - _IN_FOLDERS.index(file.name), file.stat().st_mtime)
        if training not in found or rank > found[training][0]:
            found[training] = rank, file
    return [file for _, file in found.values()]


def _read_some(files: Sequence[Path], named: Mapping[str, str], refused: list[RequestError]) -> list[Log]:
    """The logs among some files, which need not all be some; what is none is said, and kept in ``refused``."""
    logs: list[Log] = []
    for file in files:
        try:
            logs += _read_file(file, named)
        except RequestError as error:
            refused.append(error)
    return _with_notes(logs, [say("no log: {why}", why=str(error)) for error in refused]) if logs else []


def _with_notes(logs: Sequence[Log], notes: Sequence[str]) -> list[Log]:
    return [replace(logs[0], notes=(*logs[0].notes, *notes)), *logs[1:]]


def _files_below(path: Path) -> list[Path]:
    """Every file in a folder and in those below it; links to folders are not followed."""
    entries = list(itertools.islice(path.rglob("*"), MOST_FILES + 1))
    if len(entries) > MOST_FILES:
        raise RequestError(f"{shown(path)} holds more than {MOST_FILES:,} files; give the folder of one training")
    return sorted(entry for entry in entries if entry.is_file())
