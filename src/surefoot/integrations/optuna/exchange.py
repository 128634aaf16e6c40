"""Runs of ours as trials of a study of Optuna's, and a trial of Optuna's as a recipe of ours."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from surefoot import records
from surefoot.errors import RequestError, nearest
from surefoot.recipe import Recipe
from surefoot.tuning.forecast import WHOLE
from surefoot.tuning.trials import direction_of, ending_of

__all__ = ["add_runs", "recipe_of"]


class HasStudy(Protocol):
    """What ``surefoot.tune`` returns."""

    study: records.Study


Source: TypeAlias = HasStudy | str | Path


def add_runs(
    study: Study, result: Source, names: Mapping[str, str], *, space: Mapping[str, BaseDistribution] | None = None
) -> int:
    """Add the runs of a ``surefoot.tune`` to a study of Optuna's, so that any sampler goes on from them.

    A run over half of the horizon or more becomes a complete trial, as does the longest, a shorter one a pruned trial
    with the epoch as its step, one that diverged a pruned trial without a value. A run whose values lie outside of the
    study's ranges is left out.

    Args:
        study: of the same direction, such as ``optuna.create_study()``.
        result: of the tuning, or its directory.
        names: the key of a recipe for each parameter: ``{"lr": "optimizer.learning_rate", "batch": "batch.size"}``.
        space: the distribution of each parameter; None takes those of the study's own trials.

    Returns:
        How many trials were added.

    Raises:
        RequestError: the directions differ, a parameter has no distribution, or a key is none of a recipe's.
    """
    runs = _runs(result)
    known = {name: one for trial in study.get_trials(deepcopy=False) for name, one in trial.distributions.items()}
    ranges = {**known, **(space or {})}
    for name in names:
        if name not in ranges:
            raise RequestError(f'space has no distribution for "{name}", and no trial of the study has one: add it')
    chosen = {name: ranges[name] for name in names}
    if runs and (len(study.directions) > 1 or direction_of(runs[0].objective) is not study.direction):
        raise RequestError(
            f"the runs have one objective, {runs[0].objective.name} ({runs[0].objective.direction}), and the study has "
            f"the directions {', '.join(each.name.lower() for each in study.directions)}"
        )
    longest = max((run.share for run in runs if run.best is not None), default=WHOLE)
    trials = [_trial(run, names, chosen, is_whole=run.share >= min(WHOLE, longest)) for run in runs]
    added = [trial for trial in trials if trial is not None]
    study.add_trials(added)
    return len(added)


def recipe_of(trial: FrozenTrial, names: Mapping[str, str], *, base: Recipe | None = None) -> Recipe:
    """A trial's parameters as a recipe, which ``surefoot.tune(task, recipe=...)`` begins with.

    Args:
        trial: such as ``study.best_trial``.
        names: the key of a recipe for each parameter that has one.
        base: supplies everything else.

    Raises:
        RequestError: the trial has no parameter of a name, or the recipe no such key.

    >>> import optuna
    >>> trial = create_trial(
    ...     params={"lr": 0.01, "batch": 64},
    ...     distributions={
    ...         "lr": optuna.distributions.FloatDistribution(1e-5, 1.0, log=True),
    ...         "batch": optuna.distributions.CategoricalDistribution([32, 64]),
    ...     },
    ...     value=0.5,
    ... )
    >>> recipe = recipe_of(trial, {"lr": "optimizer.learning_rate", "batch": "batch.size"})
    >>> recipe.optimizer.learning_rate, recipe.batch.size
    (0.01, 64)
    """
    for name in names:
        if name not in trial.params:
            raise RequestError(f'trial {trial.number} has no parameter "{name}"; {nearest(name, sorted(trial.params))}')
    return (base or Recipe()).with_changes({key: trial.params[name] for name, key in names.items()})


def _runs(result: Source) -> list[records.Run]:
    if not isinstance(result, str | Path):
        return list(result.study.runs)
    found = sorted((Path(result) / "runs").glob("*/record.json"))
    if not found:
        raise RequestError(f'there are no runs in "{result}"; it must be the directory that a surefoot.tune wrote')
    return [records.Run.model_validate_json(path.read_bytes()) for path in found]


def _trial(
    run: records.Run, names: Mapping[str, str], space: Mapping[str, BaseDistribution], *, is_whole: bool
) -> FrozenTrial | None:
    """The trial of a run, None where one of its values is outside of the ranges."""
    values = {name: _value(run.recipe, key) for name, key in names.items()}
    if not all(_contains(space[name], value) for name, value in values.items()):
        return None
    state, value = ending_of(run)
    state = state if is_whole else TrialState.PRUNED
    looks = {
        max(1, round(look.epoch)): look.metrics[run.objective.name]
        for look in run.evaluations
        if math.isfinite(look.metrics[run.objective.name])
    }
    return create_trial(
        state=state,
        value=value,
        params=values,
        distributions=dict(space),
        intermediate_values=looks,
        user_attrs={"surefoot": run.name, "share": run.share, "recipe": json.dumps(run.recipe)},
    )


def _value(recipe: Mapping[str, Any], key: str) -> Any:
    section, _, name = key.partition(".")
    if section not in recipe or not name:
        raise RequestError(f'"{key}" is no key of a recipe, which is SECTION.NAME; {nearest(key, sorted(recipe))}')
    return recipe[section].get(name)


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except ValueError:
        return False
