"""Batches that change at times known before the training: ramps, AdaBatch, and growth in place of decay."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from surefoot.batching.checks import require_above, require_between, require_count

__all__ = ["AdaBatch", "GeometricRamp", "GrowthReplacesDecay", "LinearRamp", "StepRamp"]


@dataclass(frozen=True)
class StepRamp:
    """size · factor^k after k whole stretches of ``every``, rounded to a whole number of rows.

    Args:
        size: the batch to begin with, at least 1.
        factor: above 1.
        every: length of a stretch, in the unit of the positions; a share of the horizon in a recipe.
        last: no batch above this; None is a tenth of the rows (Smith et al. 2018, arXiv:1711.00489), or ``size`` where
            that is more.

    >>> ramp = StepRamp(32, every=0.25)
    >>> [ramp(position, num_rows=5_000) for position in (0.0, 0.3, 0.5, 0.9)]
    [32, 64, 128, 256]
    """

    size: int
    factor: float = 2.0
    every: float = 0.25
    last: int | None = None

    def __post_init__(self) -> None:
        require_count("size", self.size)
        require_above("factor", self.factor, 1.0, why="the batch would not grow")
        require_above("every", self.every, 0.0)
        _require_last(self.last, self.size)

    def __call__(self, position: float, *, num_rows: int) -> int:
        """The batch size at ``position``."""
        return _capped(self.size * self.factor ** _stretches(position, self.every), self.size, self.last, num_rows)


@dataclass(frozen=True)
class LinearRamp:
    """Straight from ``size`` to ``last`` over the first ``length``, then ``last``.

    Args:
        size: the batch to begin with, at least 1.
        last: the batch to end with, at least ``size``; None is a tenth of the rows.
        length: of the ramp, above 0; a share of the horizon in a recipe.

    >>> ramp = LinearRamp(32, last=96)
    >>> [ramp(position, num_rows=5_000) for position in (0.0, 0.5, 1.0)]
    [32, 64, 96]
    """

    size: int
    last: int | None = None
    length: float = 1.0

    def __post_init__(self) -> None:
        _require_ramp(self.size, self.last, self.length)

    def __call__(self, position: float, *, num_rows: int) -> int:
        """The batch size at ``position``."""
        last = _last(self.size, self.last, num_rows)
        reached = self.size + (last - self.size) * _progress(position, self.length)
        return _capped(reached, self.size, self.last, num_rows)


@dataclass(frozen=True)
class GeometricRamp:
    """By the same factor in every equal stretch, from ``size`` to ``last``: size·(last/size)^(t/length).

    Args:
        size: the batch to begin with, at least 1.
        last: the batch to end with, at least ``size``; None is a tenth of the rows.
        length: of the ramp, above 0; a share of the horizon in a recipe.

    >>> ramp = GeometricRamp(32, last=128)
    >>> [ramp(position, num_rows=5_000) for position in (0.0, 0.5, 1.0)]
    [32, 64, 128]
    """

    size: int
    last: int | None = None
    length: float = 1.0

    def __post_init__(self) -> None:
        _require_ramp(self.size, self.last, self.length)

    def __call__(self, position: float, *, num_rows: int) -> int:
        """The batch size at ``position``."""
        last = _last(self.size, self.last, num_rows)
        reached = self.size * (last / self.size) ** _progress(position, self.length)
        return _capped(reached, self.size, self.last, num_rows)


@dataclass(frozen=True)
class AdaBatch:
    """The batch grows at fixed times while the rate decays more softly, so that rate/batch decays as before.

    Devarakonda, Naumov and Garland 2017 (arXiv:1712.02029), section 3: where the rate fell by ``decay``, the batch
    grows by ``factor`` and the rate falls by decay · factor (0.375 becomes 0.75). In a recipe the rate follows the
    recipe's schedule: give it the soft decay, for example ``name = "step"`` with this class's ``soft_decay``.

    Args:
        size: the batch to begin with, at least 1.
        factor: above 1; theirs is 2.
        every: length of a stretch; a share of the horizon in a recipe. Theirs is 20 of 100 epochs.
        decay: what the rate of a fixed batch would be multiplied by after every stretch, in (0, 1).
        last: no batch above this; None is a tenth of the rows.

    >>> policy = AdaBatch(128)
    >>> policy(0.5, num_rows=50_000), policy.soft_decay, policy.rate(0.5, num_rows=50_000)
    (512, 0.75, 0.5625)
    """

    size: int
    factor: float = 2.0
    every: float = 0.2
    decay: float = 0.375
    last: int | None = None

    def __post_init__(self) -> None:
        require_count("size", self.size)
        require_above("factor", self.factor, 1.0, why="the batch would not grow")
        require_above("every", self.every, 0.0)
        require_between("decay", self.decay, 0.0, 1.0, why="it multiplies the rate")
        _require_last(self.last, self.size)

    def __call__(self, position: float, *, num_rows: int) -> int:
        """The batch size at ``position``."""
        return _capped(self.size * self.factor ** _stretches(position, self.every), self.size, self.last, num_rows)

    @property
    def soft_decay(self) -> float:
        """What the rate is multiplied by after every stretch in which the batch grew in full."""
        return self.decay * self.factor

    def rate(self, position: float, *, num_rows: int) -> float:
        """The rate's multiplier that goes with the batch: full decay again where the batch stands at its cap."""
        grown = self(position, num_rows=num_rows) / min(self.size, num_rows)
        return float(self.decay ** _stretches(position, self.every) * grown)


