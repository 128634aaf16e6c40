"""``SurefootSampler``: our search as a sampler of Optuna's."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.search_space import intersection_search_space
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from surefoot import seeds
from surefoot.errors import RequestError
from surefoot.integrations.optuna.candidates import around_best, spread
from surefoot.integrations.optuna.coordinates import Axis, Coordinates
from surefoot.integrations.optuna.curves import FINISHED, Curve, clock_of, curves_of, usable
from surefoot.integrations.optuna.model import fit_model
from surefoot.integrations.optuna.roles import Roles, checked_steps, recognised, require_known
from surefoot.tuning.improvement import log_expected_improvement

__all__ = ["SurefootSampler"]

Array = npt.NDArray[np.float64]
_logger = optuna.logging.get_logger("optuna.surefoot")


class SurefootSampler(BaseSampler):
    """Draws where the trials so far promise most, a learning rate and a batch size along their common valley.

    The first six trials, and every third one after them, are spread evenly. The others are where a Gaussian process
    over parameters and shares of a training expects the largest improvement; it learns from every value that was
    reported, from pruned trials as from whole ones, and keeps away from where trials diverged or failed. It measures
    the rate along η/B^γ with the γ of 0, ½ and 1 that makes the trials most probable, so that what a trial says of its
    own batch size it says of all others.

    The same seed and the same trials give the same proposals, whoever made the trials. A parameter that not all trials
    have, behind an ``if``, is drawn by Optuna's TPE.

    Args:
        learning_rate: the parameter's name; None recognises it: above 0, and a name such as lr or learning_rate.
        batch_size: likewise; whole numbers or a list of numbers, and a name such as batch or batch_size.
        num_steps: reports that a whole training makes, as its last ``step`` counts them (epochs, say); None takes the
            pruner's, or what completed trials have.
        seed: of the draws; None for one that differs every time.

    Raises:
        RequestError: when a trial begins: several parameters could be the learning rate or the batch size, or the study
            has several objectives; when the first one ends, or beside ``SurefootPruner`` at its first report: a name is
            none of the objective's.

    >>> import math
    >>> study = optuna.create_study(sampler=SurefootSampler(learning_rate="eta", seed=0))
    >>> study.optimize(lambda trial: abs(math.log10(trial.suggest_float("eta", 1e-5, 1.0, log=True)) + 2), n_trials=15)
    >>> 0.005 < study.best_params["eta"] < 0.02
    True
    """

    def __init__(
        self,
        *,
        learning_rate: str | None = None,
        batch_size: str | None = None,
        num_steps: int | None = None,
        seed: int | None = None,
    ) -> None:
        self.num_steps = checked_steps(num_steps)
        self.given = Roles(learning_rate, batch_size)
        self._seed = secrets.randbits(32) if seed is None else seed
        self._told: set[str] = set()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Optuna's hook: the parameters that all finished trials have.

        Raises:
            RequestError: the study has several objectives.
        """
        del trial
        _require_one_objective(study)
        finished = study.get_trials(deepcopy=False, states=FINISHED)
        common = intersection_search_space(finished, include_pruned=True)
        return {name: one for name, one in common.items() if not one.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Optuna's hook: the next point."""
        _require_one_objective(study)
        if not search_space:
            return {}
        trials = study.get_trials(deepcopy=False)
        require_known(self.given, trials)
        coordinates = Coordinates(search_space, recognised(search_space, self.given))
        self._tell(coordinates.roles)
        clock = clock_of(trials, self.num_steps or getattr(study.pruner, "num_steps", None))
        others = [other for other in trials if other.number != trial.number and usable(other, search_space)]
        curves = curves_of(others, study.direction, clock)
        return coordinates.values(self._next(curves, coordinates, number=trial.number))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Optuna's hook: one parameter that no finished trial had, or not all of them."""
        _require_one_objective(study)
        recognised({**trial.distributions, param_name: param_distribution}, self.given)
        column = len(trial.params)
        point = spread(trial.number, column + 1, seed=self._seed)
        if point is not None and not study.get_trials(deepcopy=False, states=FINISHED):
            return Axis.of(param_distribution).value(float(point[column]))
        theirs = TPESampler(seed=seeds.derive(self._seed, "alone", trial.number, param_name) % 2**32)
        return theirs.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Optuna's hook: the first moment at which all of an objective's parameters are known for certain.

        Raises:
            RequestError: a name that was given is none of them; the trial is kept.
        """
        del values
        if state in FINISHED and trial.distributions:
            require_known(self.given, [*study.get_trials(deepcopy=False), trial])

    def _next(self, curves: Sequence[Curve], coordinates: Coordinates, *, number: int) -> Array:
        point = spread(number, len(coordinates.space), seed=self._seed)
        if point is not None:
            return point
        fractions = np.stack([coordinates.fractions(curve.parameters) for curve in curves])
        model = fit_model(curves, coordinates)
        running = [index for index, curve in enumerate(curves) if curve.state is TrialState.RUNNING]
        if running:
            model = model.believing(fractions[running], numbers=[curves[index].number for index in running])
        lowest, exponent = [curve.lowest for curve in curves], model.exponent
        points = around_best(
            fractions, lowest, coordinates=coordinates, exponent=exponent, number=number, seed=self._seed
        )
        points = _new_ones(points, curves, coordinates)
        mean, deviation = model.ends(points)
        return np.asarray(points[int(np.argmax(log_expected_improvement(mean, deviation, target=0.0)))])

    def _tell(self, roles: Roles) -> None:
        """Say once what was recognised."""
        line = (
            f"SurefootSampler: {roles}; if that is wrong, name them: SurefootSampler(learning_rate=..., batch_size=...)"
        )
        if line not in self._told:
            self._told.add(line)
            _logger.info(line)


def _new_ones(points: Array, curves: Sequence[Curve], coordinates: Coordinates) -> Array:
    """The points that no trial has been at, all where there is none."""
    names = list(coordinates.space)
    known = {tuple(curve.parameters[name] for name in names) for curve in curves}
    new = [tuple(coordinates.values(point).values()) not in known for point in points]
    return points[new] if any(new) else points


def _require_one_objective(study: Study) -> None:
    if len(study.directions) > 1:
        raise RequestError(
            f"SurefootSampler searches for one objective, and this study has {len(study.directions)}; "
            "let the objective return one value, or take optuna.samplers.NSGAIISampler"
        )
