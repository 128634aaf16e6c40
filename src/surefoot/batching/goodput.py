"""Goodput: samples a second, times what a sample teaches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from surefoot.batching.checks import require_count
from surefoot.batching.laws import efficiency
from surefoot.batching.readings import Situation
from surefoot.batching.step_time import StepTime
from surefoot.batching.stream import NoiseEstimate

__all__ = ["Goodput", "goodput"]

# The candidates are spaced by 5 %: goodput is flat at its top, and what is wanted passes a hysteresis anyway.
SPACING = 1.05


def goodput(
    batch_size: float, *, noise_scale: float, step_time: StepTime, reference: float = 1.0, num_ranks: int = 1
) -> float:
    """Samples a second at ``batch_size``, each worth (B_s + B₀)/(B_s + B) of one at the reference B₀.

    Qiao et al. 2021 (OSDI, "Pollux").

    Args:
        batch_size: B, in rows over all ranks.
        noise_scale: B_s, in rows.
        step_time: T(B), see ``fit_step_time``.
        reference: B₀, in rows.
        num_ranks: K devices that share a batch.

    >>> time = StepTime(overhead=0.01, per_row=0.001)
    >>> round(goodput(90, noise_scale=100.0, step_time=time, reference=10), 1)
    521.1
    """
    throughput = batch_size / step_time.seconds(batch_size, num_ranks=num_ranks)
    return throughput * efficiency(batch_size, noise_scale=noise_scale, reference=reference)


@dataclass(frozen=True)
class Goodput:
    """The batch with the most goodput: where growing it stops to pay for the samples it wastes.

    On one device with T = α + βB the answer is B = √(B_s·α/β): the noise scale and the batch at which overhead equals
    work, met half way on a logarithmic scale. A step time that is nothing but work (β only) wants the smallest batch.

    Args:
        step_time: fitted to measured steps, see ``fit_step_time``.
        num_ranks: K devices that share a batch.
        largest_micro_batch: rows that fit on one of them; None where nothing is known.
        largest: the largest batch that is looked at.
    """

    grows_only: ClassVar[bool] = False
    step_time: StepTime
    num_ranks: int = 1
    largest_micro_batch: int | None = None
    largest: int = 2**20

    def __post_init__(self) -> None:
        if not isinstance(self.step_time, StepTime):
            raise ValueError(f"step_time must be a StepTime, not {self.step_time!r}; fit one with fit_step_time")
        require_count("num_ranks", self.num_ranks)
        require_count("largest", self.largest, least=self.num_ranks)
        if self.largest_micro_batch is not None:
            require_count("largest_micro_batch", self.largest_micro_batch)
        sizes = self._candidates()
        micro = math.inf if self.largest_micro_batch is None else self.largest_micro_batch
        seconds = [
            self.step_time.seconds(size, num_ranks=self.num_ranks, largest_micro_batch=micro) for size in sizes.tolist()
        ]
        # derived once: update runs at every step
        object.__setattr__(self, "_sizes", sizes)
        object.__setattr__(self, "_throughput", sizes / np.asarray(seconds))

    def __call__(self, estimate: NoiseEstimate, situation: Situation, /) -> float:
        """The batch size it wants."""
        del situation
        scale = estimate.noise_scale
        worth = 1.0 if math.isinf(scale) else 1.0 / (scale + self._sizes)  # type: ignore[attr-defined] # __post_init__
        return float(self._sizes[int(np.argmax(self._throughput * worth))])  # type: ignore[attr-defined]

    def _candidates(self) -> Any:
        count = max(1, math.ceil(math.log(self.largest / self.num_ranks) / math.log(SPACING)))
        spaced = np.geomspace(self.num_ranks, self.largest, count + 1)
        micro = self.largest_micro_batch
        # just below a further micro-batch lies a peak that a coarse grid would miss
        full = [] if micro is None else [part * micro * self.num_ranks for part in range(1, 65)]
        return np.unique(np.concatenate([spaced, [float(size) for size in full if size <= self.largest]]))
