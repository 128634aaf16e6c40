"""The ledger: every run of a study, in files and in Optuna's storage; in memory where there is no folder.

The whole record of a run lies in the run's own folder; a trial in Optuna's storage holds its parameters, about ten of
its looks and its value, so that any tool that reads Optuna's storage can follow along. A record is written before its
trial is closed, so a process killed between the two loses nothing.
"""

from __future__ import annotations

import bisect
import math
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot import files
from surefoot.errors import OutputError
from surefoot.protocols import Candidate
from surefoot.records import Evaluation, Objective, RangeTest, Run

if TYPE_CHECKING:
    from surefoot.tuning.trials import Trials

__all__ = ["ELSEWHERE_FILE", "STUDY_FILE", "STUDY_FILES", "Ledger", "recorded_runs"]

STUDY_FILE = "study.db"
ELSEWHERE_FILE = "study.json"
"""Names the study in a database elsewhere."""
STUDY_FILES = (STUDY_FILE, f"{STUDY_FILE}-wal", f"{STUDY_FILE}-shm", ELSEWHERE_FILE)
REPORTS_A_RUN = 10
# A report costs a millisecond: so many seconds apart, they cost less than the 2 % that a ledger may.
SECONDS_BETWEEN_REPORTS = 0.1


class Ledger:
    """The runs of one study.

    Args:
        directory: where the study lives; None keeps it in memory.
        objective: decides the direction of the study.
        storage: URL of a database that Optuna writes to, instead of a file in ``directory``.

    Raises:
        RequestError: there is no database behind the URL.
    """

    def __init__(self, directory: Path | None, objective: Objective, *, storage: str | None = None) -> None:
        self.directory, self._objective = directory, objective
        self._trials = _open_trials(directory, objective, storage)
        self._facts: dict[str, Any] = self._trials.facts() if self._trials is not None else {}
        self._reported: dict[int, int] = {}
        self._last_report = 0.0
        self._runs = [] if directory is None else recorded_runs(directory)
        if self._trials is not None:
            self._trials.repair(self._runs)

    def remember(self, key: str, value: Any) -> None:
        """Keep a JSON value with the study: what was asked for, what a probe said."""
        self._facts[key] = files.finite_or_null(value)
        if self._trials is not None:
            self._trials.remember(key, self._facts[key])

    def recall(self, key: str) -> Any:
        """What ``remember`` kept, or None."""
        return self._facts.get(key)

    @property
    def probes(self) -> tuple[RangeTest, ...]:
        """The range tests that were kept, in order."""
        return tuple(RangeTest.model_validate(test) for test in self.recall("probes") or ())

    @property
    def runs(self) -> tuple[Run, ...]:
        """The finished runs, in the order of their numbers."""
        return tuple(self._runs)

    def folder(self, number: int) -> Path | None:
        """Where a run keeps its files; None without a directory."""
        return None if self.directory is None else self.directory / "runs" / f"{number:03d}"

    def begin(self, candidate: Candidate) -> None:
        """Open a trial; one that a killed process left open is taken over."""
        if self._trials is not None:
            self._trials.begin(candidate)

    def report(self, candidate: Candidate, evaluation: Evaluation, *, horizon: int) -> None:
        """Add a look to the run's trial, sparingly: its last one, and some of those before."""
        value, number = evaluation.metrics[self._objective.name], candidate.number
        part = evaluation.samples * REPORTS_A_RUN // horizon
        if self._trials is None or not math.isfinite(value) or part <= self._reported.get(number, 0):
            return
        if part < REPORTS_A_RUN and time.monotonic() - self._last_report < SECONDS_BETWEEN_REPORTS:
            return
        self._trials.report(number, value, step=evaluation.samples)
        self._reported[number], self._last_report = part, time.monotonic()

    def finish(self, run: Run) -> None:
        """Write the record, then close the trial.

        Raises:
            StorageError: the disk is full; the run begins again from its checkpoint when the study is resumed.
        """
        folder = self.folder(run.number)
        if folder is not None:
            files.write_json(folder / "record.json", run.model_dump())
        bisect.insort(self._runs, run, key=lambda other: other.number)
        self._reported.pop(run.number, None)
        if self._trials is not None:
            self._trials.close(run)

    def close(self) -> None:
        """Let go of the storage, which leaves one whole file."""
        if self._trials is not None:
            self._trials.end()


def _open_trials(directory: Path | None, objective: Objective, storage: str | None) -> Trials | None:
    """The study's trials; None where nobody could look on."""
    if directory is None and storage is None:
        return None
    if directory is not None and (directory / (ELSEWHERE_FILE if storage is None else STUDY_FILE)).exists():
        was = "with a storage of its own: give that again" if storage is None else "without one: leave it out"
        raise OutputError(f"storage is {storage!r}, but the study in {directory} was started {was}")
    from surefoot.tuning.trials import Trials  # Optuna takes half a second, which a study in memory is spared

    if storage is None:
        assert directory is not None
        return Trials(directory / STUDY_FILE, name="surefoot", objective=objective)
    return Trials(storage, name=_name_elsewhere(directory), objective=objective)


def _name_elsewhere(directory: Path | None) -> str:
    """What the study is called among others in a database; the directory remembers it."""
    if directory is None:
        return f"surefoot-{uuid.uuid4().hex[:8]}"
    path = directory / ELSEWHERE_FILE
    if not path.exists():
        files.write_json(path, {"study": f"{directory.resolve().name}-{uuid.uuid4().hex[:8]}"})
    return str(files.read_json(path)["study"])


def recorded_runs(directory: Path) -> list[Run]:
    """The runs with a record, in the order of their numbers."""
    records = (directory / "runs").glob("*/record.json")
    runs = [Run.model_validate_json(path.read_bytes()) for path in records]
    return sorted(runs, key=lambda run: run.number)
