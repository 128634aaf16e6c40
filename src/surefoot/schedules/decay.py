"""Schedules that fall from 1 to a floor over a horizon; past the horizon they stay at the floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Constant", "Cosine", "Exponential", "Linear", "Polynomial", "require_floor", "require_positive"]

Positions = TypeVar("Positions", float, npt.NDArray[np.float64])


@dataclass(frozen=True)
class Constant:
    """1 at every position.

    >>> Constant()(0.3)
    1.0
    """

    def __call__(self, position: Positions) -> Positions:
        """The multiplier at ``position``."""
        return 0.0 * position + 1.0


@dataclass(frozen=True)
class Linear:
    """Straight from 1 down to the floor: floor + (1 − floor)(1 − t/T).

    Bergsma et al. 2025 (arXiv:2502.15938) find decay to zero ahead of decay to a tenth.

    Args:
        horizon: T > 0, where the floor is reached.
        floor: the last multiplier, in [0, 1].

    >>> Linear(horizon=10)(5.0)
    0.5
    >>> Linear(horizon=10, floor=0.1)(99.0)
    0.1
    """

    horizon: float = 1.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        require_positive("horizon", self.horizon)
        require_floor(self.floor)

    def __call__(self, position: Positions) -> Positions:
        """The multiplier at ``position``."""
        return self.floor + (1.0 - self.floor) * (1.0 - _progress(position, self.horizon))


@dataclass(frozen=True)
class Polynomial:
    """floor + (1 − floor)(1 − t/T)^a, never negative and defined past T.

    Args:
        horizon: T > 0, where the floor is reached.
        power: a > 0; 1 is linear, larger falls faster at first.
        floor: the last multiplier, in [0, 1].

    >>> Polynomial(horizon=10, power=2)(5.0)
    0.25
    """

    horizon: float = 1.0
    power: float = 2.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        require_positive("horizon", self.horizon)
        require_positive("power", self.power)
        require_floor(self.floor)

    def __call__(self, position: Positions) -> Positions:
        """The multiplier at ``position``."""
        value: Positions = (1.0 - _progress(position, self.horizon)) ** self.power
        return self.floor + (1.0 - self.floor) * value


@dataclass(frozen=True)
class Exponential:
    """The same factor for every stretch of the same length: last^(t/T).

    Args:
        horizon: T > 0.
        last: the multiplier at the horizon and past it, in (0, 1].

    >>> round(Exponential(horizon=10, last=0.01)(5.0), 12)
    0.1
    """

    horizon: float = 1.0
    last: float = 0.01

    def __post_init__(self) -> None:
        require_positive("horizon", self.horizon)
        if not 0.0 < self.last <= 1.0:
            raise ValueError(
                f"last must be above 0 and at most 1, not {self.last!r}: it is the multiplier at the horizon"
            )

    def __call__(self, position: Positions) -> Positions:
        """The multiplier at ``position``."""
        value: Positions = self.last ** _progress(position, self.horizon)
        return value


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from 1 down to the floor: floor + (1 − floor)(1 + cos πt/T)/2.

    Loshchilov and Hutter 2017 (arXiv:1608.03983), equation 5 without restarts.

    Args:
        horizon: T > 0, where the floor is reached.
        floor: the last multiplier, in [0, 1].

    >>> Cosine(horizon=10)(0.0), round(Cosine(horizon=10)(5.0), 12), Cosine(horizon=10)(10.0)
    (1.0, 0.5, 0.0)
    """

    horizon: float = 1.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        require_positive("horizon", self.horizon)
        require_floor(self.floor)

    def __call__(self, position: Positions) -> Positions:
        """The multiplier at ``position``."""
        falling = (1.0 + np.cos(np.pi * _progress(position, self.horizon))) / 2.0
        value: Positions = self.floor + (1.0 - self.floor) * falling
        return value if isinstance(value, np.ndarray) else float(value)


def require_positive(name: str, value: float) -> None:
    """Raise unless ``value`` is a finite number above 0."""
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a finite number above 0, not {value!r}")


def require_floor(value: float) -> None:
    """Raise unless ``value`` is a multiplier a decay can end at."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"floor must lie in [0, 1], not {value!r}: it is a share of the base learning rate")


def _progress(position: Positions, horizon: float) -> Positions:
    """t/T held inside [0, 1]."""
    if isinstance(position, np.ndarray):
        return np.clip(position / horizon, 0.0, 1.0)
    return min(max(position / horizon, 0.0), 1.0)
