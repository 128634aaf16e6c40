"""What a batch buys and what it costs: efficiency, gain, and the law of the critical batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surefoot.batching.checks import require_above

__all__ = ["CriticalBatch", "adascale_gain", "efficiency", "fit_critical_batch"]


def efficiency(batch_size: float, *, noise_scale: float, reference: float) -> float:
    """What a sample teaches at ``batch_size``, relative to one at the reference: (B_s + B₀)/(B_s + B).

    Qiao et al. 2021 (OSDI, "Pollux"), written in the noise scale.

    >>> efficiency(300, noise_scale=100.0, reference=100)
    0.5
    """
    if math.isinf(noise_scale):
        return 1.0
    return (noise_scale + reference) / (noise_scale + batch_size)


def adascale_gain(factor: float, *, noise_scale: float, batch_size: float) -> float:
    """How many steps of the old batch one step of a ``factor`` times larger one replaces, in [1, factor].

    (σ² + ‖G‖²)/(σ²/κ + ‖G‖²) with σ² = S/B, which is (1 + B_s/B)/(1 + B_s/(κB)). Johnson et al. 2020
    (arXiv:2007.05105). It is κ where noise is everything and 1 where there is none.

    Args:
        factor: κ > 0, new batch size over old.
        noise_scale: B_s in samples, at least 0; infinite is allowed.
        batch_size: B, the old one.

    >>> adascale_gain(4, noise_scale=300.0, batch_size=100)
    2.2857142857142856
    >>> adascale_gain(4, noise_scale=0.0, batch_size=100), adascale_gain(4, noise_scale=float("inf"), batch_size=100)
    (1.0, 4.0)
    """
    require_above("factor", factor, 0.0)
    require_above("batch_size", batch_size, 0.0)
    if not noise_scale >= 0.0:
        raise ValueError(f"noise_scale must be at least 0, not {noise_scale!r}")
    if math.isinf(noise_scale):
        return float(factor)
    relative = noise_scale / batch_size
    return (1.0 + relative) / (1.0 + relative / factor)


@dataclass(frozen=True)
class CriticalBatch:
    """Samples to a target rise with the batch: E = E_min(1 + B/B_crit); steps fall: S = S_min(1 + B_crit/B).

    McCandlish et al. 2018 (arXiv:1812.06162), equation 2.11.

    Attributes:
        least: E_min, in whatever unit the effort was given: samples, epochs.
        batch_size: B_crit, where a training takes twice its least effort; infinite when batches cost nothing.
        error: root mean square error of log E over what was fitted.

    >>> law = CriticalBatch(least=10.0, batch_size=100.0)
    >>> law.effort(100), law.effort(300)
    (20.0, 40.0)
    """

    least: float
    batch_size: float
    error: float = 0.0

    def effort(self, batch_size: float) -> float:
        """Samples, or epochs, to the target at ``batch_size``."""
        return self.least * (1.0 + batch_size / self.batch_size)


def fit_critical_batch(batch_sizes: Sequence[float], efforts: Sequence[float]) -> CriticalBatch:
    """The law that fits measured efforts best: least root mean square error of log E.

    Args:
        batch_sizes: at least two that differ, each above 0.
        efforts: samples or epochs to one and the same target, each finite and above 0.

    >>> law = fit_critical_batch([16, 64, 256], [11.6, 16.4, 35.6])
    >>> round(law.least, 3), round(law.batch_size, 1)
    (10.0, 100.0)
    """
    batches, measured = np.asarray(batch_sizes, dtype=np.float64), np.asarray(efforts, dtype=np.float64)
    if len(batches) != len(measured):
        raise ValueError(f"batch_sizes has {len(batches)} values and efforts {len(measured)}; one each")
    if len(np.unique(batches)) < 2 or not (batches > 0).all():
        raise ValueError("batch_sizes must hold at least two that differ, each above 0")
    if not (np.isfinite(measured).all() and (measured > 0).all()):
        raise ValueError("efforts must be finite and above 0; leave out the batch sizes that missed the target")
    logs = np.log(measured)
    low, high = math.log(batches.min()) - 7.0, math.log(batches.max()) + 7.0
    for _ in range(4):  # a grid that closes in on the best B_crit: 400 values, then 50 times finer each time
        candidates = np.linspace(low, high, 401)
        growth = np.log1p(batches[None, :] / np.exp(candidates)[:, None])
        offsets = (logs - growth).mean(axis=1)
        errors = np.sqrt(((growth + offsets[:, None] - logs) ** 2).mean(axis=1))
        best, width = int(np.argmin(errors)), (high - low) / 100.0
        low, high = candidates[best] - width, candidates[best] + width
    return CriticalBatch(math.exp(offsets[best]), math.exp(candidates[best]), float(errors[best]))
