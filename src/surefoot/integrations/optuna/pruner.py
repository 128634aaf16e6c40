"""``SurefootPruner``: our ladder as a pruner of Optuna's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import optuna
from optuna.pruners import BasePruner
from optuna.search_space import intersection_search_space
from optuna.study import Study
from optuna.trial import FrozenTrial

from surefoot.integrations.optuna.coordinates import Coordinates
from surefoot.integrations.optuna.curves import FINISHED, Clock, clock_of, curves_of, steps_of_complete, usable
from surefoot.integrations.optuna.model import fit_model
from surefoot.integrations.optuna.roles import Roles, checked_steps, recognised, require_known

__all__ = ["SurefootPruner"]

_logger = optuna.logging.get_logger("optuna.surefoot")

RUNGS = (1 / 27, 1 / 9, 1 / 3)
BEST = 3
# A report a rounding error before a rung has reached it.
_PLACES = tuple(rung - 1e-9 for rung in RUNGS)
# The first trials say where the good rates are, and a look is enough for that: as many as our ladder has at its foot.
NUM_LOOKS = 4
# One trial may have stopped early by itself.
FEWEST_COMPLETE = 2
# What Optuna leaves with a trial of ``study.enqueue_trial``: somebody wants to know where it ends.
ENQUEUED = "fixed_params"


class SurefootPruner(BasePruner):
    """Lets a trial go on where its curve, forecast to the end, is among the best third of those that came as far.

    At 1/27, 1/9 and 1/3 of a training a Gaussian process over parameters and shares says where the trial and all others
    would end, from its reports so far and from its neighbours'. The first three trials stop at their first report that
    has reached one of these places, unless they were enqueued: they say where the good rates are. A trial that reports
    a value that is not finite stops at once.

    Args:
        num_steps: reports that a whole training makes, as its last ``step`` counts them (epochs, say); None takes the
            sampler's, or what completed trials have: then nothing stops before the first one is complete.
        learning_rate: the parameter's name; None takes the sampler's, or recognises it.
        batch_size: likewise.

    Raises:
        RequestError: at the first report: a name, the sampler's included, is none of the objective's.

    >>> import optuna
    >>> def objective(trial):
    ...     rate = trial.suggest_float("lr", 1e-4, 1.0, log=True)
    ...     for epoch in range(27):
    ...         trial.report(abs(math.log10(rate) + 1) + 1 / (epoch + 1), step=epoch)
    ...         if trial.should_prune():
    ...             raise optuna.TrialPruned
    ...     return abs(math.log10(rate) + 1)
    >>> study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0), pruner=SurefootPruner(num_steps=27))
    >>> study.optimize(objective, n_trials=20)
    >>> sum(trial.last_step + 1 for trial in study.trials) < 8 * 27
    True
    """

    def __init__(
        self, *, num_steps: int | None = None, learning_rate: str | None = None, batch_size: str | None = None
    ) -> None:
        self.num_steps = checked_steps(num_steps)
        self.given = Roles(learning_rate, batch_size)
        self._has_warned = False

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Optuna's hook: whether the trial should stop at its last report."""
        step = trial.last_step
        if step is None:
            return False
        if not math.isfinite(trial.intermediate_values[step]):
            return True
        others = [other for other in study.get_trials(deepcopy=False) if other.number != trial.number]
        require_known(self._roles(study), [*others, trial])
        num_steps = self.num_steps or getattr(study.sampler, "num_steps", None)
        clock = clock_of([*others, trial], num_steps)
        self._warn_of(num_steps, others, clock)
        passed, share = _last_two(trial, clock)
        if share >= 1.0 or not any(passed < rung <= share for rung in _PLACES):
            return False
        return not self._goes_on(study, trial, others, clock, is_look=passed < _PLACES[0])

    def _goes_on(
        self, study: Study, trial: FrozenTrial, others: Sequence[FrozenTrial], clock: Clock, *, is_look: bool
    ) -> bool:
        finished = [other for other in others if other.state in FINISHED]
        common = intersection_search_space(finished, include_pruned=True) if finished else trial.distributions
        space = {
            name: one
            for name, one in sorted(common.items())
            if trial.distributions.get(name) == one and not one.single()
        }
        usable_trials = [*(other for other in others if usable(other, space)), trial]
        curves = [curve for curve in curves_of(usable_trials, study.direction, clock) if curve.losses]
        share = next(curve.share for curve in curves if curve.number == trial.number)
        here = [curve for curve in curves if curve.is_lost or curve.share >= share - 1e-9]
        if is_look and len(here) < NUM_LOOKS and ENQUEUED not in trial.system_attrs:
            return False
        coordinates = Coordinates(space, recognised(space, self._roles(study)))
        model = fit_model(curves, coordinates, always=trial.number)
        numbers = [curve.number for curve in here]
        ends, _ = model.ends(np.stack([coordinates.fractions(curve.parameters) for curve in here]), numbers=numbers)
        num_better = int((ends < ends[numbers.index(trial.number)]).sum())
        return num_better < max(1, len(here) // BEST)

    def _warn_of(self, num_steps: int | None, others: Sequence[FrozenTrial], clock: Clock) -> None:
        """Say once that complete trials end far before the length that was given."""
        reported = steps_of_complete(others, clock)
        if self._has_warned or num_steps is None or len(reported) < FEWEST_COMPLETE or max(reported) >= num_steps / 2:
            return
        self._has_warned = True
        _logger.warning(
            f"SurefootPruner: num_steps is {num_steps}, and {len(reported)} complete trials ended at {max(reported)} "
            f"at the latest: little or nothing is pruned; give num_steps={max(reported)}, or leave it out"
        )

    def _roles(self, study: Study) -> Roles:
        theirs = getattr(study.sampler, "given", Roles())
        return Roles(self.given.learning_rate or theirs.learning_rate, self.given.batch_size or theirs.batch_size)


def _last_two(trial: FrozenTrial, clock: Clock) -> tuple[float, float]:
    """The shares of its last two reports, 0 before the first; both 1 where no length is known."""
    if clock.length is None:
        return 1.0, 1.0
    *before, last = sorted(clock.share(step) for step in trial.intermediate_values)
    return before[-1] if before else 0.0, last
