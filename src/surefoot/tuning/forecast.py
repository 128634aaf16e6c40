"""A whole training that the budget had no room for: which recipe it takes and where it would end."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.curves.horizon import expected_end
from surefoot.protocols import Searcher
from surefoot.records import Forecast, Run, ranked
from surefoot.tuning.ladder import Ladder

__all__ = ["WHOLE", "foresee"]

# A run over less than this share of the horizon says that there was no room for a whole training.
WHOLE = 0.5


def foresee(searcher: Searcher, runs: Sequence[Run], best: Run | None) -> Forecast | None:
    """The recipe of a whole training and the validation loss to expect of it; None where the best run was one.

    The best run of every rung says where trainings of its length end; a larger budget's own top would end there too.

    Args:
        searcher: that proposed the runs; of others than the ladder nothing is known.
        runs: all of them.
        best: whose model is the result; None when there is no model.
    """
    longest = max((run.share for run in runs), default=0.0)
    if best is None or longest >= WHOLE or not isinstance(searcher, Ladder):
        return None
    recipe = searcher.at_full_length(best).to_dict()
    ends: dict[float, float] = {}
    for run in reversed(ranked([run for run in runs if run.share <= best.share * 1.01])):
        ends[run.share] = run.value
    look = best.best_evaluation
    error = look.standard_error if look is not None and look.standard_error is not None else 0.0
    found = expected_end(ends, horizon=1.0, error=error) if best.objective.name == "validation_loss" else None
    if found is None:
        return Forecast(recipe=recipe)
    return Forecast(recipe=recipe, value=found.value, low=found.low, high=found.high)
