"""The studies in an SQLite file of Optuna's, read from its tables as they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from surefoot.diagnosis.readers.opening import shown
from surefoot.diagnosis.table import plain
from surefoot.errors import RequestError
from surefoot.language import say

__all__ = ["is_database", "studies_in"]

MARK = b"SQLite format 3\0"


def is_database(path: Path) -> bool:
    """Whether a file is SQLite's, as Optuna keeps studies in.

    Raises:
        RequestError: it cannot be opened.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(len(MARK)) == MARK
    except OSError as error:
        raise RequestError(f"{shown(path)} cannot be read: {error.strerror or error}") from None


def studies_in(path: Path) -> list[tuple[Any, list[str]]]:
    """Every study of a file, held in memory without what its trials reported on the way; and what was left out of it.

    Optuna's own storage builds an object of every cell, 36 times the size of the file, may write into it, and refuses
    the files of older versions.

    Raises:
        RequestError: it is no file of Optuna's, or has no study.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as database:
            _bound(database, path.stat().st_size)
            database.text_factory = lambda text: text.decode(errors="replace")
            studies = database.execute("SELECT study_id, study_name FROM studies ORDER BY study_id").fetchall()
            found = [_study(database, key, str(name)) for key, name in studies]
    except Exception as error:  # noqa: BLE001 - whatever SQLite and Optuna make of cells that are damaged
        why = plain(str(error) or type(error).__name__, longest=300)
        raise RequestError(f"{shown(path)} is no database of Optuna's that can be read: {why}") from None
    if not found:
        raise RequestError(f"{shown(path)} has no study in it")
    return found


def _bound(database: sqlite3.Connection, size: int) -> None:
    """No query of a file may take more than its size allows: a table can be a view that never ends."""
    room = iter(range(size // 1000 + 1000))
    database.set_progress_handler(lambda: next(room, None) is None, 100_000)
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(size, 10**6))


def _study(database: sqlite3.Connection, key: int, name: str) -> tuple[Any, list[str]]:
    import optuna

    from surefoot.tuning.storage import quiet

    of_study = "WHERE study_id = ? ORDER BY objective"
    rows = database.execute(f"SELECT direction FROM study_directions {of_study}", (key,))  # noqa: S608 - it is above
    directions = [optuna.study.StudyDirection[direction] for (direction,) in rows]
    with quiet():
        study = optuna.create_study(study_name=name, directions=directions)
        unread = 0
        for trial in _trials(database, key):
            try:
                study.add_trial(optuna.trial.create_trial(**trial))
            except (ValueError, TypeError):
                unread += 1
    return study, [say("trials that say what cannot be were left out: {count}", count=unread)] if unread else []


def _trials(database: sqlite3.Connection, key: int) -> Iterator[dict[str, Any]]:
    """The arguments of every trial, in their order."""
    import optuna

    known: dict[str, Any] = {}  # most trials draw from the same few distributions
    rows = database.execute("SELECT trial_id, state FROM trials WHERE study_id = ? ORDER BY number", (key,))
    for trial, state in rows:
        params, distributions = {}, {}
        cells = database.execute(
            "SELECT param_name, param_value, distribution_json FROM trial_params WHERE trial_id = ?", (trial,)
        )
        for name, value, text in cells:
            if text not in known:
                known[text] = optuna.distributions.json_to_distribution(text)
            distributions[name], params[name] = known[text], known[text].to_external_repr(value)
        values = database.execute("SELECT value FROM trial_values WHERE trial_id = ? ORDER BY objective", (trial,))
        ends = [float("inf") if value is None else value for (value,) in values]  # Optuna keeps infinity as a blank
        yield {
            "state": optuna.trial.TrialState[state],
            "values": ends or None,
            "params": params,
            "distributions": distributions,
        }
