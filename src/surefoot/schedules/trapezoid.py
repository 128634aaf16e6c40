"""The schedule with a flat top: up, level, down."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from surefoot.schedules.door import require_choice, require_floor, require_positive
from surefoot.schedules.elementwise import FALLS, chosen, clipped, over_positions

__all__ = ["WarmupStableDecay"]


@dataclass(frozen=True)
class WarmupStableDecay:
    """A straight warmup, a level stretch at 1, a cooldown to the floor that ends exactly at the horizon.

    min(t/W, 1) before T − C, then floor + (1 − floor)·f((t − T + C)/C) with f(p) = 1 − p, (1 + cos πp)/2 or 1 − √p.
    The level stretch can be prolonged, and a cooldown launched from any checkpoint of it. With a linear cooldown it is
    the trapezoid of Xing et al. 2018 (arXiv:1802.08770).

    Hu et al. 2024 (arXiv:2404.06395), section 4; Hägele et al. 2024 (arXiv:2405.18392), who find 1 − √p over a fifth of
    the training ahead of the straight line.

    Args:
        horizon: T > 0, where the floor is reached.
        warmup_length: W >= 0, in the unit of the positions; a twentieth of the horizon when left out.
        cooldown_length: C > 0, in the unit of the positions; a fifth of the horizon when left out.
        cooldown: f: ``linear``, ``cosine`` or ``one_minus_sqrt``.
        floor: the last multiplier, in [0, 1].

    >>> rate = WarmupStableDecay(horizon=100, warmup_length=10, cooldown_length=20, cooldown="linear")
    >>> rate(5.0), rate(10.0), rate(80.0), rate(90.0), rate(100.0)
    (0.5, 1.0, 1.0, 0.5, 0.0)
    """

    horizon: float = 1.0
    _: KW_ONLY
    warmup_length: float | None = None
    cooldown_length: float | None = None
    cooldown: Literal["linear", "cosine", "one_minus_sqrt"] = "one_minus_sqrt"
    floor: float = 0.0

    def __post_init__(self) -> None:
        require_positive("horizon", self.horizon)
        if self.warmup_length != 0:
            require_positive("warmup_length", self._warmup)
        require_positive("cooldown_length", self._cooldown)
        # The slack is for shares: 0.1 + 0.2 + 0.7 is not 1 in binary.
        if self._warmup + self._cooldown > self.horizon * (1.0 + 1e-9):
            raise ValueError(
                f"cooldown_length={self._cooldown!r} and a warmup of {self._warmup!r} must fit into the horizon of "
                f"{self.horizon!r}; shorten one of them"
            )
        require_choice("cooldown", self.cooldown, FALLS)
        require_floor(self.floor)

    @property
    def _warmup(self) -> float:
        return self.horizon / 20 if self.warmup_length is None else self.warmup_length

    @property
    def _cooldown(self) -> float:
        return self.horizon / 5 if self.cooldown_length is None else self.cooldown_length

    @over_positions
    def __call__(self, position: Any) -> Any:
        """The multiplier at ``position``."""
        warmup, cooldown = self._warmup, self._cooldown
        # counted from the end, so that nothing is left there by rounding
        passed = clipped(1.0 - (self.horizon - position) / cooldown, 0.0, 1.0)
        level = self.floor + (1.0 - self.floor) * FALLS[self.cooldown](passed)
        return chosen(position < warmup, clipped(position / warmup, 0.0, 1.0), level) if warmup else level
