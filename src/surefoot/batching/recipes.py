"""From a recipe's ``[batch]`` section to a policy whose positions are shares of the horizon."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from surefoot.batching.policies import BatchPolicy, Fixed, Full, Random, Single
from surefoot.batching.ramps import AdaBatch, GeometricRamp, LinearRamp, StepRamp
from surefoot.errors import nearest

__all__ = ["POLICIES", "from_recipe", "scaled_arguments", "within"]

POLICIES: dict[str, type[Any]] = {
    "ada_batch": AdaBatch,
    "fixed": Fixed,
    "full": Full,
    "geometric_ramp": GeometricRamp,
    "linear_ramp": LinearRamp,
    "random": Random,
    "single": Single,
    "step_ramp": StepRamp,
}
# What a training loop must bring before a recipe may name them.
_NEED_MORE = {
    "cabs": "the noise in its gradients",
    "goodput": "the noise in its gradients and the time of its steps",
    "gradient_diversity": "the noise in its gradients",
    "growth_replaces_decay": "a rate that moves with its batch",
    "half_cosine": "the noise in its gradients",
    "inner_product_test": "the noise in its gradients",
    "noise_scale": "the noise in its gradients",
    "norm_test": "the noise in its gradients",
    "plateau_growth": "its validation metric",
}
# Arguments that are batch sizes themselves: they scale with the batch and cannot pass the number of rows.
_SIZES = ("last", "smallest", "largest", "sizes")


def from_recipe(
    policy: str, *, size: int, arguments: Mapping[str, Any] | None = None, num_rows: int | None = None
) -> BatchPolicy:
    """The policy that a recipe's ``[batch]`` section names.

    Args:
        policy: a key of ``POLICIES``.
        size: the batch size, or the one that the policy begins with.
        arguments: the policy's own arguments.
        num_rows: of the training data, when they are known: no size may pass them.

    Raises:
        ValueError: the policy does not exist or does not take an argument, or a value is not allowed.

    >>> from_recipe("linear_ramp", size=32, arguments={"last": 128})
    LinearRamp(size=32, last=128, length=1.0)
    """
    if policy in _NEED_MORE:
        raise ValueError(
            f'batch.policy "{policy}" needs a training loop that tells it {_NEED_MORE[policy]}; in a loop of your own '
            f"use surefoot.batching, in a recipe one of: {', '.join(sorted(POLICIES))}"
        )
    if policy not in POLICIES:
        raise ValueError(f'batch.policy is "{policy}", which does not exist; {nearest(policy, POLICIES)}')
    kind, given = POLICIES[policy], dict(arguments or {})
    fields = {field.name for field in dataclasses.fields(kind)}
    for key in given:
        if key not in fields:
            choices = nearest(key, {"policy", "size", *fields})
            raise ValueError(f'batch.{key} is not an argument of "{policy}"; {choices}')
    if num_rows is not None:
        _check_rows(given, num_rows)
    try:
        built: BatchPolicy = kind(**given, **({"size": size} if "size" in fields else {}))
    except ValueError as error:
        raise ValueError(f"batch.{error}") from None
    return built


def within(size: int, arguments: Mapping[str, Any]) -> int:
    """A usual size moved to where a policy's own arguments allow it; wrong arguments are left to the policy.

    >>> within(32, {"last": 16}), within(32, {"sizes": [64, 256]}), within(32, {"smallest": 100, "largest": 400})
    (16, 128, 200)
    """
    sizes = arguments.get("sizes")
    low, high = arguments.get("smallest"), arguments.get("largest", arguments.get("last"))
    if isinstance(sizes, list | tuple) and sizes:
        low, high = min(sizes), max(sizes)
    if not all(value is None or (isinstance(value, int) and value >= 1) for value in (low, high)):
        return size
    if low is not None and high is not None:
        return max(1, round(math.sqrt(low * high)))
    return min(max(size, low or 1), high or max(size, low or 1))


def scaled_arguments(arguments: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """A policy's arguments with those that are batch sizes multiplied by ``factor``, in whole rows of at least 1.

    >>> scaled_arguments({"last": 128, "length": 0.5}, 2.0)
    {'last': 256, 'length': 0.5}
    """
    scaled = dict(arguments)
    for key in _SIZES:
        value = scaled.get(key)
        if isinstance(value, list | tuple):
            scaled[key] = [max(1, round(size * factor)) for size in value]
        elif value is not None:
            scaled[key] = max(1, round(value * factor))
    return scaled


def _check_rows(arguments: Mapping[str, Any], num_rows: int) -> None:
    for key in _SIZES:
        value = arguments.get(key)
        sizes = value if isinstance(value, list | tuple) else [value]
        wanted = max((size for size in sizes if isinstance(size, int)), default=0)
        if wanted > num_rows:
            raise ValueError(
                f"batch.{key} is {value}, but there are {num_rows} training rows; ask for at most {num_rows}"
            )
