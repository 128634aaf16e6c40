"""What every measured policy keeps to: clamps, hysteresis, a largest growth per change, caps by data and memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

from surefoot.batching.checks import require_above, require_count

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """From the batch size that a reading wants to the one that is allowed, or None for "leave it".

    Args:
        smallest: no batch below this, at least 1.
        largest: no batch above this: what fits in memory; None where nothing is known.
        share_of_rows: no batch above this share of the training rows, in (0, 1]. A tenth is where Smith et al. 2018
            (arXiv:1711.00489) stop growing; past it an epoch has too few steps to steer.
        hysteresis: leave the batch alone while what is wanted lies within this factor of it, at least 1. Around the
            best batch the time to a target is flat: (1 + x)(1 + 1/x) is 4 at x = 1 and 4.17 at x = 1.5.
        growth: the largest factor a single change may have, up or down, above 1.
        multiple: batch sizes are multiples of this (ranks, or what the hardware likes), at least 1.

    >>> limits = Limits(largest=512)
    >>> limits.decide(400.0, current=32, num_rows=10_000), limits.decide(40.0, current=32, num_rows=10_000)
    (64, None)
    """

    smallest: int = 1
    largest: int | None = None
    share_of_rows: float = 0.1
    hysteresis: float = 1.5
    growth: float = 2.0
    multiple: int = 1

    def __post_init__(self) -> None:
        require_count("smallest", self.smallest)
        require_count("multiple", self.multiple)
        if self.largest is not None:
            require_count("largest", self.largest, least=max(self.smallest, self.multiple))
        if not 0.0 < self.share_of_rows <= 1.0:
            raise ValueError(f"share_of_rows must lie in (0, 1], not {self.share_of_rows!r}")
        if not (math.isfinite(self.hysteresis) and self.hysteresis >= 1.0):
            raise ValueError(
                f"hysteresis must be a factor of at least 1, not {self.hysteresis!r}; 1 follows every whim"
            )
        require_above("growth", self.growth, 1.0, why="it is the largest factor of one change")

    def cap(self, num_rows: int) -> int:
        """The largest batch that data and memory allow."""
        by_rows = max(int(self.share_of_rows * num_rows), self.smallest)
        cap = min(num_rows, by_rows if self.largest is None else min(by_rows, self.largest))
        return max(cap - cap % self.multiple, min(self.multiple, num_rows), 1)

    def clamp(self, wanted: float, *, num_rows: int) -> int:
        """A wanted batch size held between the smallest and the cap: whole rows, rounded up; then whole multiples."""
        cap = self.cap(num_rows)
        if wanted >= cap:
            return cap
        size = max(math.ceil(wanted * (1.0 - 1e-9)), self.smallest, 1)  # 400.000...1 is 400
        rounded = size - size % self.multiple
        return min(rounded or self.multiple, cap)

    def decide(self, wanted: float, *, current: int, num_rows: int) -> int | None:
        """The next batch size, or None for "leave it".

        Args:
            wanted: what a reading asks for, in samples; not-a-number asks for nothing.
            current: the batch size now.
            num_rows: of the training data.
        """
        if math.isnan(wanted):
            return None
        reachable = self.clamp(wanted, num_rows=num_rows)
        if current / self.hysteresis <= reachable <= current * self.hysteresis:
            # a cap that was lowered (a smaller memory) is obeyed at once
            return reachable if current > self.cap(num_rows) else None
        step = min(max(reachable, current / self.growth), current * self.growth)
        size = self.clamp(step, num_rows=num_rows)
        return None if size == current else size
