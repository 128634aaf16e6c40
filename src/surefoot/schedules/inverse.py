"""Schedules that fall for ever and need no horizon; they never reach zero."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from surefoot.schedules.door import require_floor, require_positive
from surefoot.schedules.elementwise import Positions, clipped, over_positions

__all__ = ["InverseSqrt", "InverseTime", "Power"]


@dataclass(frozen=True)
class InverseTime:
    """1/(1 + δt), never below the floor.

    The classical decay of stochastic approximation: steps that add up to infinity with squares that do not (Robbins
    and Monro 1951). In deep learning it falls too early for most; a cosine or a straight line is the better default.

    Args:
        delta: δ > 0, in 1/unit of the positions; the multiplier is one half at t = 1/δ.
        floor: the multiplier never goes below it, in [0, 1].

    >>> InverseTime(delta=0.1)(10.0)
    0.5
    """

    delta: float = 9.0
    _: KW_ONLY
    floor: float = 0.0

    def __post_init__(self) -> None:
        require_positive("delta", self.delta)
        require_floor(self.floor)

    @over_positions
    def __call__(self, position: Any) -> Any:
        """The multiplier at ``position``."""
        return clipped(1.0 / (1.0 + self.delta * _after_start(position)), self.floor, 1.0)


@dataclass(frozen=True)
class InverseSqrt:
    """1/√(1 + t/τ), never below the floor.

    Behind a warmup of length W = τ it is √(W/t) in positions counted from the warmup's start: the schedule of Vaswani
    et al. 2017 (arXiv:1706.03762), equation 3. It can be stopped or prolonged anywhere; end it with a cooldown.

    Args:
        timescale: τ > 0, in the unit of the positions.
        floor: the multiplier never goes below it, in [0, 1].

    >>> InverseSqrt(timescale=100)(300.0)
    0.5
    """

    timescale: float = 0.05
    _: KW_ONLY
    floor: float = 0.0

    def __post_init__(self) -> None:
        require_positive("timescale", self.timescale)
        require_floor(self.floor)

    @over_positions
    def __call__(self, position: Any) -> Any:
        """The multiplier at ``position``."""
        return clipped((1.0 + _after_start(position) / self.timescale) ** -0.5, self.floor, 1.0)


@dataclass(frozen=True)
class Power:
    """(1/√(1 + δt))^p = (1 + δt)^(−p/2), never below the floor.

    p = 1 is the inverse square root, p = 2 inverse time. Σα = ∞ with Σα² < ∞ (Robbins and Monro 1951) holds for
    1 < p ≤ 2 only, and only without a floor.

    Args:
        delta: δ > 0, in 1/unit of the positions.
        power: p > 0.
        floor: the multiplier never goes below it, in [0, 1].

    >>> Power(delta=3.0, power=1)(1.0), Power(delta=3.0, power=2)(1.0)
    (0.5, 0.25)
    """

    delta: float = 9.0
    _: KW_ONLY
    power: float = 1.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        require_positive("delta", self.delta)
        require_positive("power", self.power)
        require_floor(self.floor)

    @over_positions
    def __call__(self, position: Any) -> Any:
        """The multiplier at ``position``."""
        return clipped((1.0 + self.delta * _after_start(position)) ** (-0.5 * self.power), self.floor, 1.0)


def _after_start(position: Positions) -> Positions:
    """The position, 0 before the start."""
    return np.maximum(position, 0.0) if isinstance(position, np.ndarray) else max(position, 0.0)
