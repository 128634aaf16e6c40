"""Batch-size policies that need no measurement: ``policy(position, num_rows) -> batch size``.

Full-batch descent, single-sample descent and mini-batch descent are one thing with a different policy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from surefoot import seeds
from surefoot.batching.checks import require_count

__all__ = ["BatchPolicy", "Fixed", "Full", "Random", "Single", "mean_inverse_size"]


class BatchPolicy(Protocol):
    """A batch size as a function of the position alone."""

    def __call__(self, position: float, *, num_rows: int) -> int:
        """The batch size at ``position``, between 1 and ``num_rows``."""
        ...


@dataclass(frozen=True)
class Fixed:
    """The same batch size at every step.

    Args:
        size: samples a step, at least 1.

    >>> Fixed(32)(0.5, num_rows=1000)
    32
    """

    size: int

    def __post_init__(self) -> None:
        require_count("size", self.size)

    def __call__(self, position: float, *, num_rows: int) -> int:
        """The batch size at ``position``, a share of the horizon."""
        del position
        return min(self.size, num_rows)


@dataclass(frozen=True)
class Single:
    """One random sample a step: stochastic gradient descent in the strict sense.

    >>> Single()(0.5, num_rows=1000)
    1
    """

    def __call__(self, position: float, *, num_rows: int) -> int:
        """The batch size at ``position``, a share of the horizon."""
        del position, num_rows
        return 1


@dataclass(frozen=True)
class Full:
    """Every row in every step: gradient descent.

    >>> Full()(0.5, num_rows=1000)
    1000
    """

    def __call__(self, position: float, *, num_rows: int) -> int:
        """The batch size at ``position``, a share of the horizon."""
        del position
        return num_rows


@dataclass(frozen=True)
class Random:
    """A batch size drawn anew at every step, from a set or from a range.

    The draw depends on the seed and the position, not on the draws before it, so a resumed training draws the same.

    Args:
        size: the typical size, which whoever plans ahead counts with, at least 1.
        sizes: draw from these, all equally likely; empty draws from the range.
        smallest: of the range; None is half of ``size``.
        largest: of the range, included; None is twice ``size``. A range is drawn from evenly in the logarithm.
        seed: of the draws.

    >>> policy = Random(32, sizes=(16, 32, 64))
    >>> [policy(step / 8, num_rows=1000) for step in range(8)]
    [16, 16, 32, 64, 16, 64, 64, 64]
    >>> policy(0.5, num_rows=1000) == policy(0.5, num_rows=1000)
    True
    """

    size: int
    sizes: tuple[int, ...] = ()
    smallest: int | None = None
    largest: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        require_count("size", self.size)
        require_count("seed", self.seed, least=0)
        if not isinstance(self.sizes, tuple | list):
            raise ValueError(f"sizes must be a list of batch sizes, such as [16, 32], not {self.sizes!r}")
        object.__setattr__(self, "sizes", tuple(self.sizes))  # a list in TOML; a frozen value must not change
        for size in self.sizes:
            require_count("sizes", size)
        low, high = self._range()
        require_count("smallest", low)
        require_count("largest", high, least=low)
        if self.sizes and (self.smallest is not None or self.largest is not None):
            raise ValueError("sizes is a set to draw from, smallest and largest are a range: give one of the two")
        if not low <= self.size <= high:
            raise ValueError(f"size is {self.size}, the typical size; it must lie between {low} and {high}")

    def __call__(self, position: float, *, num_rows: int) -> int:
        """The batch size at ``position``, a share of the horizon."""
        share = seeds.derive(self.seed, "batch size", repr(float(position))) / 2.0**63
        if self.sizes:
            return min(self.sizes[int(share * len(self.sizes))], num_rows)
        low, high = self._range()
        # evenly in the logarithm over [low, high + 1), rounded down: every whole number of the range can come
        drawn: int = math.floor(low * ((high + 1) / low) ** share)
        return min(max(drawn, low), high, num_rows)

    def _range(self) -> tuple[int, int]:
        """The smallest and the largest size that can be drawn."""
        if self.sizes:
            return min(self.sizes), max(self.sizes)
        low = max(1, self.size // 2) if self.smallest is None else self.smallest
        high = 2 * self.size if self.largest is None else self.largest
        return low, high


def mean_inverse_size(policy: BatchPolicy, num_rows: int) -> float:
    """The mean of 1/B over the positions: optimizer steps a sample, by the midpoint rule.

    Args:
        policy: over positions in [0, 1].
        num_rows: of the data.

    >>> round(1000 * mean_inverse_size(Fixed(20), num_rows=500), 9)
    50.0
    """
    places = 256
    return sum(1.0 / policy((place + 0.5) / places, num_rows=num_rows) for place in range(places)) / places
