"""Arithmetic that means the same for one position and for an array of them.

A training reads one position a step, a drawing reads thousands. Each formula is written once from these pieces; a
single position stays in Python's own floats, which take a fraction of NumPy's time.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = [
    "FALLS",
    "Positions",
    "Schedule",
    "at_most",
    "chosen",
    "clipped",
    "half_cosine",
    "num_reached",
    "over_positions",
    "picked",
    "progress",
    "whole_periods",
]

Positions = TypeVar("Positions", float, npt.NDArray[np.float64])

# A mark counts as reached from a relative 1e-12 before it: 0.3 / 0.1 is 2.9999999999999996, and three tenths of a
# training are meant to hold three whole tenths.
_SLACK = 1.0 + 1e-12
_FEW = 16  # so many comparisons are quicker than a binary search; measured: benchmarks/schedules.py
_MANY = 2.0**53  # every float from here on is whole


class Schedule(Protocol):
    """A multiplier of the base learning rate as a function of the position."""

    def __call__(self, position: Positions, /) -> Positions:
        """The multiplier at ``position``, of the same shape."""
        ...


def over_positions(formula: Callable[[Any, Any], Any]) -> Callable[[Any, Positions], Positions]:
    """A method that takes a number and gives a Python float, or takes an array and gives an array of its shape.

    The formula itself sees a Python float or an array of 64-bit floats, nothing else.
    """

    @functools.wraps(formula)
    def multiplier(schedule: Any, position: Any) -> Any:
        if isinstance(position, np.ndarray) and position.ndim:
            return formula(schedule, position.astype(np.float64, copy=False))
        return float(formula(schedule, float(position)))

    return multiplier


def clipped(value: Positions, low: float, high: float) -> Positions:
    """``value`` held inside [low, high]."""
    if isinstance(value, np.ndarray):
        return np.clip(value, low, high)
    return min(max(value, low), high)


def at_most(value: Positions, high: float) -> Positions:
    """``value`` where it is below ``high``, ``high`` elsewhere."""
    return np.minimum(value, high) if isinstance(value, np.ndarray) else min(value, high)


def chosen(condition: Any, yes: Any, no: Any) -> Any:
    """``yes`` where the condition holds, ``no`` elsewhere; both are computed."""
    if isinstance(condition, np.ndarray):
        return np.where(condition, yes, no)
    return yes if condition else no


def progress(position: Positions, length: float) -> Positions:
    """How much of ``length`` has passed, in [0, 1]."""
    return clipped(position / length, 0.0, 1.0)


def whole_periods(position: Positions, length: float) -> Positions:
    """How many whole periods have passed, at least 0."""
    passed = clipped(position / length * _SLACK, 0.0, _MANY)
    return np.floor(passed) if isinstance(passed, np.ndarray) else float(math.floor(passed))


def num_reached(marks: tuple[float, ...], position: Positions) -> Any:
    """How many of the rising ``marks`` have been reached: an int, or an array of them."""
    if not isinstance(position, np.ndarray):
        return bisect.bisect_right(marks, position * _SLACK)
    reached = position * _SLACK
    if len(marks) > _FEW:
        return np.searchsorted(marks, reached, side="right")
    num = np.zeros(position.shape, dtype=np.intp)
    for mark in marks:
        num += reached >= mark
    return num


def picked(values: tuple[float, ...], index: Any) -> Any:
    """The values at an index, or at an array of them."""
    return np.asarray(values).take(index) if isinstance(index, np.ndarray) else values[index]


def half_cosine(passed: Positions) -> Positions:
    """From 1 at 0 down to 0 at 1, level at both ends."""
    angle = math.pi * passed
    return (1.0 + (np.cos(angle) if isinstance(angle, np.ndarray) else math.cos(angle))) / 2.0


def _straight(passed: Positions) -> Positions:
    return 1.0 - passed


def _one_minus_sqrt(passed: Positions) -> Positions:
    return 1.0 - (np.sqrt(passed) if isinstance(passed, np.ndarray) else math.sqrt(passed))


# Ways from 1 at 0 down to 0 at 1, by name.
FALLS: dict[str, Callable[[Any], Any]] = {
    "linear": _straight,
    "cosine": half_cosine,
    "one_minus_sqrt": _one_minus_sqrt,
}
