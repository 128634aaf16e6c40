"""Schedules made of schedules."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from surefoot.schedules.decay import Constant
from surefoot.schedules.door import (
    require_choice,
    require_factor,
    require_positive,
    require_rising,
    require_schedule,
    require_share,
)
from surefoot.schedules.elementwise import Positions, Schedule, clipped, num_reached, over_positions, progress

__all__ = ["Sequence", "Warmup"]


@dataclass(frozen=True)
class Warmup:
    """A rise to where ``after`` starts, then ``after`` from its beginning.

    The rise stands in front of the schedule, it does not multiply it: the two meet without a jump. A training that
    reads the multiplier at the middle of each batch never takes a step of size zero.

    Over a length W the rise is start + (1 − start)·t/W, or start^(1 − t/W) when it is exponential, times what
    ``after`` begins with.

    Goyal et al. 2017 (arXiv:1706.02677), section 2.2, "gradual warmup".

    Args:
        after: the schedule that follows; its own horizon counts from the end of the warmup.
        length: W > 0, how long the rise takes, in the unit of the positions.
        shape: ``linear``, or ``exponential`` for equal factors in equal stretches.
        start: where the rise begins, as a share of where it ends; 0 when linear and 0.01 when exponential if left out.

    >>> from surefoot import schedules
    >>> rate = schedules.warmup(schedules.linear(horizon=90), length=10)
    >>> rate(5.0), rate(10.0), rate(100.0)
    (0.5, 1.0, 0.0)
    >>> round(schedules.warmup(length=10, shape="exponential", start=0.01)(5.0), 12)
    0.1
    """

    after: Schedule = field(default_factory=Constant)
    _: KW_ONLY
    length: float = 0.05
    shape: Literal["linear", "exponential"] = "linear"
    start: float | None = None

    def __post_init__(self) -> None:
        require_schedule("after", self.after)
        require_positive("length", self.length)
        require_choice("shape", self.shape, ("linear", "exponential"))
        meaning = "it is a share of where the warmup ends"
        if self.shape == "exponential" and self.start is not None:
            require_factor("start", self.start, meaning=f"{meaning}, and equal factors cannot lead away from 0")
        elif self.start is not None:
            require_share("start", self.start, meaning=meaning)

    @cached_property
    def _top(self) -> float:
        return self.after(0.0)

    @over_positions
    def __call__(self, position: Any) -> Any:
        """The multiplier at ``position``."""
        if isinstance(position, float):
            if position < self.length:
                return self._top * self._risen(progress(position, self.length))
            return self.after(position - self.length)
        early = position < self.length
        values = np.array(self.after(np.maximum(position - self.length, 0.0)))
        values[early] = self._top * self._risen(progress(position[early], self.length))
        return values

    def _risen(self, passed: Positions) -> Positions:
        if self.shape == "exponential":
            start = 0.01 if self.start is None else self.start
            value: Positions = start ** (1.0 - passed)
            return value
        start = self.start or 0.0
        return start + (1.0 - start) * passed


@dataclass(frozen=True)
class Sequence:
    """One schedule after the other, each from its own beginning.

    Positions inside a schedule count from the boundary where it takes over; a boundary belongs to what follows it.
    There is no promise of continuity: choose floors and values so that the pieces meet, or mean the jump.

    Args:
        schedules: two or more, in order; each may be a warmup or a sequence itself.
        boundaries: where the second, the third and so on begin: rising, above 0, one fewer than the schedules.

    >>> rate = Sequence((Constant(), Constant(0.1)), boundaries=(30,))
    >>> rate(29.0), rate(30.0)
    (1.0, 0.1)
    """

    schedules: tuple[Schedule, ...]
    _: KW_ONLY
    boundaries: tuple[float, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.schedules, list | tuple) or len(self.schedules) < 2:
            raise ValueError(f"schedules must be a list of two or more schedules, not {self.schedules!r}")
        object.__setattr__(self, "schedules", tuple(self.schedules))
        for index, schedule in enumerate(self.schedules):
            require_schedule(f"schedules[{index}]", schedule)
        object.__setattr__(self, "boundaries", require_rising("boundaries", self.boundaries))
        if len(self.boundaries) != len(self.schedules) - 1:
            raise ValueError(
                f"boundaries must be one fewer than the {len(self.schedules)} schedules, not {len(self.boundaries)}: "
                "the first schedule begins at 0"
            )

    @over_positions
    def __call__(self, position: Any) -> Any:
        """The multiplier at ``position``."""
        which: Any = num_reached(self.boundaries, position)
        starts = (0.0, *self.boundaries)
        if isinstance(position, float):
            return self.schedules[which](_since(position, starts[which]))
        values = np.empty_like(position)
        for index, (schedule, start) in enumerate(zip(self.schedules, starts, strict=True)):
            here = np.flatnonzero(which == index)
            values.flat[here] = schedule(_since(position.take(here), start))
        return values


def _since(position: Positions, start: float) -> Positions:
    """The position counted from ``start``; rounding does not put it before a boundary that was reached."""
    return clipped(position - start, 0.0, np.inf) if start else position
