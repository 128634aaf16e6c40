"""From a schedule over shares of the horizon to a recipe's ``[schedule]`` section."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from surefoot.schedules.compose import Sequence, Warmup
from surefoot.schedules.recipes import DERIVED, IN_FRONT, REACTIVE, SCHEDULES, from_recipe
from surefoot.schedules.stairs import MultiStep

__all__ = ["to_recipe"]

# Sums and differences of shares are rounded to this many places, so that 0.7 - 0.3 is written as 0.4.
_PLACES = 12


def to_recipe(schedule: Any) -> dict[str, Any]:
    """The ``[schedule]`` section of a schedule over shares of the horizon: what ``from_recipe`` makes it from.

    Args:
        schedule: one of this package, in front of it a warmup or not, or a dataclass of your own. A horizon must be
            what the warmup leaves of 1.

    Raises:
        ValueError: no section describes it; the line says why.

    >>> to_recipe(from_recipe("step", warmup=0.1, arguments={"every": 0.3}))
    {'name': 'step', 'warmup': 0.1, 'every': 0.3}
    """
    if type(schedule) in REACTIVE.values():
        return {"name": _name_of(schedule), **_changed(schedule, dataclasses.asdict(schedule))}
    section = _section(schedule, begin=0.0)
    front = {key: section[key] for key in IN_FRONT if key in section}
    own = {key: value for key, value in section.items() if key not in ("name", *IN_FRONT)}
    if not _agree(schedule, from_recipe(section["name"], arguments=own, **front)):
        raise ValueError(
            f"no [schedule] section gives {schedule!r}: in a recipe a schedule ends where the training ends, so its "
            "horizon must be what its warmup leaves of 1"
        )
    return section


def _section(schedule: Any, *, begin: float) -> dict[str, Any]:
    """The section of a schedule that begins at ``begin``."""
    if isinstance(schedule, Warmup):
        after = _section(schedule.after, begin=begin + schedule.length)
        shape = {"warmup_shape": schedule.shape} if schedule.shape != "linear" else {}
        begins = {"warmup_start": schedule.start} if schedule.start is not None else {}
        return {"name": after.pop("name"), "warmup": schedule.length, **shape, **begins, **after}
    if isinstance(schedule, Sequence):
        starts = (0.0, *schedule.boundaries)
        parts = [_section(part, begin=begin + start) for part, start in zip(schedule.schedules, starts, strict=True)]
        for part, start, end in zip(parts, starts, schedule.boundaries, strict=False):
            part["length"] = round(end - start, _PLACES)
        return {"name": "sequence", "parts": parts}
    if not dataclasses.is_dataclass(schedule) or isinstance(schedule, type):
        raise ValueError(f"only a schedule that is a dataclass can be written into a recipe, not {schedule!r}")
    values = {field.name: getattr(schedule, field.name) for field in dataclasses.fields(schedule) if field.init}
    if isinstance(schedule, MultiStep):
        values["milestones"] = tuple(round(mark + begin, _PLACES) for mark in schedule.milestones)
    kept = {key: value for key, value in values.items() if key not in DERIVED}
    return {"name": _name_of(schedule), **_changed(schedule, kept)}


def _changed(schedule: Any, values: dict[str, Any]) -> dict[str, Any]:
    """What differs from the defaults, in TOML's types."""
    defaults = {field.name: field.default for field in dataclasses.fields(schedule)}
    found = {key: value for key, value in values.items() if value != defaults[key] and value is not None}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()}


def _name_of(schedule: Any) -> str:
    """What a recipe calls this kind of schedule."""
    kind = type(schedule)
    names = {known: name for name, known in {**SCHEDULES, **REACTIVE}.items()}
    return names.get(kind, f"{kind.__module__}:{kind.__qualname__}")


def _agree(one: Any, other: Any) -> bool:
    """Whether two schedules give the same multipliers; the grid's odd spacing avoids the places where stairs jump."""
    grid = np.linspace(0.0, 1.0, 1009) + 1e-5
    return bool(np.allclose(one(grid), other(grid), rtol=1e-9, atol=1e-12))
