"""The ledger: every run of a study, in Optuna's storage and, where there is a folder, in files beside it.

One trial is one run, its step in samples. The trial holds the parameters, the looks and the value, so any tool that
reads Optuna's storage can follow along; the whole record lies in the run's own folder. A record is written before its
trial is closed, so a process killed between the two loses nothing.
"""

from __future__ import annotations

import bisect
import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.study import StudyDirection
from optuna.trial import TrialState

from surefoot import files
from surefoot.protocols import Candidate
from surefoot.recipe import OptimizerName
from surefoot.records import Evaluation, Objective, RangeTest, Run

__all__ = ["STUDY_FILE", "Ledger"]

STUDY_FILE = "study.db"
_STATES = {"completed": TrialState.COMPLETE, "stopped_early": TrialState.COMPLETE}
_DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "optimizer": CategoricalDistribution(get_args(OptimizerName)),
    "learning_rate": FloatDistribution(1e-300, 1e300, log=True),
    "weight_decay": FloatDistribution(0.0, 1e300),
    "decay": FloatDistribution(0.0, 1e300),
    "share": FloatDistribution(0.0, 1e3),
}


class Ledger:
    """The runs of one study.

    Args:
        directory: where the study lives; None keeps it in memory.
        objective: decides the direction of the study.
    """

    def __init__(self, directory: Path | None, objective: Objective) -> None:
        self.directory = directory
        direction = StudyDirection.MINIMIZE if objective.direction == "min" else StudyDirection.MAXIMIZE
        with _quiet():
            storage = None
            if directory is not None:
                directory.mkdir(parents=True, exist_ok=True)
                storage = optuna.storages.RDBStorage(f"sqlite:///{(directory / STUDY_FILE).resolve()}")
            self._study = optuna.create_study(
                storage=storage, study_name="surefoot", direction=direction, load_if_exists=True
            )
        self._reported: dict[int, int] = {}
        self._objective = objective
        self._runs = self._repaired()

    def remember(self, key: str, value: Any) -> None:
        """Keep a JSON value with the study: what was asked for, what a probe said."""
        self._study.set_user_attr(key, files.finite_or_null(value))

    def recall(self, key: str) -> Any:
        """What ``remember`` kept, or None."""
        return self._study.user_attrs.get(key)

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
        if any(trial.number == candidate.number for trial in self._study.get_trials(deepcopy=False)):
            return
        settings = candidate.recipe.optimizer
        parameters = {
            "optimizer": settings.name,
            "learning_rate": settings.learning_rate,
            "weight_decay": settings.weight_decay,
            "share": candidate.share,
        }
        if "decay" in candidate.coordinates:
            parameters["decay"] = candidate.coordinates["decay"]
        self._study.add_trial(
            optuna.create_trial(
                state=TrialState.RUNNING,
                params=parameters,
                distributions={name: _DISTRIBUTIONS[name] for name in parameters},
                user_attrs={
                    "name": candidate.name,
                    "stage": candidate.stage,
                    "recipe": json.dumps(candidate.recipe.to_dict()),
                },
            )
        )

    def report(self, candidate: Candidate, evaluation: Evaluation, *, horizon: int) -> None:
        """Add about ten of a run's looks to its trial: each costs milliseconds."""
        value, tenth = evaluation.metrics[self._objective.name], evaluation.samples * 10 // horizon
        if math.isfinite(value) and tenth > self._reported.get(candidate.number, 0):
            self._reported[candidate.number] = tenth
            trial = self._trial(candidate.number)
            if evaluation.samples not in self._study.trials[candidate.number].intermediate_values:
                trial.report(value, step=evaluation.samples)

    def _trial(self, number: int) -> optuna.Trial:
        return optuna.Trial(self._study, self._study.get_trials(deepcopy=False)[number]._trial_id)

    def finish(self, run: Run) -> None:
        """Write the record, then close the trial."""
        folder = self.folder(run.number)
        if folder is not None:
            files.write_json(folder / "record.json", run.model_dump())
        self._close(run)
        bisect.insort(self._runs, run, key=lambda other: other.number)

    def _close(self, run: Run) -> None:
        state = _STATES.get(run.status, TrialState.PRUNED)
        value = run.value if state == TrialState.COMPLETE and math.isfinite(run.value) else None
        if value is None:
            state = TrialState.PRUNED
        trial = self._trial(run.number)
        trial.set_user_attr("status", run.status)
        if run.reason:
            trial.set_user_attr("reason", run.reason)
        with _quiet():
            self._study.tell(run.number, value, state=state)

    def _repaired(self) -> list[Run]:
        """The finished runs; a trial whose record was written but which stayed open is closed."""
        runs: list[Run] = []
        for trial in self._study.get_trials(deepcopy=False):
            folder = self.folder(trial.number)
            record = None if folder is None else folder / "record.json"
            if record is None or not record.exists():
                continue
            run = Run.model_validate(files.read_json(record))
            runs.append(run)
            if not trial.state.is_finished():
                self._close(run)
        return runs


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Optuna's chatter off, then as it was."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
