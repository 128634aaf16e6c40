"""Schedules that fall in steps and stand still in between."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from surefoot.schedules.door import require_factor, require_floor, require_positive, require_rising
from surefoot.schedules.elementwise import num_reached, over_positions, whole_periods

__all__ = ["MultiStep", "Step"]

_CUT = "it is what a cut leaves of the rate"


@dataclass(frozen=True)
class Step:
    """A cut every k: factor^⌊t/k⌋, never below the floor.

    The cut belongs to the position it happens at: at t = k the multiplier is already the lower one.

    Args:
        every: k > 0, the stretch between two cuts.
        factor: what a cut leaves, in (0, 1].
        floor: no cut goes below it, in [0, 1].

    >>> rate = Step(every=30, factor=0.1)
    >>> rate(29.9), rate(30.0)
    (1.0, 0.1)
    """

    every: float = 1 / 3
    _: KW_ONLY
    factor: float = 0.1
    floor: float = 0.0

    def __post_init__(self) -> None:
        require_positive("every", self.every)
        require_factor("factor", self.factor, meaning=_CUT)
        require_floor(self.floor)

    @over_positions
    def __call__(self, position: Any) -> Any:
        """The multiplier at ``position``."""
        return _cut(self.factor, whole_periods(position, self.every), self.floor)


@dataclass(frozen=True)
class MultiStep:
    """A cut at every milestone: factor^(milestones reached), never below the floor.

    He et al. 2016 (arXiv:1512.03385), section 4.2, cut by ten at half and at three quarters of the training.

    Args:
        milestones: where the cuts happen, rising, above 0. A milestone belongs to what follows it.
        factor: what a cut leaves, in (0, 1].
        floor: no cut goes below it, in [0, 1].

    >>> rate = MultiStep(milestones=(30, 60), factor=0.1)
    >>> rate(29.0), rate(30.0), round(rate(60.0), 12)
    (1.0, 0.1, 0.01)
    """

    milestones: tuple[float, ...] = (0.5, 0.75)
    _: KW_ONLY
    factor: float = 0.1
    floor: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "milestones", require_rising("milestones", self.milestones))
        require_factor("factor", self.factor, meaning=_CUT)
        require_floor(self.floor)

    @over_positions
    def __call__(self, position: Any) -> Any:
        """The multiplier at ``position``."""
        return _cut(self.factor, num_reached(self.milestones, position), self.floor)


def _cut(factor: float, num_cuts: Any, floor: float) -> Any:
    """What so many cuts leave."""
    left = factor**num_cuts
    return np.maximum(left, floor) if isinstance(left, np.ndarray) else max(left, floor)
