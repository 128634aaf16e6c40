"""The studies in an SQLite file of Optuna's, read from its tables as they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from surefoot.diagnosis.readers.database import opened
from surefoot.diagnosis.readers.opening import shown
from surefoot.errors import RequestError
from surefoot.language import say

__all__ = ["held", "studies_in"]


def studies_in(path: Path) -> list[tuple[Any, list[str]]]:
    """Every study of a file, held in memory without what its trials reported on the way; and what was left out of it.

    Optuna's own storage builds an object of every cell, 36 times the size of the file, may write into it, and refuses
    the files of older versions.

    Raises:
        RequestError: it is no file of Optuna's, or has no study.
    """
    with opened(path, whose="Optuna's") as database:
        studies = database.execute("SELECT study_id, study_name FROM studies ORDER BY study_id").fetchall()
        found = [_study(database, key, str(name)) for key, name in studies]
    if not found:
        raise RequestError(f"{shown(path)} has no study in it")
    return found


def _study(database: sqlite3.Connection, key: int, name: str) -> tuple[Any, list[str]]:
    of_study = "WHERE study_id = ? ORDER BY objective"
    rows = database.execute(f"SELECT direction FROM study_directions {of_study}", (key,))  # noqa: S608 - it is above
    return held(name, [direction for (direction,) in rows], _trials(database, key))


def held(name: str, directions: Sequence[str], trials: Iterable[dict[str, Any]]) -> tuple[Any, list[str]]:
    """A study in memory, and what was left out of it.

    Args:
        name: of the study.
        directions: "MINIMIZE" or "MAXIMIZE" for each objective.
        trials: the arguments of ``optuna.trial.create_trial``.
    """
    import optuna

    from surefoot.tuning.storage import quiet

    with quiet():
        study = optuna.create_study(
            study_name=name, directions=[optuna.study.StudyDirection[direction] for direction in directions]
        )
        unread = 0
        for trial in trials:
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
