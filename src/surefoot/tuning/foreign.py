"""A search by any of Optuna's samplers, and its pruners, over full trainings: what the field does, on our ledger."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from surefoot import seeds
from surefoot.callbacks import Event
from surefoot.errors import RequestError
from surefoot.protocols import Candidate
from surefoot.recipe import Recipe, takes
from surefoot.records import Run
from surefoot.space import Choice, Dimension, Integer, Log, Uniform, When, active
from surefoot.tuning.optuna_names import parse
from surefoot.tuning.point import with_optimizer
from surefoot.tuning.replay import MEMORY, Replay
from surefoot.tuning.setting import Setting

__all__ = ["Foreign"]

RATE, OPTIMIZER = "optimizer.learning_rate", "optimizer.name"
# Where no training in full fits any more, one over this share of the horizon at least is worth its price.
SHORTEST = 1 / 4
# A failure may cost next to nothing: after so many in a row the search is over.
MOST_FAILURES = 50


class Foreign:
    """Proposes what a sampler of Optuna's samples, each run over the whole horizon as long as the budget lasts.

    The space is the usual one, changed and extended by the user's: rate 1e-5 to 10, batch 16 to 512, weight decay 1e-6
    to 0.1, all three logarithmic, SGD or AdamW.

    Args:
        name: of the sampler, with ``,pruner=NAME`` where runs may be stopped on their way; see ``optuna_names``.
        setting: of the search.

    Raises:
        RequestError: Optuna has no sampler or pruner of that name.
    """

    def __init__(self, name: str, setting: Setting) -> None:
        self._setting = setting
        choice = parse(name)
        looks = max(4, math.ceil(setting.training_samples / setting.num_rows))
        self._replay = Replay(choice, _distributions(setting), setting.objective, setting.seed, looks)
        self._pruner = choice.pruner if choice.prunes else ""
        self._runs: Sequence[Run] = ()
        self._waves: dict[str, tuple[Candidate, ...]] = {}

    def propose(self, runs: Sequence[Run]) -> tuple[Candidate, ...]:
        """The rest of a wave of as many runs as there are workers."""
        size = self._setting.num_together
        ordered = sorted(runs, key=lambda run: run.number)
        first = _complete_waves(ordered, size)
        before, made = ordered[:first], {run.number for run in ordered[first:]}
        self._runs = before
        wave = self._wave(before, size)
        self._waves = {candidate.name: wave for candidate in wave}
        return tuple(candidate for candidate in wave if candidate.number not in made)

    @property
    def callbacks(self) -> tuple[_Pruning, ...]:
        """What has to be asked after every look."""
        return (_Pruning(self, self._pruner),) if self._pruner else ()

    def trial_of(self, name: str) -> Trial | None:
        """A run of the present wave as its pruner sees it: beside those of earlier waves.

        None for a run over a part of the horizon, whose looks cannot be compared with others'.
        """
        wave = self._waves[name]
        number, share = next((other.number, other.share) for other in wave if other.name == name)
        if share < 1.0:
            return None
        study = self._replay.study(self._runs, number=number, wave=self._setting.num_together)
        for candidate in wave:
            trial = self._replay.begin(study, candidate.coordinates["values"], candidate.coordinates.get(MEMORY, {}))
            if candidate.number == number:
                return trial
        raise AssertionError(f"{name} is of no wave")

    def should_prune(self, trial: Trial, event: Event) -> bool:
        """What the pruner says to a look."""
        return self._replay.should_prune(trial, event.history)

    def _wave(self, before: Sequence[Run], size: int) -> tuple[Candidate, ...]:
        """The runs that follow those of the waves before, which depend on nothing else."""
        spent, planned, wave = sum(run.samples for run in before), 0.0, list[Candidate]()
        usable = any(run.best is not None for run in before)
        if len(before) >= MOST_FAILURES and all(run.best is None for run in before[-MOST_FAILURES:]):
            return ()
        for number in range(len(before), len(before) + size):
            share = self._setting.share_left(spent, planned=planned)
            if share * self._setting.training_samples < 1 or (share < SHORTEST and (usable or wave)):
                break
            study = self._replay.study(before, number=number, wave=size)
            for other in wave:
                self._replay.begin(study, other.coordinates["values"], other.coordinates.get(MEMORY, {}))
            wave.append(self._candidate(number, share, *self._replay.ask(study)))
            planned += share
        return tuple(wave)

    def _candidate(self, number: int, share: float, values: dict[str, Any], memory: dict[str, Any]) -> Candidate:
        recipe = self._recipe(values)
        return Candidate(
            number=number,
            name=f"run {number + 1}",
            stage="1" if share == 1.0 else f"{share:.3g}",
            share=share,
            recipe=recipe,
            seed=seeds.derive(self._setting.seed, "run", number),
            coordinates={
                "optimizer": recipe.optimizer.name,
                "learning_rate": recipe.optimizer.learning_rate,
                "values": values,
                **({MEMORY: memory} if memory else {}),
            },
        )

    def _recipe(self, values: dict[str, Any]) -> Recipe:
        setting = self._setting
        name = values.get(OPTIMIZER, setting.optimizers[0])
        chosen = {key: _chosen(setting.space.get(key), value) for key, value in values.items()}
        chosen = active(setting.space, {OPTIMIZER: name, **chosen})
        taken = {key: value for key, value in chosen.items() if takes(name, key)}
        base = with_optimizer(setting.base, name)
        return base.with_changes({OPTIMIZER: name, **taken}).complete(setting.num_rows)


class _Pruning:
    """A callback that asks the pruner."""

    def __init__(self, searcher: Foreign, name: str) -> None:
        self._searcher, self.__name__ = searcher, name
        self._trials: dict[str, Trial | None] = {}

    def __call__(self, event: Event) -> Literal["stop"] | None:
        """What the pruner says; at the end of a run it is not asked."""
        if event.samples >= event.horizon:
            self._trials.pop(event.run, None)
            return None
        if event.run not in self._trials:
            self._trials[event.run] = self._searcher.trial_of(event.run)
        trial = self._trials[event.run]
        return "stop" if trial is not None and self._searcher.should_prune(trial, event) else None


def _complete_waves(ordered: Sequence[Run], size: int) -> int:
    """How many runs belong to waves that are finished whole."""
    numbers = [run.number for run in ordered]
    without_gap = next((place for place, number in enumerate(numbers) if place != number), len(numbers))
    return without_gap - without_gap % size


def _distributions(setting: Setting) -> dict[str, BaseDistribution]:
    rows = setting.num_rows
    found: dict[str, BaseDistribution] = {
        RATE: FloatDistribution(1e-5, 10.0, log=True),
        "batch.size": IntDistribution(min(16, rows), min(512, rows), log=True),
        "optimizer.weight_decay": FloatDistribution(1e-6, 0.1, log=True),
    }
    if len(setting.optimizers) > 1:
        found[OPTIMIZER] = CategoricalDistribution(setting.optimizers)
    return {**found, **{key: _distribution(key, dimension) for key, dimension in setting.space.items()}}


def _distribution(key: str, dimension: Dimension) -> BaseDistribution:
    match dimension:
        case When():
            return _distribution(key, dimension.dimension)
        case Log():
            return FloatDistribution(dimension.low, dimension.high, log=True)
        case Uniform():
            return FloatDistribution(dimension.low, dimension.high)
        case Integer():
            return IntDistribution(dimension.low, dimension.high)
        case Choice():
            indexed = _is_indexed(dimension)
            return CategoricalDistribution(range(len(dimension.options)) if indexed else dimension.options)
    raise RequestError(f"space[{key!r}] is {dimension!r}, which Optuna has no distribution for")


def _chosen(dimension: Dimension | None, value: Any) -> Any:
    """The recipe's value for one of Optuna's."""
    dimension = dimension.dimension if isinstance(dimension, When) else dimension
    if isinstance(dimension, Choice) and _is_indexed(dimension):
        return dimension.options[value]
    return value


def _is_indexed(dimension: Choice) -> bool:
    """Whether the options are none of Optuna's own kinds, so that it chooses among their places."""
    return not all(isinstance(option, bool | int | float | str | None) for option in dimension.options)
