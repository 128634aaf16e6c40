"""The choosing on published curves: it starts points anywhere in the cube, and the nearest configuration answers."""

from __future__ import annotations

import numpy as np

from benchmarks.replay_table import LOOKS, Replay
from surefoot.tuning.choosing import Progress, choose
from surefoot.tuning.points import points_to_try

__all__ = ["choosing", "progress_of"]

SHARES = tuple(look / LOOKS for look in range(1, LOOKS + 1))


def choosing(replay: Replay, seed: int) -> None:
    """Ask what is next until the budget is gone."""
    table, runs = replay.table, list[int]()
    while True:
        progress = [progress_of(replay, configuration) for configuration in runs]
        values = np.array([run.lowest for run in progress])
        fresh = points_to_try(table.points[runs], values, num_dimensions=table.points.shape[1], seed=seed)
        decision = choose(progress, fresh=fresh)
        assert decision is not None
        if decision.fresh is None:
            configuration = runs[decision.run or 0]
        else:
            configuration = table.nearest(fresh[decision.fresh], untried=replay.done == 0)
            runs.append(configuration)
        replay.advance(configuration, look=max(1, round(decision.share * LOOKS)))


def progress_of(replay: Replay, configuration: int) -> Progress:
    """What the search has seen of a configuration."""
    done = int(replay.done[configuration])
    values = replay.table.validation[configuration, 1 : done + 1]
    return Progress(replay.table.points[configuration], SHARES[:done], tuple(map(float, values)))
