"""What every schedule must do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["check_schedule"]


def check_schedule(schedule: Callable[[Any], Any], *, horizon: float = 1.0) -> None:
    """Check that a schedule is a bounded, repeatable function of its position, one number or many.

    Args:
        schedule: position -> multiplier.
        horizon: the last position it is made for; it must be defined before 0 and past it too.

    Raises:
        AssertionError: the schedule breaks a rule, which the message names.
    """
    positions = np.linspace(-0.5 * horizon, 2.0 * horizon, 201)
    together = np.asarray(schedule(positions))
    assert together.shape == positions.shape, "an array of positions must give an array of multipliers"
    assert np.isfinite(together).all(), "every position must have a finite multiplier, past the horizon too"
    assert (together >= 0.0).all(), "a multiplier must not be negative: that would climb the gradient"
    for position, multiplier in zip(positions.tolist(), together.tolist(), strict=True):
        alone = schedule(position)
        assert isinstance(alone, float), f"one position must give one float, not {type(alone).__name__}"
        assert np.isclose(alone, multiplier, rtol=1e-12, atol=1e-15), f"alone and in an array differ at {position}"
    shuffled = np.random.default_rng(0).permutation(len(positions))
    again = np.asarray(schedule(positions[shuffled]))
    assert np.array_equal(again, together[shuffled]), "a multiplier must depend on its position alone"
