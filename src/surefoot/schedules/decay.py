"""Schedules that fall from 1 to a floor over a horizon; past the horizon they stay at the floor."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from surefoot.schedules.door import require_factor, require_floor, require_positive
from surefoot.schedules.elementwise import half_cosine, over_positions, progress

__all__ = ["Constant", "Cosine", "Exponential", "Linear", "Polynomial"]


@dataclass(frozen=True)
class Constant:
    """The same multiplier at every position.

    For a short training, for a baseline, as a stretch of a sequence.

    Args:
        value: the multiplier, above 0; 1 is the base learning rate itself.

    >>> Constant()(0.3)
    1.0
    """

    value: float = 1.0

    def __post_init__(self) -> None:
        require_positive("value", self.value)

    @over_positions
    def __call__(self, position: Any) -> Any:
        """The multiplier at ``position``."""
        return np.full_like(position, self.value) if isinstance(position, np.ndarray) else self.value


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
    _: KW_ONLY
    floor: float = 0.0

    def __post_init__(self) -> None:
        require_positive("horizon", self.horizon)
        require_floor(self.floor)

    @over_positions
    def __call__(self, position: Any) -> Any:
        """The multiplier at ``position``."""
        return self.floor + (1.0 - self.floor) * (1.0 - progress(position, self.horizon))


@dataclass(frozen=True)
class Polynomial:
    """floor + (1 − floor)(1 − t/T)^a, never negative and defined past T.

    With a = 1 it is linear; with a = 2 it spends its end at small rates. Often sold as "exponential", which it is not.
    Chen et al. 2016 (arXiv:1606.00915), section 4.1, use a = 0.9.

    Args:
        horizon: T > 0, where the floor is reached.
        power: a > 0; 1 is linear, larger falls faster at first.
        floor: the last multiplier, in [0, 1].

    >>> Polynomial(horizon=10, power=2)(5.0)
    0.25
    """

    horizon: float = 1.0
    _: KW_ONLY
    power: float = 2.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        require_positive("horizon", self.horizon)
        require_positive("power", self.power)
        require_floor(self.floor)

    @over_positions
    def __call__(self, position: Any) -> Any:
        """The multiplier at ``position``."""
        return self.floor + (1.0 - self.floor) * (1.0 - progress(position, self.horizon)) ** self.power


@dataclass(frozen=True)
class Exponential:
    """The same factor for every stretch of the same length: last^(t/T).

    A factor γ a step, as other libraries ask for it, is last = γ^T.

    Args:
        horizon: T > 0.
        last: the multiplier at the horizon and past it, in (0, 1].

    >>> round(Exponential(horizon=10, last=0.01)(5.0), 12)
    0.1
    """

    horizon: float = 1.0
    _: KW_ONLY
    last: float = 0.01

    def __post_init__(self) -> None:
        require_positive("horizon", self.horizon)
        require_factor("last", self.last, meaning="it is the multiplier at the horizon")

    @over_positions
    def __call__(self, position: Any) -> Any:
        """The multiplier at ``position``."""
        return self.last ** progress(position, self.horizon)


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
    _: KW_ONLY
    floor: float = 0.0

    def __post_init__(self) -> None:
        require_positive("horizon", self.horizon)
        require_floor(self.floor)

    @over_positions
    def __call__(self, position: Any) -> Any:
        """The multiplier at ``position``."""
        return self.floor + (1.0 - self.floor) * half_cosine(progress(position, self.horizon))
