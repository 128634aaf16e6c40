"""A study as Optuna sees it: one trial a run, its step in samples, so that any tool that reads Optuna can look on."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from surefoot.callbacks import is_by_callback
from surefoot.protocols import Candidate
from surefoot.recipe import OptimizerName, Recipe
from surefoot.records import Objective, Run
from surefoot.tuning.storage import open_file, open_url, quiet, storing

__all__ = ["Trials", "direction_of", "ending_of"]

_DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "optimizer": CategoricalDistribution(get_args(OptimizerName)),
    "learning_rate": FloatDistribution(1e-300, 1e300, log=True),
    "weight_decay": FloatDistribution(0.0, 1e300),
    "decay": FloatDistribution(0.0, 1e300),
    "share": FloatDistribution(0.0, 1e3),
    "batch_size": IntDistribution(1, 2**40),
}


class Trials:
    """The trials of one study.

    A run's number is its trial's number. Optuna's storage is used without its Study, which would read every trial
    again at every turn.

    Args:
        place: a file for SQLite, or the URL of a database.
        name: of the study, in a database that holds several.
        objective: decides the direction of the study.
    """

    def __init__(self, place: Path | str, *, name: str, objective: Objective) -> None:
        self._place, self._path = str(place), place if isinstance(place, Path) else None
        if self._path is None:
            self._place = f"its storage, study {name}"
        self._storage: RDBStorage = open_url(place) if isinstance(place, str) else open_file(place)
        self._ids: dict[int, int] = {}
        with self._storing(), quiet():
            try:
                self._study = self._storage.create_new_study([direction_of(objective)], name)
            except DuplicatedStudyError:
                self._study = self._storage.get_study_id_from_name(name)

    def remember(self, key: str, value: Any) -> None:
        """Keep a JSON value with the study."""
        with self._storing():
            self._storage.set_study_user_attr(self._study, key, value)

    def facts(self) -> dict[str, Any]:
        """Everything that was remembered."""
        with self._storing():
            return dict(self._storage.get_study_user_attrs(self._study))

    def begin(self, candidate: Candidate) -> None:
        """Open a trial; one that a killed process left open is taken over."""
        if self._id(candidate.number) is None:
            recipe, coordinates = candidate.recipe, candidate.coordinates
            self._add(candidate.number, _trial(candidate.name, candidate.stage, candidate.share, recipe, coordinates))

    def report(self, number: int, value: float, *, step: int) -> None:
        """Add a look to a run's trial, in the place of one at the same step."""
        with self._storing():
            self._storage.set_trial_intermediate_value(self._require(number), step, value)

    def close(self, run: Run) -> None:
        """Close a run's trial."""
        trial, (state, value) = self._require(run.number), ending_of(run)
        with self._storing():
            self._storage.set_trial_user_attr(trial, "status", run.status)
            if run.reason:
                self._storage.set_trial_user_attr(trial, "reason", run.reason)
            self._storage.set_trial_state_values(trial, state, None if value is None else [value])
        self._ids.pop(run.number, None)

    def repair(self, runs: Sequence[Run]) -> None:
        """Close trials that a killed process left open beside a record, and write those that a power cut took.

        Args:
            runs: those with a record, in the order of their numbers.
        """
        with self._storing():
            running = self._storage.get_all_trials(self._study, deepcopy=False, states=(TrialState.RUNNING,))
        self._ids.update((trial.number, trial._trial_id) for trial in running)
        is_open = {trial.number for trial in running}
        if runs and self._id(runs[-1].number) is None:
            is_open |= {run.number for run in runs if self._id(run.number) is None}
        for run in runs:
            if run.number in is_open:
                while self._id(run.number) is None:
                    self._add(None, _trial(run.name, run.stage, run.share, Recipe(**run.recipe), run.coordinates))
                self.close(run)

    def end(self) -> None:
        """Let go of the storage; the next use opens it again."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def _add(self, number: int | None, trial: FrozenTrial) -> None:
        with self._storing():
            added = self._storage.create_new_trial(self._study, trial)
        if number is not None:
            self._ids[number] = added

    def _id(self, number: int) -> int | None:
        """Optuna's own number of a run's trial; None when there is no trial."""
        if number not in self._ids:
            with self._storing(), contextlib.suppress(KeyError):
                self._ids[number] = self._storage.get_trial_id_from_study_id_trial_number(self._study, number)
        return self._ids.get(number)

    def _require(self, number: int) -> int:
        found = self._id(number)
        assert found is not None, f"run {number} was not begun"
        return found

    def _storing(self) -> contextlib.AbstractContextManager[None]:
        return storing(self._place, self._path)


def direction_of(objective: Objective) -> StudyDirection:
    """Whether less or more is better, in Optuna's words."""
    return StudyDirection.MINIMIZE if objective.direction == "min" else StudyDirection.MAXIMIZE


def ending_of(run: Run) -> tuple[TrialState, float | None]:
    """How a run ended in Optuna's words: a run that diverged is pruned without a value, a callback's choice with one.

    An algorithm that failed has told something, which Optuna's FAIL would throw away.
    """
    if run.status not in {"completed", "stopped_early"} or not math.isfinite(run.value):
        return TrialState.PRUNED, None
    return (TrialState.PRUNED if is_by_callback(run.reason) else TrialState.COMPLETE), run.value


def _trial(name: str, stage: str, share: float, recipe: Recipe, coordinates: dict[str, Any]) -> FrozenTrial:
    """A trial that has begun."""
    settings = recipe.optimizer
    parameters: dict[str, Any] = {
        "optimizer": settings.name,
        "learning_rate": settings.learning_rate,
        "weight_decay": settings.weight_decay,
        "share": share,
    }
    if recipe.batch.size is not None:
        parameters["batch_size"] = recipe.batch.size
    if "decay" in coordinates:
        parameters["decay"] = coordinates["decay"]
    trial = create_trial(
        state=TrialState.RUNNING,
        params=parameters,
        distributions={name: _DISTRIBUTIONS[name] for name in parameters},
        user_attrs={"name": name, "stage": stage, "recipe": json.dumps(recipe.to_dict())},
    )
    trial.datetime_start = datetime.now()
    return trial
