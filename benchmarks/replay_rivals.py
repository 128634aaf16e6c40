"""What the choosing is measured against: random search, successive halving and its kin, Optuna's TPE."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import optuna

from benchmarks.replay_table import LOOKS, Replay
from surefoot import seeds

__all__ = ["RIVALS", "Search"]

Search = Callable[[Replay, int], None]

ETA = 3
# 50 / 27, 50 / 9 and 50 / 3, rounded
RUNGS = (2, 6, 17, LOOKS)


def random_search(replay: Replay, seed: int) -> None:
    """Whole trainings in random order."""
    for configuration in _shuffled(replay, seed):
        replay.advance(configuration, look=LOOKS)


def successive_halving(replay: Replay, seed: int) -> None:
    """Brackets of 27, one after the other (Jamieson and Talwalkar 2016, arXiv:1502.07943)."""
    order = _shuffled(replay, seed)
    while order:
        bracket, order = order[:27], order[27:]
        _halve(replay, bracket, RUNGS)


def one_bracket(replay: Replay, seed: int) -> None:
    """One bracket that takes the whole budget."""
    steps = np.diff([0, *RUNGS]) / np.array([ETA**index for index in range(len(RUNGS))])
    order = _shuffled(replay, seed)
    size = int(replay.budget / float(steps.sum()))
    _halve(replay, order[:size], RUNGS)
    for configuration in order[size:]:
        replay.advance(configuration, look=LOOKS)


def hyperband(replay: Replay, seed: int) -> None:
    """Brackets of 27, 12, 6 and 4 in turn (Li et al. 2018, JMLR 18(185), algorithm 1)."""
    order = _shuffled(replay, seed)
    turn = 0
    while order:
        start = turn % len(RUNGS)
        size = math.ceil(len(RUNGS) / (len(RUNGS) - start) * ETA ** (len(RUNGS) - 1 - start))
        bracket, order = order[:size], order[size:]
        _halve(replay, bracket, RUNGS[start:])
        turn += 1


def asynchronous_halving(replay: Replay, seed: int) -> None:
    """Promote the best unpromoted third, else begin a new one (Li et al. 2020, arXiv:1810.05934, algorithm 2)."""
    order = _shuffled(replay, seed)
    rungs: list[dict[int, float]] = [{} for _ in RUNGS]
    while True:
        level, configuration = _promotable(rungs)
        if configuration is None:
            level, configuration = 0, order.pop(0)
        replay.advance(configuration, look=RUNGS[level])
        rungs[level][configuration] = replay.lowest_of(configuration)


def _promotable(rungs: list[dict[int, float]]) -> tuple[int, int | None]:
    for level in reversed(range(len(rungs) - 1)):
        here = rungs[level]
        best = sorted(here, key=here.__getitem__)[: len(here) // ETA]
        chosen = [one for one in best if one not in rungs[level + 1] and math.isfinite(here[one])]
        if chosen:
            return level + 1, chosen[0]
    return 0, None


def _halve(replay: Replay, bracket: list[int], rungs: tuple[int, ...]) -> None:
    for rung in rungs:
        for configuration in bracket:
            replay.advance(configuration, look=rung)
        bracket = [one for one in sorted(bracket, key=replay.lowest_of) if math.isfinite(replay.lowest_of(one))]
        bracket = bracket[: max(1, len(bracket) // ETA)]


def _shuffled(replay: Replay, seed: int) -> list[int]:
    return [int(index) for index in seeds.stream(seed, "replay", "order").permutation(len(replay.table.points))]


def tpe(replay: Replay, seed: int, *, pruner: Callable[[], optuna.pruners.BasePruner] | None = None) -> None:
    """Optuna's sampler with its defaults; a suggestion stands for the nearest configuration that was not tried.

    The value of a trial is its lowest validation loss; a diverged one is pruned, so that the sampler learns from it.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=pruner() if pruner else optuna.pruners.NopPruner(),
    )
    while True:
        trial = study.ask()
        point = np.array([trial.suggest_float(f"x{index}", 0.0, 1.0) for index in range(replay.table.points.shape[1])])
        configuration = replay.table.nearest(point, untried=replay.done == 0)
        state = _try(replay, trial, configuration, reports=pruner is not None)
        lowest = replay.lowest_of(configuration)
        study.tell(trial, lowest if state == optuna.trial.TrialState.COMPLETE else None, state=state)


def _try(replay: Replay, trial: optuna.Trial, configuration: int, *, reports: bool) -> optuna.trial.TrialState:
    for look in range(1, LOOKS + 1):
        replay.advance(configuration, look=look)
        if replay.lost[configuration]:
            return optuna.trial.TrialState.PRUNED
        if reports:
            trial.report(replay.lowest_of(configuration), look)
            if trial.should_prune():
                return optuna.trial.TrialState.PRUNED
    return optuna.trial.TrialState.COMPLETE


RIVALS: dict[str, Search] = {
    "random": random_search,
    "halving": successive_halving,
    "halving, one bracket": one_bracket,
    "hyperband": hyperband,
    "asynchronous halving": asynchronous_halving,
    "TPE": tpe,
    "TPE, median pruner": partial(tpe, pruner=optuna.pruners.MedianPruner),
    "TPE, halving pruner": partial(tpe, pruner=partial(optuna.pruners.SuccessiveHalvingPruner, reduction_factor=ETA)),
}