@dataclass(frozen=True)
class GrowthReplacesDecay:
    """Where the schedule would cut the rate by q the batch grows by 1/q, up to a cap; only then the rate falls.

    Smith et al. 2018 (arXiv:1711.00489): the noise of SGD goes as rate over batch, so growing one does what cutting
    the other does, in fewer steps. The two must go together: use ``rate`` in place of the schedule. A rise at the
    beginning (a warmup) stays a rise of the rate; the batch moves after the schedule's top only.

    Args:
        size: the batch to begin with, at least 1.
        schedule: position -> multiplier of a fixed batch's rate.
        horizon: the last position, in the unit of the positions.
        last: no batch above this; None is a tenth of the rows.

    >>> policy = GrowthReplacesDecay(32, schedule=lambda position: 1.0 - position)
    >>> policy(0.5, num_rows=1_000), policy.rate(0.5, num_rows=1_000)
    (64, 1.0)
    >>> policy(0.9, num_rows=1_000), round(policy.rate(0.9, num_rows=1_000), 4)
    (100, 0.3125)
    """

    size: int
    schedule: Callable[[Any], Any] = field(kw_only=True)
    horizon: float = field(default=1.0, kw_only=True)
    last: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        require_count("size", self.size)
        if not callable(self.schedule):
            raise ValueError(f"schedule must be a function of a position, not {self.schedule!r}")
        require_above("horizon", self.horizon, 0.0)
        _require_last(self.last, self.size)

    def __call__(self, position: float, *, num_rows: int) -> int:
        """The batch size at ``position``."""
        where, top = self._top
        if position <= where:
            return min(self.size, num_rows)
        left = float(self.schedule(position)) / top
        wanted = self.size / left if left > 0.0 else math.inf
        return _capped(wanted, self.size, self.last, num_rows)

    def rate(self, position: float, *, num_rows: int) -> float:
        """The rate's multiplier that goes with the batch: schedule · batch/size, so that rate/batch stays."""
        return float(self.schedule(position)) * self(position, num_rows=num_rows) / min(self.size, num_rows)

    @cached_property
    def _top(self) -> tuple[float, float]:
        """Where the schedule is highest, and how high."""
        positions = [self.horizon * index / 1000 for index in range(1001)]
        values = [float(self.schedule(position)) for position in positions]
        top = max(values)
        if not top > 0.0:
            raise ValueError("schedule must be above 0 somewhere: there is no rate to keep")
        return positions[values.index(top)], top


def _stretches(position: float, every: float) -> int:
    """Whole stretches behind a position; a hair before a boundary counts as there (three times 0.1 is above 0.3)."""
    return max(0, math.floor(position / every + 1e-9))


def _progress(position: float, length: float) -> float:
    return min(max(position / length, 0.0), 1.0)


def _last(size: int, last: int | None, num_rows: int) -> int:
    """Where a ramp ends: as asked, or at a tenth of the rows, never below its beginning or above the rows."""
    return min(max(size, num_rows // 10 if last is None else last), num_rows)


def _capped(wanted: float, size: int, last: int | None, num_rows: int) -> int:
    """A wanted size as whole rows below the cap."""
    cap = _last(size, last, num_rows)
    return cap if wanted >= cap else max(1, min(round(wanted), cap))


def _require_ramp(size: int, last: int | None, length: float) -> None:
    require_count("size", size)
    require_above("length", length, 0.0)
    _require_last(last, size)


def _require_last(last: int | None, size: int) -> None:
    if last is None:
        return
    require_count("last", last)
    if last < size:
        raise ValueError(f"last is {last}, below size, which is {size}: a batch ends at or above where it begins")
