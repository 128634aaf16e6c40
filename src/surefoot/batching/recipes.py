"""From a recipe's ``[batch]`` section to a policy: of the position, or of what the training shows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from surefoot.batching.goodput import Goodput
from surefoot.batching.limits import Limits
from surefoot.batching.measured import Measured, MeasuredPolicy
from surefoot.batching.plateau import PlateauGrowth
from surefoot.batching.policies import BatchPolicy, Fixed, Full, Random, Single
from surefoot.batching.ramps import AdaBatch, GeometricRamp, GrowthReplacesDecay, LinearRamp, StepRamp
from surefoot.batching.readings import CABS, GradientDiversity, HalfCosine, InnerProductTest, NoiseScale, NormTest
from surefoot.batching.step_time import StepTime
from surefoot.errors import nearest

__all__ = [
    "OBSERVING",
    "POLICIES",
    "from_recipe",
    "is_constant",
    "is_measured",
    "observing_from_recipe",
    "scaled_arguments",
    "within",
]

POLICIES: dict[str, type[Any]] = {
    "ada_batch": AdaBatch,
    "fixed": Fixed,
    "full": Full,
    "geometric_ramp": GeometricRamp,
    "growth_replaces_decay": GrowthReplacesDecay,
    "linear_ramp": LinearRamp,
    "random": Random,
    "single": Single,
    "step_ramp": StepRamp,
}
"""The policies that depend on the position alone, by their name in a recipe."""
READINGS: dict[str, type[Any]] = {
    "cabs": CABS,
    "goodput": Goodput,
    "gradient_diversity": GradientDiversity,
    "half_cosine": HalfCosine,
    "inner_product_test": InnerProductTest,
    "noise_scale": NoiseScale,
    "norm_test": NormTest,
}
OBSERVING = frozenset({*READINGS, "plateau_growth"})
"""Names in a recipe of the policies that look at gradients, times or the objective."""

# Arguments that are batch sizes themselves: they scale with the batch and cannot pass the number of rows.
_SIZES = ("last", "smallest", "largest", "sizes", "reference_size")
# Arguments that the training brings and a recipe cannot.
_BROUGHT = {"schedule", "horizon", "step_time", "reading", "limits"}
# What a measured policy in a recipe takes where nothing is said: it looks rarely, so it remembers few looks and acts on
# weaker evidence than one that is told of every step (measured: see docs/log.md, 2026-11-20). Lengths are shares of
# the horizon, and ``smallest`` is the size to begin with.
_MEASURED: dict[str, Any] = {
    "memory": 0.01,
    "least_looks": 30,
    "min_looks": 10,
    "pause": 1.0,
    "deviations": 1.0,
    "share_of_rows": 0.25,
}
# What a section may say beside the policy's own arguments.
_BESIDE = ("policy", "size", "coupling", "reference_size", "max_learning_rate", "look_every", "micro_batch")
_ANY_STEP_TIME = StepTime(overhead=1.0, per_row=1.0)  # stands in until the training has timed its steps


def from_recipe(
    policy: str,
    *,
    size: int,
    arguments: Mapping[str, Any] | None = None,
    num_rows: int | None = None,
    schedule: Callable[[Any], Any] | None = None,
) -> BatchPolicy:
    """The policy of the position that a recipe's ``[batch]`` section names.

    Args:
        policy: a key of ``POLICIES``.
        size: the batch size, or the one that the policy begins with.
        arguments: the policy's own arguments.
        num_rows: of the training data, when they are known: no size may pass them.
        schedule: position -> multiplier, for the policy that grows where the schedule would decay.

    Raises:
        ValueError: the policy does not exist or does not take an argument, or a value is not allowed.

    >>> from_recipe("linear_ramp", size=32, arguments={"last": 128})
    LinearRamp(size=32, last=128, length=1.0)
    """
    if policy not in POLICIES:
        raise ValueError(
            f'batch.policy is "{policy}", which does not exist; {nearest(policy, {*POLICIES, *OBSERVING})}'
        )
    kind, given = POLICIES[policy], dict(arguments or {})
    _require_known(policy, given, _fields(kind))
    for key in ("every", "length"):
        if isinstance(given.get(key), int | float) and given[key] > 1:
            raise ValueError(
                f"batch.{key} is {given[key]!r}: lengths in a recipe are shares of the horizon, from 0 to 1; for "
                f"{given[key]:g} epochs divide by all epochs"
            )
    if num_rows is not None:
        _check_rows(given, num_rows)
    if kind is GrowthReplacesDecay:
        given |= {"schedule": schedule or _flat}
    built: BatchPolicy = _made(kind, given | ({"size": size} if "size" in _fields(kind) else {}))
    return built


def observing_from_recipe(
    policy: str,
    *,
    size: int = 1,
    arguments: Mapping[str, Any] | None = None,
    num_rows: int | None = None,
    horizon: int = 64_000,
    step_time: StepTime | None = None,
) -> MeasuredPolicy[Any]:
    """The policy that follows what the training shows, as a recipe's ``[batch]`` section names it.

    Its arguments are those of the reading (``share``, ``theta``, ...), of ``Limits`` and of ``Measured`` in one table;
    ``memory`` is a share of the horizon there.

    Args:
        policy: a name in ``OBSERVING``.
        size: the batch size to begin with; a measured policy does not go below it unless ``smallest`` says so.
        arguments: see above.
        num_rows: of the training data, when they are known: no size may pass them.
        horizon: of the training, in samples.
        step_time: fitted to the training's own steps, for goodput; None until there is one.

    Raises:
        ValueError: the policy does not take an argument, or a value is not allowed.

    >>> policy = observing_from_recipe("noise_scale", arguments={"share": 0.25, "largest": 512}, horizon=10_000)
    >>> policy.reading, policy.limits.largest, policy.memory
    (NoiseScale(share=0.25), 512, 100.0)
    """
    given = dict(arguments or {})
    if num_rows is not None:
        _check_rows(given, num_rows)
    own = PlateauGrowth if policy == "plateau_growth" else READINGS[policy]
    outer = None if policy == "plateau_growth" else Measured
    known = _fields(own) | _fields(Limits) | (_fields(outer) if outer else set())
    _require_known(policy, given, known)
    if outer is not None:
        given = {**_MEASURED, "smallest": size, **given}
    limits = _made(Limits, {"hysteresis": 1.0} | _part(given, Limits) if outer is None else _part(given, Limits))
    inner = {key: value for key, value in _part(given, own).items() if key not in _fields(Limits)}
    if outer is None:
        plateau: MeasuredPolicy[Any] = _made(own, {**inner, "limits": limits})
        return plateau
    if own is Goodput:
        inner |= {"step_time": step_time or _ANY_STEP_TIME, "largest": limits.largest or 2**20}
    memory = given.pop("memory")
    if isinstance(memory, bool) or not isinstance(memory, int | float) or not 0.0 < memory <= 1.0:
        raise ValueError(f"batch.memory must be a share of the horizon above 0 and up to 1, not {memory!r}")
    reading = _made(own, inner)
    measured: MeasuredPolicy[Any] = _made(
        Measured, {**_part(given, Measured), "memory": memory * horizon, "reading": reading, "limits": limits}
    )
    return measured


def is_measured(policy: str) -> bool:
    """Whether a policy needs looks at the noise in the gradients.

    >>> is_measured("norm_test"), is_measured("plateau_growth"), is_measured("fixed")
    (True, False, False)
    """
    return policy in READINGS


def is_constant(policy: str) -> bool:
    """Whether a policy asks for the same size at every step."""
    return policy in {"fixed", "full", "single"}


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


def _flat(position: Any) -> float:
    del position
    return 1.0


def _made(kind: type[Any], given: Mapping[str, Any]) -> Any:
    """An instance; a complaint names the argument as the recipe does."""
    try:
        return kind(**given)
    except ValueError as error:
        raise ValueError(f"batch.{error}") from None


def _part(given: Mapping[str, Any], kind: type[Any]) -> dict[str, Any]:
    """The arguments that ``kind`` takes."""
    return {key: value for key, value in given.items() if key in _fields(kind)}


def _require_known(policy: str, given: Mapping[str, Any], known: set[str]) -> None:
    for key in given:
        if key not in known - _BROUGHT:
            choices = nearest(key, {*_BESIDE, *known} - _BROUGHT)
            raise ValueError(f'batch.{key} is not an argument of the batch policy "{policy}"; {choices}')


def _fields(kind: type[Any]) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def _check_rows(arguments: Mapping[str, Any], num_rows: int) -> None:
    for key in _SIZES:
        value = arguments.get(key)
        sizes = value if isinstance(value, list | tuple) else [value]
        wanted = max((size for size in sizes if isinstance(size, int)), default=0)
        if wanted > num_rows:
            raise ValueError(
                f"batch.{key} is {value}, but there are {num_rows} training rows; ask for at most {num_rows}"
            )
