"""From a recipe's ``[schedule]`` section to a schedule whose positions are shares of the horizon."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from surefoot.errors import nearest
from surefoot.schedules.compose import Warmup
from surefoot.schedules.decay import Constant, Cosine, Exponential, Linear, Polynomial

__all__ = ["SCHEDULES", "from_recipe", "mean_multiplier"]

SCHEDULES: dict[str, type[Any]] = {
    "constant": Constant,
    "cosine": Cosine,
    "exponential": Exponential,
    "linear": Linear,
    "polynomial": Polynomial,
}


def from_recipe(name: str, *, warmup: float = 0.0, arguments: Mapping[str, Any] | None = None) -> Callable[[Any], Any]:
    """The schedule called ``name`` behind a warmup, over positions in [0, 1].

    Args:
        name: a key of ``SCHEDULES``.
        warmup: the share of the horizon that the linear warmup takes, in [0, 1).
        arguments: the schedule's own arguments; its horizon is what the warmup leaves.

    >>> from_recipe("cosine", warmup=0.1)
    Warmup(after=Cosine(horizon=0.9, floor=0.0), length=0.1)
    """
    given = dict(arguments or {})
    if name not in SCHEDULES:
        raise ValueError(f'schedule.name is "{name}", which does not exist; {nearest(name, SCHEDULES)}')
    kind = SCHEDULES[name]
    fields = {field.name for field in dataclasses.fields(kind)}
    allowed = fields - {"horizon"}
    for key in given:
        if key not in allowed:
            choices = nearest(key, {"name", "warmup", *allowed})
            raise ValueError(f'schedule.{key} is not an argument of "{name}"; {choices}')
    if "horizon" in fields:
        given["horizon"] = 1.0 - warmup
    schedule: Callable[[Any], Any] = kind(**given)
    return Warmup(schedule, length=warmup) if warmup > 0 else schedule


def mean_multiplier(schedule: Callable[[Any], Any]) -> float:
    """The mean of a schedule over [0, 1], by the midpoint rule: what Σ η over a run is to η · steps.

    >>> round(mean_multiplier(from_recipe("linear")), 6)
    0.5
    """
    middles = (np.arange(1000) + 0.5) / 1000
    return float(np.mean(schedule(middles)))
