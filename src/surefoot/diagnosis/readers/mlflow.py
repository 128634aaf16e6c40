"""MLflow's metrics: folders with a file a metric, a line a value with its time and its step; or its database."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from surefoot.diagnosis.log import Log
from surefoot.diagnosis.readers.database import opened, tables_in
from surefoot.diagnosis.readers.opening import Lines, shown
from surefoot.diagnosis.readers.tagged import TaggedRun, logs_that_read
from surefoot.diagnosis.table import number
from surefoot.errors import RequestError
from surefoot.language import say

__all__ = ["is_mlflow", "metrics_folder", "read_database", "read_metrics"]

MOST_RUNS = 1000
_NAMED = "run_name:"


def metrics_folder(file: Path) -> Path | None:
    """The folder "metrics" of a run in which a file lies, None where it lies in none; runs have a meta.yaml."""
    return next(
        (above for above in file.parents if above.name == "metrics" and (above.parent / "meta.yaml").is_file()), None
    )


def read_metrics(files: Iterable[Path], *, named: Mapping[str, str]) -> list[Log]:
    """The logs of metric files, one a run; runs without a loss are passed over where others have one.

    Raises:
        RequestError: none has one.
    """
    runs: dict[Path, TaggedRun] = {}
    for file in files:
        folder = metrics_folder(file)
        if folder is not None:
            _read(file, file.relative_to(folder).as_posix(), runs.setdefault(folder, TaggedRun()))
    return logs_that_read({_name_of(folder.parent): run for folder, run in runs.items()}, named)


def is_mlflow(path: Path) -> bool:
    """Whether a database is one of MLflow's.

    Raises:
        RequestError: it cannot be read.
    """
    return {"runs", "metrics", "experiments"} <= tables_in(path)


def read_database(path: Path, *, named: Mapping[str, str]) -> list[Log]:
    """The logs of the runs in MLflow's database, where it keeps them since its third version.

    Raises:
        RequestError: it cannot be read, or no run has a loss.
    """
    found: dict[str, TaggedRun] = {}
    with opened(path, whose="MLflow's") as database:
        runs = database.execute(
            "SELECT run_uuid, name FROM runs WHERE lifecycle_stage = 'active' ORDER BY start_time LIMIT ?",
            (MOST_RUNS + 1,),
        ).fetchall()
        for key, name in runs[:MOST_RUNS]:
            said = f"{path}: {name or key}"
            found[said if said not in found else f"{said} ({key})"] = _run(database, key)
    if not found:
        raise RequestError(f"{shown(path)} has no run in it")
    if len(runs) > MOST_RUNS:
        next(iter(found.values())).notes.append(
            say("it holds more than {most:,} runs; those after them were left out", most=MOST_RUNS)
        )
    return logs_that_read(found, named)


def _run(database: sqlite3.Connection, key: str) -> TaggedRun:
    run = TaggedRun()
    rows = database.execute(
        "SELECT key, value, is_nan, step, timestamp FROM metrics WHERE run_uuid = ? ORDER BY rowid", (key,)
    )
    for tag, value, is_nan, step, time in rows:
        run.put(str(tag), float(step), math.nan if is_nan else number(float(value)), time=float(time))
    return run


def _name_of(folder: Path) -> str:
    """A run's folder, and the name that its user or MLflow gave it."""
    said = next((line for line in Lines(folder / "meta.yaml") if line.startswith(_NAMED)), "")
    name = said.removeprefix(_NAMED).strip(" '\"")
    return f"{folder} ({name})" if name else str(folder)


def _read(file: Path, tag: str, run: TaggedRun) -> None:
    lines = Lines(file)
    for place, line in enumerate(lines, start=1):
        cells = line.split()
        value = number(cells[1]) if len(cells) >= 2 else None
        time, step = number(cells[0]) if cells else None, number(cells[2]) if len(cells) >= 3 else float(place)
        if isinstance(value, float) and isinstance(step, float) and math.isfinite(step):
            run.put(tag, step, value, time=time if isinstance(time, float) and math.isfinite(time) else 0.0)
    run.notes += lines.notes()
