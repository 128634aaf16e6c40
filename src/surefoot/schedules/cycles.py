"""Schedules that rise and fall, once or several times, inside a horizon."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from surefoot.schedules.door import (
    require_choice,
    require_count,
    require_factor,
    require_floor,
    require_inside,
    require_positive,
)
from surefoot.schedules.elementwise import (
    FALLS,
    Positions,
    at_most,
    chosen,
    clipped,
    half_cosine,
    num_reached,
    over_positions,
    picked,
    progress,
    whole_periods,
)

__all__ = ["CosineRestarts", "OneCycle", "Triangular"]


@dataclass(frozen=True)
class CosineRestarts:
    """Several half cosines, each from its peak down to the floor; the last one ends at the horizon.

    floor + (1 − floor) · qⁱ · (1 + cos π(t − tᵢ)/Tᵢ)/2 in cycle i, with Tᵢ₊₁ = g Tᵢ and Σ Tᵢ = T. The cycles fill the
    horizon exactly, so that a training never ends on a rate that has just gone up. A restart belongs to what follows.

    Loshchilov and Hutter 2017 (arXiv:1608.03983), equation 5.

    Args:
        horizon: T > 0, where the last cycle ends.
        num_cycles: how many cycles, at least 1.
        growth: g, how much longer each cycle is than the one before, from 1 to 100.
        peak_factor: q, how high each cycle starts relative to the one before, in (0, 1].
        floor: the multiplier at the end of every cycle, in [0, 1].

    >>> rate = CosineRestarts(horizon=7, num_cycles=3, growth=2)
    >>> rate(0.0), rate(1.0), rate(3.0), rate(7.0)
    (1.0, 1.0, 1.0, 0.0)
    """

    horizon: float = 1.0
    _: KW_ONLY
    num_cycles: int = 3
    growth: float = 2.0
    peak_factor: float = 1.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        require_positive("horizon", self.horizon)
        require_count("num_cycles", self.num_cycles)
        require_positive("growth", self.growth)
        if self.growth < 1.0:
            raise ValueError(f"growth must be at least 1, not {self.growth!r}: a later cycle is not shorter")
        require_factor("peak_factor", self.peak_factor, meaning="it is how high a cycle starts, of the one before")
        require_floor(self.floor)
        # Shorter than this, a cycle is lost in rounding.
        if self._lengths[0] < 1e-9 * self.horizon:
            raise ValueError(
                f"growth={self.growth!r} over num_cycles={self.num_cycles!r} leaves less than a billionth of the "
                "horizon to the first cycle; take fewer cycles or a smaller growth"
            )

    @cached_property
    def _lengths(self) -> tuple[float, ...]:
        """Tᵢ of every cycle; written so that no power overflows."""
        shares = [float(self.growth) ** (index - self.num_cycles + 1) for index in range(self.num_cycles)]
        return tuple(self.horizon * share / sum(shares) for share in shares)

    @cached_property
    def _restarts(self) -> tuple[float, ...]:
        """tᵢ of every cycle but the first."""
        return tuple(np.cumsum(self._lengths[:-1]).tolist())

    @cached_property
    def _peaks(self) -> tuple[float, ...]:
        """qⁱ of every cycle."""
        return tuple(float(self.peak_factor) ** index for index in range(self.num_cycles))

    @over_positions
    def __call__(self, position: Any) -> Any:
        """The multiplier at ``position``."""
        cycle = num_reached(self._restarts, position)
        start, length = picked((0.0, *self._restarts), cycle), picked(self._lengths, cycle)
        passed = clipped((position - start) / length, 0.0, 1.0)
        return self.floor + (1.0 - self.floor) * picked(self._peaks, cycle) * half_cosine(passed)


@dataclass(frozen=True)
class Triangular:
    """Straight up from the floor and straight down again, several times: the cyclical rate.

    floor + (1 − floor) · s · triangle(t). The base learning rate is the highest one. The peaks' height s is 1
    (``triangular``), halves every cycle (``triangular2``) or falls as last^(t/T) (``exp_range``).

    Smith 2017 (arXiv:1506.01186), section 3; his base rate is a third or a quarter of the highest (section 3.3), and
    he runs three cycles or more (section 3.2).

    Args:
        horizon: T > 0, where the last cycle ends, at the floor.
        num_cycles: how many cycles, at least 1.
        mode: how the peaks change: ``triangular``, ``triangular2`` or ``exp_range``.
        rise_share: the part of a cycle that goes up, between 0 and 1.
        last: s at the horizon under ``exp_range``, in (0, 1]; the others do not use it.
        floor: the multiplier at the start and the end of every cycle, in [0, 1].

    >>> rate = Triangular(horizon=4, num_cycles=2, mode="triangular2", floor=0.0)
    >>> rate(0.0), rate(1.0), rate(2.0), rate(3.0), rate(9.0)
    (0.0, 1.0, 0.0, 0.5, 0.0)
    """

    begins_low: ClassVar[bool] = True

    horizon: float = 1.0
    _: KW_ONLY
    num_cycles: int = 4
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    rise_share: float = 0.5
    last: float = 0.1
    floor: float = 0.25

    def __post_init__(self) -> None:
        require_positive("horizon", self.horizon)
        require_count("num_cycles", self.num_cycles)
        require_choice("mode", self.mode, _HEIGHTS)
        require_inside("rise_share", self.rise_share, meaning="it is the part of a cycle that goes up")
        require_factor("last", self.last, meaning="it is the height of the peaks at the horizon")
        require_floor(self.floor)

    @over_positions
    def __call__(self, position: Any) -> Any:
        """The multiplier at ``position``."""
        passed = progress(position, self.horizon)
        cycle = at_most(whole_periods(passed, 1.0 / self.num_cycles), self.num_cycles - 1.0)
        inside = clipped(passed * self.num_cycles - cycle, 0.0, 1.0)
        rising, falling = inside / self.rise_share, (1.0 - inside) / (1.0 - self.rise_share)
        triangle = chosen(inside < self.rise_share, rising, falling)
        height = _HEIGHTS[self.mode](cycle, passed, self.last)
        return self.floor + (1.0 - self.floor) * triangle * height


@dataclass(frozen=True)
class OneCycle:
    """One rise from a low rate to the base rate and one long fall to almost nothing; momentum moves the other way.

    Smith and Topin 2018 (arXiv:1708.07120), with the cosine legs and the numbers that fastai made common. The rate is
    start + (1 − start)·up(t) over the rise, last + (1 − last)·down(t) over the rest.

    Args:
        horizon: T > 0, where ``last`` is reached.
        rise_share: the part of the horizon that goes up, between 0 and 1.
        start: the first multiplier, in [0, 1].
        last: the last multiplier, in [0, 1].
        shape: of both legs, ``cosine`` or ``linear``.

    >>> rate = OneCycle(horizon=100, rise_share=0.3)
    >>> rate(0.0), rate(30.0), rate(100.0)
    (0.04, 1.0, 4e-06)
    >>> rate.momentum(0.0), rate.momentum(30.0), rate.momentum(100.0)
    (0.95, 0.85, 0.95)
    """

    begins_low: ClassVar[bool] = True

    horizon: float = 1.0
    _: KW_ONLY
    rise_share: float = 0.3
    start: float = 0.04
    last: float = 4e-6
    shape: Literal["cosine", "linear"] = "cosine"

    def __post_init__(self) -> None:
        require_positive("horizon", self.horizon)
        require_inside("rise_share", self.rise_share, meaning="it is the part of the horizon that goes up")
        for name, value in (("start", self.start), ("last", self.last)):
            require_factor(name, value, meaning="it is a share of the base learning rate")
        require_choice("shape", self.shape, ("cosine", "linear"))

    @over_positions
    def __call__(self, position: Any) -> Any:
        """The multiplier at ``position``."""
        is_rising, left = self._leg(position)
        rising = self.start + (1.0 - self.start) * (1.0 - left)
        falling = self.last + (1.0 - self.last) * left
        return chosen(is_rising, rising, falling)

    def momentum(self, position: Positions, *, low: float = 0.85, high: float = 0.95) -> Positions:
        """The momentum (β₁ under Adam) beside the rate: high where the rate is low and the other way round.

        Args:
            position: as for the rate.
            low: the momentum at the peak of the rate, in [0, 1).
            high: the momentum at both ends, at least ``low`` and below 1.
        """
        if not 0.0 <= low <= high < 1.0:
            raise ValueError(f"momentum needs 0 <= low <= high < 1, not low={low!r}, high={high!r}")
        return low + (high - low) * self._distance_from_peak(position)

    @over_positions
    def _distance_from_peak(self, position: Any) -> Any:
        """1 at both ends, 0 at the peak of the rate, along the shape of the legs."""
        is_rising, left = self._leg(position)
        return chosen(is_rising, left, 1.0 - left)

    def _leg(self, position: Any) -> tuple[Any, Any]:
        """Whether the rate rises here, and what is left of the leg: 1 at its beginning, 0 at its end."""
        passed = progress(position, self.horizon)
        is_rising = passed < self.rise_share
        up, down = passed / self.rise_share, (passed - self.rise_share) / (1.0 - self.rise_share)
        return is_rising, FALLS[self.shape](clipped(chosen(is_rising, up, down), 0.0, 1.0))


# The height of the peaks by mode, from the cycle's number, the share of the horizon that passed, and ``last``.
_HEIGHTS: dict[str, Any] = {
    "triangular": lambda _cycle, _passed, _last: 1.0,
    "triangular2": lambda cycle, _passed, _last: 0.5**cycle,
    "exp_range": lambda _cycle, passed, last: last**passed,
}
