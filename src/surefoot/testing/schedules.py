"""What every schedule must do."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["check_schedule"]


def check_schedule(
    schedule: Callable[[Any], Any], *, horizon: float = 1.0, highest: float | None = None, continuous: bool = False
) -> None:
    """Check that a schedule is a bounded, repeatable function of its position, one number or many.

    Args:
        schedule: position -> multiplier.
        horizon: the last position it is made for; it must be defined before 0 and past it too.
        highest: no multiplier may be above it, where given.
        continuous: whether it claims to have no jumps.

    Raises:
        AssertionError: the schedule breaks a rule, which the message names.
    """
    positions = np.linspace(-0.5 * horizon, 2.0 * horizon, 201)
    together = _many(schedule, positions)
    assert np.isfinite(together).all(), "every position must have a finite multiplier, past the horizon too"
    assert (together >= 0.0).all(), "a multiplier must not be negative: that would climb the gradient"
    assert highest is None or (together <= highest).all(), f"a multiplier must not be above {highest}"
    _check_numbers(schedule, positions, together)
    _check_arrays(schedule, positions, together)
    if dataclasses.is_dataclass(schedule) and not isinstance(schedule, type):
        _check_value(schedule)
    if continuous:
        jump, place = _largest_jump(schedule, horizon)
        assert jump < 1e-3, f"a schedule without jumps must not jump by {jump:.3g} at {place:.6g}"


def _many(schedule: Callable[[Any], Any], positions: Any) -> Any:
    multipliers = schedule(positions)
    assert isinstance(multipliers, np.ndarray), "an array of positions must give an array of multipliers"
    assert multipliers.shape == positions.shape, "an array of positions must give an array of the same shape"
    return multipliers


def _check_numbers(schedule: Callable[[Any], Any], positions: Any, together: Any) -> None:
    for position, multiplier in zip(positions.tolist(), together.tolist(), strict=True):
        alone = schedule(position)
        assert type(alone) is float, f"one position must give one Python float, not {type(alone).__name__}"
        assert np.isclose(alone, multiplier, rtol=1e-12, atol=1e-15), f"alone and in an array differ at {position}"
    for given in (1, np.float64(1.0), np.float32(1.0), np.asarray(1.0)):
        assert schedule(given) == schedule(1.0), f"a position of type {type(given).__name__} must count as a number"


def _check_arrays(schedule: Callable[[Any], Any], positions: Any, together: Any) -> None:
    before = positions.copy()
    shuffled = np.random.default_rng(0).permutation(len(positions))
    again = _many(schedule, positions[shuffled])
    assert np.array_equal(again, together[shuffled]), "a multiplier must depend on its position alone"
    halves = [_many(schedule, half) for half in np.array_split(positions, 2)]
    assert np.array_equal(np.concatenate(halves), together), "chunking the positions must not matter"
    square = _many(schedule, positions[:200].reshape(10, 20))
    assert np.array_equal(square.ravel(), together[:200]), "an array of any shape must give the same multipliers"
    _many(schedule, positions[:0])
    together[:] = -1.0
    assert np.array_equal(positions, before), "a schedule must leave the positions as they are"
    assert (_many(schedule, positions) >= 0.0).all(), "a schedule must give an array of its own at every call"


def _check_value(schedule: Any) -> None:
    """A dataclass must be a value: frozen, equal to its copy, and ready for another process."""
    first = dataclasses.fields(schedule)[:1]
    for field in first:
        try:
            setattr(schedule, field.name, getattr(schedule, field.name))
        except dataclasses.FrozenInstanceError:
            continue
        raise AssertionError("a schedule that is a dataclass must be frozen")
    copy = pickle.loads(pickle.dumps(schedule))  # noqa: S301 # our own bytes
    assert copy == schedule, "a schedule must survive the way to another process"
    assert hash(copy) == hash(schedule), "equal schedules must have equal hashes"


def _largest_jump(schedule: Callable[[Any], Any], horizon: float) -> tuple[float, float]:
    """How far the schedule jumps at most, and where: steep places are halved until a slope would have vanished."""
    edges = np.linspace(-0.5 * horizon, 2.0 * horizon, 2001)
    worst, place = 0.0, 0.0
    steepest = np.argsort(-np.abs(np.diff(_many(schedule, edges))))[:20]
    for low, high in zip(edges[steepest].tolist(), edges[steepest + 1].tolist(), strict=True):
        for _ in range(30):
            middle = (low + high) / 2.0
            rises_first = abs(schedule(middle) - schedule(low)) >= abs(schedule(high) - schedule(middle))
            low, high = (low, middle) if rises_first else (middle, high)
        jump = abs(schedule(high) - schedule(low))
        worst, place = max((worst, place), (jump, low))
    return worst, place
