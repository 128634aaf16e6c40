"""A study as scikit-learn's searches report themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from surefoot.errors import RequestError
from surefoot.recipe import Recipe
from surefoot.records import Run, Study

__all__ = ["best_index", "chosen_index", "cv_results"]


def best_index(study: Study) -> int:
    """Which of the study's runs is the best."""
    return next(index for index, run in enumerate(study.runs) if run.number == study.winner)


def chosen_index(chosen: Any, num_runs: int) -> int:
    """The run that a person's own function chose.

    Raises:
        RequestError: there is none of that number.
    """
    if not isinstance(chosen, int | np.integer) or not 0 <= chosen < num_runs:
        raise RequestError(
            f"refit gave {chosen!r}; it must give the place of a row of cv_results_, 0 to {num_runs - 1}"
        )
    return int(chosen)


def cv_results(study: Study, num_splits: int, parameters: Callable[[Recipe], dict[str, Any]]) -> dict[str, Any]:
    """A row a run, in the order they were made: parameters, resources, scores by fold, their mean, spread and rank.

    ``n_resources`` counts samples a fold; a run that failed has scores that are not a number and the last rank.
    """
    runs = study.runs
    params = [parameters(Recipe(**run.recipe)) for run in runs]
    scores = np.array([_scores(run, num_splits) for run in runs], dtype=np.float64).reshape(len(runs), num_splits)
    means = scores.mean(axis=1)
    found: dict[str, Any] = {
        "iter": np.array([int(run.coordinates.get("rung", 0)) for run in runs]),
        "n_resources": np.array([run.samples for run in runs]),
        "mean_fit_time": np.array([run.seconds / num_splits for run in runs]),
        "params": params,
    }
    for name in dict.fromkeys(name for one in params for name in one):
        missing = [name not in one for one in params]
        values = np.empty(len(params), dtype=object)
        values[:] = [one.get(name) for one in params]
        found[f"param_{name}"] = np.ma.MaskedArray(values, mask=missing)
    found |= {f"split{index}_test_score": scores[:, index] for index in range(num_splits)}
    found["mean_test_score"], found["std_test_score"] = means, scores.std(axis=1)
    found["mean_test_loss"] = np.array([_measured(run, "validation_loss") for run in runs])
    order = np.where(np.isnan(means), -np.inf, means)
    found["rank_test_score"] = np.array([1 + int((order > value).sum()) for value in order], dtype=np.int32)
    return found


def _scores(run: Run, num_splits: int) -> list[float]:
    if num_splits == 1:
        return [_measured(run, "validation_score")]
    return [_measured(run, f"validation_split{index}_score") for index in range(num_splits)]


def _measured(run: Run, name: str) -> float:
    return np.nan if run.best is None else float(run.evaluations[run.best].metrics.get(name, np.nan))
