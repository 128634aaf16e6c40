"""The trials of a study of Optuna's as plain values, for whoever draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from surefoot.diagnosis.table import plain

__all__ = ["Parameter", "Trials", "trials_of"]


@dataclass(frozen=True)
class Parameter:
    """What a parameter was in each trial that had it.

    Attributes:
        values: by the number of the trial; a number, or the name of a choice.
        is_log: whether its range is spread over its logarithm.
    """

    values: Mapping[int, float | str]
    is_log: bool


@dataclass(frozen=True)
class Trials:
    """Trials that came to an end with a finite value.

    Attributes:
        direction: "min" where less is better, "max" where more is.
        values: by the number of the trial, in order.
        parameters: by name.
    """

    direction: Literal["min", "max"]
    values: Mapping[int, float]
    parameters: Mapping[str, Parameter]


def trials_of(study: Any) -> Trials:
    """The trials of a study with one objective."""
    completed = [
        one for one in study.get_trials(deepcopy=False) if one.state.name == "COMPLETE" and math.isfinite(one.value)
    ]
    values: dict[str, dict[int, float | str]] = {}
    is_log: dict[str, bool] = {}
    for trial in completed:
        for name, value in trial.params.items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            values.setdefault(plain(name), {})[trial.number] = float(value) if is_number else plain(str(value))
            is_log[plain(name)] = bool(getattr(trial.distributions[name], "log", False))
    return Trials(
        "min" if study.direction.name == "MINIMIZE" else "max",
        {trial.number: float(trial.value) for trial in completed},
        {name: Parameter(by_trial, is_log[name]) for name, by_trial in values.items()},
    )
