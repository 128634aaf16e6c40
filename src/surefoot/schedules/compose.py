"""Schedules made of schedules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from surefoot.schedules.decay import Constant, Positions, require_positive

__all__ = ["Warmup"]


@dataclass(frozen=True)
class Warmup:
    """A straight rise from 0 to where ``after`` starts, then ``after`` from its beginning.

    The rise stands in front of the schedule, it does not multiply it: the two meet without a jump. A training that
    reads the multiplier at the middle of each batch never takes a step of size zero.

    Goyal et al. 2017 (arXiv:1706.02677), section 2.2, "gradual warmup".

    Args:
        after: the schedule that follows; its own horizon counts from the end of the warmup.
        length: how long the rise takes, in the unit of the positions, above 0.

    >>> from surefoot import schedules
    >>> rate = schedules.warmup(schedules.linear(horizon=90), length=10)
    >>> rate(5.0), rate(10.0), rate(100.0)
    (0.5, 1.0, 0.0)
    """

    after: Callable[[Any], Any] = field(default_factory=Constant)
    length: float = 0.05

    def __post_init__(self) -> None:
        if not callable(self.after):
            raise ValueError(f"after must be a schedule, a function of a position, not {self.after!r}")
        require_positive("length", self.length)

    def __call__(self, position: Positions) -> Positions:
        """The multiplier at ``position``."""
        top = self.after(0.0)
        if isinstance(position, np.ndarray):
            rising = top * (np.clip(position, 0.0, self.length) / self.length)
            value: Positions = np.where(position < self.length, rising, self.after(position - self.length))
            return value
        if position < self.length:
            return float(top * (max(position, 0.0) / self.length))
        return float(self.after(position - self.length))
