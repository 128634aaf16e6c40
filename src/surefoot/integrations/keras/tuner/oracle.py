"""Our search as an oracle of Keras Tuner, for trainings that stay the user's own."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import keras_tuner
import numpy as np
import numpy.typing as npt

from surefoot.errors import RequestError
from surefoot.integrations.keras.tuner.hyperparameters import values_of
from surefoot.tuning.choosing import RUNGS, Decision, Progress, choose
from surefoot.tuning.points import encode, points_to_try

__all__ = ["BUDGET", "SurefootOracle"]

Array = npt.NDArray[np.float64]

TRIAL, EPOCHS, FROM = "tuner/trial_id", "tuner/epochs", "tuner/initial_epoch"
BUDGET = 3.0
_BELOW_ONE = math.nextafter(1.0, 0.0)


class SurefootOracle(keras_tuner.Oracle):  # type: ignore[misc] # Keras Tuner has no types
    """Proposes points by what all trials came to, and lets the best third of every rung train on.

    With ``max_epochs`` a trial is a stretch of a training, as in ``keras_tuner.Hyperband``: "tuner/epochs",
    "tuner/initial_epoch" and "tuner/trial_id" say up to where, from where and of which trial; ``SurefootTuner`` does
    that. Without it every trial is a whole training, for ``keras_tuner.Tuner``. A score of NaN tells where not to go;
    Keras Tuner gives up after three.

    Args:
        objective: as in Keras Tuner.
        max_trials: at most so many, continued ones counted again.
        max_epochs: of a whole training.
        budget: what all trials together may cost, in whole trainings; enough is kept to bring one to its end, the best
            so far. A trial that is found best after that may stay shorter.
        seed: of the points.
        **oracle_arguments: ``hyperparameters``, ``max_retries_per_trial`` and what else every oracle takes.

    Raises:
        RequestError: a number is not what it must be.
    """

    def __init__(
        self,
        objective: Any = None,
        *,
        max_trials: int | None = None,
        max_epochs: int | None = None,
        budget: float = BUDGET,
        seed: int | None = None,
        **oracle_arguments: Any,
    ) -> None:
        if isinstance(objective, list):
            raise RequestError("objective must be one, not several: give the one that decides")
        _require(max_epochs, budget)
        if max_epochs is None and max_trials is None:
            max_trials = 10  # as BayesianOptimization has it
        super().__init__(objective=objective, max_trials=max_trials, seed=seed, **oracle_arguments)
        if seed is not None:
            self.seed = self._seed_state = seed  # Keras Tuner takes 0 for none and draws one
        self.max_epochs, self.budget = max_epochs, budget

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The values of the next trial, or that there is none."""
        del trial_id
        chains = self._chains()
        waiting = [chain for chain in chains if chain[-1].status != "RUNNING"]
        fresh, points = self._fresh(chains)
        runs = [self._progress(chain) for chain in waiting]
        decision = choose(runs, fresh=points, rungs=self._rungs)
        decision = self._affordable(decision, runs)
        if decision is None:
            return {"status": "IDLE" if len(waiting) < len(chains) else "STOPPED"}
        if decision.fresh is not None:
            return {"status": "RUNNING", "values": {**fresh[decision.fresh], **self._stretch(decision.share)}}
        assert decision.run is not None, "a decision is one of the two"
        before = waiting[decision.run][-1]
        values = dict(before.hyperparameters.values)
        return {"status": "RUNNING", "values": {**values, **self._stretch(decision.share, after=before)}}

    @keras_tuner.synchronized  # type: ignore[untyped-decorator] # Keras Tuner has no types
    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Any:
        """Hear what a trial came to; NaN is no cause for a warning."""
        with _quiet():
            return super().update_trial(trial_id, metrics, step=step)

    def score_trial(self, trial: Any) -> None:
        """Its objective at its best; one that is not a number is the worst there is."""
        with _quiet():
            super().score_trial(trial)
        if trial.score is None or math.isnan(trial.score):
            trial.score = math.inf if self.objective.direction == "min" else -math.inf

    def get_state(self) -> dict[str, Any]:
        """What ``reload`` needs: the trials themselves say the rest."""
        return {**super().get_state(), "max_epochs": self.max_epochs}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on as the oracle that was saved; its trials count towards the budget of this one."""
        super().set_state(state)
        self.max_epochs = state["max_epochs"]

    # What there is

    @property
    def _rungs(self) -> tuple[float, ...]:
        """Shares of a whole training at which trials pause: whole epochs."""
        if self.max_epochs is None:
            return (1.0,)
        return tuple(sorted({math.ceil(self.max_epochs * rung) / self.max_epochs for rung in RUNGS}))

    def _chains(self) -> list[list[Any]]:
        """Trials by training: the one that began it, and those that went on with it."""
        found: dict[str, list[Any]] = {}
        for trial_id in self.start_order:
            trial = self.trials[trial_id]
            before = trial.hyperparameters.values.get(TRIAL)
            chain = [*found.pop(before, []), trial]
            found[trial_id] = chain
        return list(found.values())

    def _progress(self, chain: list[Any]) -> Progress:
        sign = -1.0 if self.objective.direction == "max" else 1.0
        scores = [math.inf if one.status != "COMPLETED" else sign * one.score for one in chain]
        return Progress(self._encoded([self._fractions(chain[0])])[0], self._shares(chain), tuple(scores))

    def _shares(self, chain: list[Any]) -> tuple[float, ...]:
        if self.max_epochs is None:
            return (1.0,) * len(chain)
        return tuple(one.hyperparameters.values[EPOCHS] / self.max_epochs for one in chain)

    # Points

    def _fresh(self, chains: list[list[Any]]) -> tuple[list[dict[str, Any]], Array]:
        """Points that may begin, as values and as coordinates; none that was tried."""
        space = self.hyperparameters.space
        fractions = np.array([self._fractions(chain[0]) for chain in chains]).reshape(len(chains), len(space))
        scores = np.array([self._progress(chain).lowest for chain in chains])
        wanted = np.empty((1, 0))
        if space:
            wanted = points_to_try(fractions, scores, num_dimensions=len(space), seed=self.seed)
        found: dict[str, tuple[dict[str, Any], Array]] = {}
        for point in wanted:
            values = self._values(point)
            if not self._duplicate(values):
                found.setdefault(self._compute_values_hash(values), (values, point))
        if not found and (values := self._random_values()) is not None:
            found[""] = (values, self._fractions_of(values))
        return [values for values, _ in found.values()], self._encoded([point for _, point in found.values()])

    def _values(self, point: Array) -> dict[str, Any]:
        """The values of the parameters that are active there."""
        chosen = keras_tuner.HyperParameters()
        for declared, fraction in zip(self.hyperparameters.space, point, strict=True):
            chosen.merge([declared])
            if chosen.is_active(declared):
                chosen.values[declared.name] = declared.prob_to_value(float(fraction))
        return dict(chosen.values)

    def _fractions(self, trial: Any) -> Array:
        return self._fractions_of(trial.hyperparameters.values)

    def _fractions_of(self, values: Mapping[str, Any]) -> Array:
        """Where a point lies; in the middle where a parameter is not active."""
        return np.array([
            min(max(float(one.value_to_prob(values[one.name])), 0.0), _BELOW_ONE)
            if one.name in values and all(condition.is_active(values) for condition in one.conditions)
            else 0.5
            for one in self.hyperparameters.space
        ])  # fmt: skip

    def _encoded(self, points: Any) -> Array:
        """Coordinates, in which the options of what has no order are all equally far apart."""
        space = self.hyperparameters.space
        if not len(points) or not space:
            return np.zeros((len(points), max(1, len(space))))
        return encode(np.stack(points), num_options=[_num_options(one) for one in space])

    def _compute_values_hash(self, values: Mapping[str, Any]) -> Any:
        return super()._compute_values_hash({key: value for key, value in values.items() if key not in {EPOCHS, FROM}})

    # Price

    def _stretch(self, share: float, *, after: Any = None) -> dict[str, Any]:
        """How far a trial goes, from where."""
        if self.max_epochs is None:
            return {}
        begun = {} if after is None else {TRIAL: after.trial_id}
        first = 0 if after is None else after.hyperparameters.values[EPOCHS]
        return {EPOCHS: round(share * self.max_epochs), FROM: first, **begun}

    def _affordable(self, decision: Decision | None, runs: list[Progress]) -> Decision | None:
        """The decision, unless what is left is needed to bring the best training so far to its end."""
        if self.max_epochs is None:
            return decision
        epochs = (one.hyperparameters.values for one in self.trials.values())
        left = self.budget - sum(values[EPOCHS] - values[FROM] for values in epochs) / self.max_epochs
        best = min(range(len(runs)), key=lambda index: runs[index].lowest, default=None)
        has_ended = any(run.share >= 1.0 and not run.is_lost for run in runs)
        needed = 0.0 if best is None or has_ended or runs[best].is_lost else 1.0 - runs[best].share
        if decision is not None:
            begun = 0.0 if decision.run is None else runs[decision.run].share
            ends_it = decision.run is not None and decision.share >= 1.0
            price = decision.share - begun + (0.0 if ends_it else needed)
            if price <= left + 1e-9 or not runs:
                return decision
        if best is not None and not has_ended and not runs[best].is_lost and needed <= left + 1e-9:
            return Decision(best, None, 1.0)
        return None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """A block in which NumPy does not warn that all that was reported is NaN."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        yield


def _num_options(declared: Any) -> int:
    """Of a parameter without order, 0 for any other."""
    is_ordered = getattr(declared, "ordered", not isinstance(declared, keras_tuner.engine.hyperparameters.Boolean))
    return 0 if is_ordered else len(values_of(declared) or ())


def _require(max_epochs: int | None, budget: float) -> None:
    if max_epochs is not None and (isinstance(max_epochs, bool) or not isinstance(max_epochs, int) or max_epochs < 1):
        raise RequestError(f"max_epochs must be a whole number of at least 1, not {max_epochs!r}")
    if isinstance(budget, bool) or not isinstance(budget, int | float) or not budget > 0:
        raise RequestError(f"budget must be a number of trainings above 0, such as {BUDGET:g}, not {budget!r}")
