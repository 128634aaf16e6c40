"""Recorded runs as an Optuna study in memory: what a sampler and a pruner of Optuna's decide by.

A study that is resumed, in another process perhaps, must decide as the first would have. So nothing that Optuna keeps
between two decisions is relied upon: samplers and pruners are made anew, what they leave with a trial travels in the
run's coordinates, and what a pruner leaves with a trial is made again by showing it the run's looks.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import InMemoryStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from surefoot import seeds
from surefoot.records import Evaluation, Objective, Run
from surefoot.tuning.optuna_names import Choice
from surefoot.tuning.storage import quiet
from surefoot.tuning.trials import direction_of, ending_of

__all__ = ["MEMORY", "Replay"]

MEMORY = "optuna"
"""The coordinate that holds what a sampler leaves with a trial, and with its study."""


class _Finished(FrozenTrial):
    """A trial that changes no more: a storage in memory, which copies what it is given, may share its parts."""

    def __deepcopy__(self, memo: object) -> FrozenTrial:
        del memo
        return copy.copy(self)


@dataclass
class Replay:
    """Studies in memory that stand where a study stood when a wave began.

    Args:
        choice: of the sampler and the pruner.
        distributions: of every parameter.
        objective: decides the direction.
        seed: of the study; a run's own sampler is seeded from it and the run's number.
        num_looks: looks at a run over the whole horizon.
    """

    choice: Choice
    distributions: Mapping[str, BaseDistribution]
    objective: Objective
    seed: int
    num_looks: int
    _seen: list[tuple[Run, FrozenTrial]] = field(default_factory=list)

    def study(self, runs: Sequence[Run], *, number: int, wave: int) -> Study:
        """The study of the finished ``runs`` before a wave, for the run with this number.

        Args:
            runs: those with numbers below the wave's, in their order.
            number: of the run that it is for.
            wave: how many runs a wave has.
        """
        self._see(runs, wave)
        trials = [trial for _, trial in self._seen[: len(runs)]]
        study = self._empty(number)
        for trial in trials:
            study.add_trial(trial)
        for key, value in (_memory(runs[-1]).get("study", {}) if runs else {}).items():
            study._storage.set_study_system_attr(study._study_id, key, value)
        return study

    def ask(self, study: Study) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the study's sampler proposes, and what it leaves behind."""
        with warnings.catch_warnings(), quiet():
            warnings.simplefilter("ignore")
            trial = study.ask(dict(self.distributions))
        storage, frozen = study._storage, study._storage.get_trial(trial._trial_id)
        memory = {"trial": frozen.system_attrs, "study": storage.get_study_system_attrs(study._study_id)}
        return dict(trial.params), {key: dict(value) for key, value in memory.items() if value}

    def begin(self, study: Study, values: Mapping[str, Any], memory: Mapping[str, Any]) -> Trial:
        """A run on its way, with the values it was given."""
        study.add_trial(self._trial(TrialState.RUNNING, values, memory, None, {}))
        number = len(study.get_trials(deepcopy=False)) - 1
        return Trial(study, study._storage.get_trial_id_from_study_id_trial_number(study._study_id, number))

    def should_prune(self, trial: Trial, looks: Sequence[Evaluation]) -> bool:
        """What the pruner says to the last of the looks, after those of them that it has not seen yet."""
        known = len(trial.storage.get_trial(trial._trial_id).intermediate_values)
        answer = False
        for step, look in list(enumerate(looks, start=1))[known:]:
            trial.report(look.metrics[self.objective.name], step=step)
            answer = trial.should_prune()
        return answer

    def _see(self, runs: Sequence[Run], wave: int) -> None:
        """Make the trials of runs that were not seen yet, or not like this."""
        same = 0
        for (known, _), run in zip(self._seen, runs, strict=False):
            if known is not run and known != run:
                break
            same += 1
        del self._seen[same:]
        for run in runs[same:]:
            self._seen.append((run, self._finished(run, runs, wave)))

    def _finished(self, run: Run, runs: Sequence[Run], wave: int) -> FrozenTrial:
        state, value = ending_of(run)
        is_comparable = value is not None and run.share >= 1.0
        looks = [look.metrics[self.objective.name] for look in run.evaluations] if is_comparable else []
        memory = {**_memory(run).get("trial", {}), **self._left_by_pruner(run, runs, wave)}
        values = {key: run.coordinates["values"][key] for key in self.distributions}
        trial = self._trial(state, values, {"trial": memory}, value, dict(enumerate(looks, start=1)))
        trial.__class__ = _Finished
        return trial

    def _left_by_pruner(self, run: Run, runs: Sequence[Run], wave: int) -> dict[str, Any]:
        if not self.choice.prunes or run.share < 1.0:
            return {}
        study = self._empty(run.number)
        first = run.number - run.number % wave
        for _, trial in self._seen[:first]:
            study.add_trial(trial)
        for other in runs[first : run.number]:
            self.begin(study, other.coordinates["values"], _memory(other))
        begun = self.begin(study, run.coordinates["values"], _memory(run))
        self.should_prune(begun, run.evaluations)
        return dict(begun.storage.get_trial(begun._trial_id).system_attrs)

    def _trial(
        self,
        state: TrialState,
        values: Mapping[str, Any],
        memory: Mapping[str, Any],
        value: float | None,
        looks: Mapping[int, float],
    ) -> FrozenTrial:
        return create_trial(
            state=state,
            value=value,
            params=dict(values),
            distributions=dict(self.distributions),
            system_attrs=dict(memory.get("trial", {})),
            intermediate_values=dict(looks),
        )

    def _empty(self, number: int) -> Study:
        with quiet():
            return optuna.create_study(
                storage=InMemoryStorage(),
                study_name="surefoot",
                direction=direction_of(self.objective),
                sampler=self.choice.make_sampler(seeds.derive(self.seed, "optuna", number)),
                pruner=self.choice.make_pruner(self.num_looks),
            )


def _memory(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = run.coordinates.get(MEMORY, {})
    return found
