"""Trials as curves: how far each has come, and what it said there; lower is better whatever the study's direction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

__all__ = ["FINISHED", "Clock", "Curve", "clock_of", "curves_of", "steps_of_complete", "usable"]

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class Clock:
    """What the steps that are reported mean.

    Attributes:
        first: 1 where steps count from 0, 0 where they count from 1 or in samples.
        length: of a whole training in steps, None while nothing says it.
    """

    first: int
    length: float | None

    def share(self, step: int) -> float:
        """How much of a whole training lies behind a report, in (0, 1]; 1 where its length is not known."""
        done = step + self.first
        return 1.0 if self.length is None else min(max(done / self.length, 1e-6), 1.0)


@dataclass(frozen=True)
class Curve:
    """One trial.

    Attributes:
        number: the trial's.
        parameters: the trial's.
        shares: of a whole training at its looks, rising.
        losses: at its looks; one that is not finite ends it as diverged.
        state: the trial's.
    """

    number: int
    parameters: Mapping[str, Any]
    shares: tuple[float, ...]
    losses: tuple[float, ...]
    state: TrialState

    @property
    def share(self) -> float:
        """How far it has come."""
        return self.shares[-1] if self.shares else 0.0

    @property
    def is_lost(self) -> bool:
        """Whether it diverged."""
        return not all(map(math.isfinite, self.losses))

    @property
    def lowest(self) -> float:
        """What it has come to, infinite where it diverged or has no look."""
        return math.inf if self.is_lost else min(self.losses, default=math.inf)


def clock_of(trials: Sequence[FrozenTrial], num_steps: int | None) -> Clock:
    """How steps are counted, and how many a whole training has: as the caller said, else as completed trials tell."""
    steps = [step for trial in trials for step in trial.intermediate_values]
    first = 1 if steps and min(steps) == 0 else 0
    if num_steps is not None:
        return Clock(first, float(num_steps))
    return Clock(first, max(map(float, steps_of_complete(trials, Clock(first, None))), default=None))


def steps_of_complete(trials: Sequence[FrozenTrial], clock: Clock) -> list[int]:
    """Where the complete trials that reported anything ended, in steps from the beginning."""
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    return [trial.last_step + clock.first for trial in complete if trial.last_step is not None]


def curves_of(trials: Sequence[FrozenTrial], direction: StudyDirection, clock: Clock) -> list[Curve]:
    """The trials that tell something or are on their way, in the order of their numbers."""
    sign = -1.0 if direction is StudyDirection.MAXIMIZE else 1.0
    ordered = sorted(trials, key=lambda trial: trial.number)
    return [_curve(trial, sign, clock) for trial in ordered if trial.state is not TrialState.WAITING]


def usable(trial: FrozenTrial, space: Mapping[str, BaseDistribution]) -> bool:
    """Whether a trial has all these parameters, drawn from the same ranges."""
    return all(trial.distributions.get(name) == one for name, one in space.items())


def _curve(trial: FrozenTrial, sign: float, clock: Clock) -> Curve:
    looks = sorted(trial.intermediate_values.items())
    shares = [clock.share(step) for step, _ in looks]
    losses = [sign * value for _, value in looks]
    if trial.state is TrialState.COMPLETE:
        assert trial.value is not None
        while shares and shares[-1] >= 1.0:  # what the objective returned stands for the end
            shares.pop()
            losses.pop()
        shares, losses = [*shares, 1.0], [*losses, sign * trial.value]
    elif trial.state in {TrialState.PRUNED, TrialState.FAIL} and not looks:
        shares, losses = [1.0], [math.inf]  # given up before it said anything: as one that diverged
    return Curve(trial.number, trial.params, tuple(shares), tuple(losses), trial.state)
