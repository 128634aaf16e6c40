"""From a recipe's ``[schedule]`` section to a schedule over shares of the horizon.

Every length in a section is a share of the horizon; milestones are places in the training, counted from its start. A
schedule's own horizon is what the warmup in front of it leaves, so no section names one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from surefoot.errors import nearest
from surefoot.schedules import foreign
from surefoot.schedules.compose import Sequence, Warmup
from surefoot.schedules.cycles import CosineRestarts, OneCycle, Triangular
from surefoot.schedules.decay import Constant, Cosine, Exponential, Linear, Polynomial
from surefoot.schedules.elementwise import Schedule
from surefoot.schedules.inverse import InverseSqrt, InverseTime, Power
from surefoot.schedules.reactive import Plateau, ReduceThenRaise
from surefoot.schedules.stairs import MultiStep, Step
from surefoot.schedules.trapezoid import WarmupStableDecay

__all__ = [
    "DERIVED",
    "IN_FRONT",
    "REACTIVE",
    "SCHEDULES",
    "default_warmup",
    "from_recipe",
    "mean_multiplier",
    "reactive",
    "require_shares",
]

SCHEDULES: dict[str, type[Any]] = {
    "constant": Constant,
    "cosine": Cosine,
    "cosine_restarts": CosineRestarts,
    "exponential": Exponential,
    "inverse_sqrt": InverseSqrt,
    "inverse_time": InverseTime,
    "linear": Linear,
    "multistep": MultiStep,
    "one_cycle": OneCycle,
    "polynomial": Polynomial,
    "power": Power,
    "sequence": Sequence,
    "step": Step,
    "triangular": Triangular,
    "warmup_stable_decay": WarmupStableDecay,
}
"""Every planned schedule, by its name in a recipe."""

REACTIVE: dict[str, type[Any]] = {"plateau": Plateau, "reduce_then_raise": ReduceThenRaise}
"""The schedules that look at a measured value, by their name in a recipe."""

# What a section may say beside the schedule's own arguments.
IN_FRONT = ("warmup", "warmup_shape", "warmup_start")
# Arguments that a section leaves to its warmup and to the room that is left behind it.
DERIVED = {"horizon", "warmup_length"}
# Arguments that are lengths or places in a training.
_LENGTHS = ("every", "milestones", "patience", "cooldown", "raise_length")


def from_recipe(
    name: str,
    *,
    warmup: float = 0.0,
    warmup_shape: str = "linear",
    warmup_start: float | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Schedule:
    """The schedule called ``name`` behind a warmup, over positions in [0, 1].

    Args:
        name: a key of ``SCHEDULES``, or ``package.module:Class`` for one of your own.
        warmup: the share of the horizon that the warmup takes, in [0, 1).
        warmup_shape: ``linear`` or ``exponential``.
        warmup_start: where the warmup begins, as a share of where it ends; its own default when left out.
        arguments: the schedule's own arguments; its horizon is what the warmup leaves. A sequence takes ``parts``, a
            list of sections of the same form, each but the last with a ``length``.

    Raises:
        ValueError: the name, an argument or a value is not allowed, in one line.

    >>> from_recipe("cosine", warmup=0.1)
    Warmup(after=Cosine(horizon=0.9, floor=0.0), length=0.1, shape='linear', start=None)
    """
    require_shares(arguments or {}, where="schedule")
    in_front = {"warmup": warmup, "warmup_shape": warmup_shape, "warmup_start": warmup_start}
    return _built({"name": name, **in_front, **(arguments or {})}, begin=0.0, length=1.0, where="schedule")


def reactive(name: str, arguments: Mapping[str, Any] | None = None) -> Plateau | ReduceThenRaise:
    """The reactive schedule called ``name`` with these ``arguments``, whose positions are shares of the horizon.

    >>> reactive("reduce_then_raise", {"peak": 0.5, "plateau": {"floor": 0.1}}).plateau.floor
    0.1
    """
    if name not in REACTIVE:
        raise ValueError(f'there is no reactive schedule "{name}"; {nearest(name, REACTIVE)}')
    given = dict(arguments or {})
    require_shares(given, where="schedule")
    _require_known(given, _fields(REACTIVE[name]), where="schedule", name=name, beside=())
    if isinstance(given.get("plateau"), Mapping):
        given["plateau"] = reactive("plateau", {"floor": 0.01, **given["plateau"]})
    return _made(REACTIVE[name], given, where="schedule")  # type: ignore[no-any-return] # REACTIVE says which


def require_shares(arguments: Mapping[str, Any], *, where: str) -> None:
    """Raise when a length is none of the horizon's shares: most likely it was meant in epochs.

    >>> require_shares({"every": 0.25}, where="schedule")
    """
    for key in _LENGTHS:
        value = arguments.get(key)
        for length in value if isinstance(value, list | tuple) else [value]:
            if isinstance(length, int | float) and not isinstance(length, bool) and length > 1.0:
                raise ValueError(
                    f"{where}.{key} is {value!r}: lengths in a recipe are shares of the horizon, from 0 to 1; "
                    f"for {length:g} epochs divide by all epochs"
                )
    if isinstance(arguments.get("plateau"), Mapping):
        require_shares(arguments["plateau"], where=f"{where}.plateau")


def default_warmup(name: str) -> float:
    """The share of the horizon that a warmup before ``name`` takes when nobody said: none where that begins low.

    A twentieth stood in front of every trial that the tuner's ladder was built on.
    """
    return 0.0 if getattr(SCHEDULES.get(name), "begins_low", False) else 0.05


def mean_multiplier(schedule: Schedule) -> float:
    """The mean of a schedule over [0, 1], by the midpoint rule: what Σ η over a run is to η · steps.

    >>> round(mean_multiplier(from_recipe("linear")), 6)
    0.5
    """
    middles = (np.arange(1000) + 0.5) / 1000
    return float(np.mean(schedule(middles)))


def _built(section: Mapping[str, Any], *, begin: float, length: float, where: str) -> Schedule:
    """The schedule of a section that holds the stretch of the training from ``begin`` on."""
    given = dict(section)
    name = given.pop("name", None)
    warmup = given.pop("warmup", 0.0)
    front = {"shape": given.pop("warmup_shape", "linear"), "start": given.pop("warmup_start", None)}
    if not isinstance(warmup, int | float) or isinstance(warmup, bool) or not 0.0 <= warmup < length:
        raise ValueError(f"{where}.warmup must be at least 0 and below {length:g}, not {warmup!r}: it is a share")
    if not isinstance(name, str):
        raise ValueError(f'{where}.name must be the name of a schedule, such as "cosine", not {name!r}')
    if not warmup and (front["shape"] != "linear" or front["start"] is not None):
        raise ValueError(f"{where}.warmup_shape and {where}.warmup_start need a {where}.warmup above 0")
    schedule = _named(name, given, begin=begin + warmup, length=length - warmup, where=where)
    if warmup:
        schedule = _made(Warmup, {"after": schedule, "length": warmup, **front}, where=f"{where}.warmup", glue="_")
    return schedule


def _named(name: str, given: dict[str, Any], *, begin: float, length: float, where: str) -> Schedule:
    if name in REACTIVE:
        raise ValueError(
            f'{where}.name is "{name}", which reacts to the validation loss and has no values of its own; here '
            f"take one of: {', '.join(sorted(SCHEDULES))}"
        )
    if ":" in name:
        return foreign.built(name, given, horizon=length, where=where)
    if name not in SCHEDULES:
        raise ValueError(f'{where}.name is "{name}", which does not exist; {nearest(name, {**SCHEDULES, **REACTIVE})}')
    if name == "sequence":
        return _sequence(given, begin=begin, length=length, where=where)
    kind = SCHEDULES[name]
    fields = _fields(kind)
    _require_known(given, fields - DERIVED, where=where, name=name)
    if "horizon" in fields:
        given["horizon"] = length
    if "warmup_length" in fields:
        given["warmup_length"] = 0.0
    schedule: Schedule = _made(kind, given, where=where)
    return _from_place(schedule, begin, where) if isinstance(schedule, MultiStep) else schedule


def _from_place(schedule: MultiStep, begin: float, where: str) -> MultiStep:
    """Milestones counted from where the schedule begins instead of from the start of the training."""
    if schedule.milestones and schedule.milestones[0] <= begin:
        raise ValueError(
            f"{where}.milestones must come after {begin:g}, where the schedule begins, not {schedule.milestones[0]!r}"
        )
    return dataclasses.replace(schedule, milestones=tuple(mark - begin for mark in schedule.milestones))


def _sequence(given: dict[str, Any], *, begin: float, length: float, where: str) -> Sequence:
    _require_known(given, {"parts"}, where=where, name="sequence")
    parts = given.get("parts")
    if not isinstance(parts, list | tuple) or len(parts) < 2 or not all(isinstance(part, Mapping) for part in parts):
        raise ValueError(
            f"{where}.parts must be two or more tables, each with a name and all but the last with a length, "
            f"not {parts!r}"
        )
    schedules, boundaries, start = [], [], 0.0
    for index, part in enumerate(parts):
        here, left = f"{where}.parts[{index}]", length - start
        section = dict(part)
        share = section.pop("length", left)
        is_last = index == len(parts) - 1
        if is_last == ("length" in part):
            raise ValueError(f"{here} {_length_rule(is_last=is_last)}")
        is_number = isinstance(share, int | float) and not isinstance(share, bool)
        if not is_last and not (is_number and 0.0 < share < left):
            raise ValueError(f"{here}.length must be above 0 and below the {left:g} that is left, not {share!r}")
        schedules.append(_built(section, begin=begin + start, length=share, where=here))
        start += share
        boundaries.append(start)
    return _made(Sequence, {"schedules": tuple(schedules), "boundaries": tuple(boundaries[:-1])}, where=where)  # type: ignore[no-any-return]


def _length_rule(*, is_last: bool) -> str:
    if is_last:
        return "must not have a length: the last part takes what is left"
    return "needs a length, its share of the training; only the last part takes what is left"


def _made(kind: type[Any], given: Mapping[str, Any], *, where: str, glue: str = ".") -> Any:
    """An instance; a complaint names the argument as the recipe does."""
    try:
        return kind(**given)
    except ValueError as error:
        raise ValueError(f"{where}{glue}{error}") from None


def _require_known(
    given: Mapping[str, Any], allowed: set[str], *, where: str, name: str, beside: tuple[str, ...] = ("name", *IN_FRONT)
) -> None:
    for key in given:
        if key in DERIVED:
            raise ValueError(f"{where}.{key} cannot be set in a recipe: it follows from {where}.warmup")
        if key not in allowed:
            choices = nearest(key, {*beside, *allowed})
            raise ValueError(f'{where}.{key} is not an argument of "{name}"; {choices}')


def _fields(kind: type[Any]) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}
