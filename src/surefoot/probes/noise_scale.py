"""The gradient noise scale at one moment, from looks that a probe took while it trained anyway."""

from __future__ import annotations

import math
from collections.abc import Sequence

from surefoot.batching import NoiseSample, NoiseStream
from surefoot.records import NoiseReading

__all__ = ["last_known", "read_noise"]

# Of a normal error: the interval holds the noise scale with 90 %.
DEVIATIONS = 1.645
FEWEST_LOOKS = 4


def read_noise(looks: Sequence[NoiseSample], *, samples_seen: int) -> NoiseReading:
    """S/‖G‖² with its interval, S and ‖G‖² each averaged over all looks (``batching.NoiseStream`` says how and why).

    Args:
        looks: at weights that hardly differ.
        samples_seen: the clock there.

    >>> read_noise([NoiseSample(noise=40.0, signal=1.0, samples=16)] * 5, samples_seen=0).value
    40.0
    """
    samples = sum(look.samples for look in looks)
    stream = NoiseStream(memory=1e12, deviations=DEVIATIONS)
    state = stream.init()
    for look in looks:
        state = stream.update(state, look)
    estimate = stream.estimate(state) if state.looks >= FEWEST_LOOKS else None
    if estimate is None:
        reason = f"{state.looks} looks are too few, {FEWEST_LOOKS} are the least"
        return NoiseReading(samples_seen=samples_seen, looks=state.looks, reason=reason, samples=samples)
    value = estimate.noise_scale
    is_known = math.isfinite(value) and value > 0.0
    return NoiseReading(
        samples_seen=samples_seen,
        value=round(value, 9) if is_known else None,
        low=estimate.low,
        high=estimate.high if math.isfinite(estimate.high) else None,
        looks=state.looks,
        reason="" if is_known else "the gradient cannot be told from its noise",
        samples=samples,
    )


def last_known(readings: Sequence[NoiseReading]) -> NoiseReading | None:
    """The latest reading that has a value: the nearest to the middle of a training."""
    return next((reading for reading in reversed(readings) if reading.value is not None), None)
