"""A schedule of somebody else's, found by name when a recipe asks for it."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from surefoot.errors import raised_at
from surefoot.schedules.elementwise import Schedule

__all__ = ["built"]


def built(name: str, given: Mapping[str, Any], *, horizon: float, where: str) -> Schedule:
    """An instance of the class that ``package.module:Class`` names.

    The class must define ``__call__(position) -> multiplier`` for a number and for an array. If its constructor takes
    ``horizon``, it receives what the warmup leaves; like every length of a recipe it is a share.

    Args:
        name: ``package.module:Class``; the module must be installed or on PYTHONPATH.
        given: the constructor's arguments.
        horizon: what the warmup leaves.
        where: how the recipe calls this section.

    Raises:
        ValueError: it cannot be imported, is no such class, or fails, in one line.
    """
    kind = _found(name, where)
    arguments = dict(given)
    try:
        if "horizon" in inspect.signature(kind).parameters:
            arguments.setdefault("horizon", horizon)
        schedule: Schedule = kind(**arguments)
        values = np.asarray(schedule(np.linspace(0.0, 1.0, 5)), dtype=float)
    except Exception as error:
        raise ValueError(f'{where}.name is "{name}", and that failed: {raised_at(error)}') from error
    if values.shape != (5,) or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(
            f'{where}.name is "{name}", which gave {values.tolist()!r} for five positions; it must give a finite '
            "multiplier of at least 0 for each (surefoot.testing.check_schedule says more)"
        )
    return schedule


def _found(name: str, where: str) -> Any:
    """The class; nothing is called before it is known to make things that can be called with a position."""
    place, _, path = name.partition(":")
    if not place or not path:
        raise ValueError(f'{where}.name is "{name}"; a schedule of your own is named "package.module:Class"')
    try:
        kind = functools.reduce(getattr, path.split("."), importlib.import_module(place))
    except Exception as error:
        raise ValueError(
            f'{where}.name is "{name}", which cannot be imported ({raised_at(error)}); '
            "the module must be installed or on PYTHONPATH"
        ) from error
    if not isinstance(kind, type) or not any("__call__" in vars(parent) for parent in kind.__mro__):
        raise ValueError(f'{where}.name is "{name}", which is not a class with __call__(position) -> multiplier')
    return kind
