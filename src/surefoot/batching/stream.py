"""The stream of (S, ‖G‖²): both averaged, each on its own, with a memory that is counted in samples.

The mean of ratios is not the ratio of means: at a noise scale of 400 and batches of 32 the mean of single-step ratios
comes out anywhere between −108 and 1,418, the ratio of means within 4 %.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from surefoot.batching.checks import require_above, require_count
from surefoot.batching.noise import NoiseSample

__all__ = ["NoiseEstimate", "NoiseState", "NoiseStream"]


@dataclass(frozen=True, slots=True)
class NoiseState:
    """Everything the stream remembers; plain numbers, so ``dataclasses.asdict`` gives its JSON.

    Attributes:
        weight: Σ w of what is remembered; it rises to 1.
        squared_weight: Σ w².
        noise: Σ w S^; likewise ``signal`` for ‖G‖²^ and ``along`` for the part of S along the gradient, whose own
            Σ w is ``along_weight``.
        noise_noise: Σ w (S^)²; likewise ``noise_signal`` and ``signal_signal``.
        samples: rows behind all looks so far.
        looks: how many there were.
        skipped: looks that were not finite.
    """

    weight: float = 0.0
    squared_weight: float = 0.0
    noise: float = 0.0
    signal: float = 0.0
    along: float = 0.0
    along_weight: float = 0.0
    noise_noise: float = 0.0
    noise_signal: float = 0.0
    signal_signal: float = 0.0
    samples: int = 0
    looks: int = 0
    skipped: int = 0

    def to_json(self) -> dict[str, Any]:
        """The state as plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> NoiseState:
        """The state that ``to_json`` wrote."""
        return cls(**value)


class NoiseEstimate(NamedTuple):
    """What a stream says now.

    Attributes:
        noise: S, never negative.
        signal: ‖G‖², which may be 0 or less when the noise drowns it.
        along: the part of S along the gradient; None when it was never measured.
        low: the noise scale's lower bound.
        high: its upper bound; infinite when the gradient cannot be told from zero.
        looks: independent looks that the averages are worth.
    """

    noise: float
    signal: float
    along: float | None
    low: float
    high: float
    looks: float

    @property
    def noise_scale(self) -> float:
        """B_s = S/‖G‖², in samples; infinite when ‖G‖² is not positive."""
        return self.noise / self.signal if self.signal > 0.0 else math.inf


@dataclass(frozen=True)
class NoiseStream:
    """Averages looks at the noise; ``init() -> state``, ``update(state, sample) -> state``, ``estimate(state)``.

    A look over n rows weighs 1 − exp(−n/memory), so the memory is a length in samples whatever the batch size is, and
    dividing by the sum of weights takes the start-up bias out of S and ‖G‖² alone as well as out of their ratio.

    Args:
        memory: samples after which a look counts 1/e, above 0.
        least_looks: the memory is never shorter than this many looks, at least 1: how well a look sees the noise hardly
            depends on how many rows are behind it.
        deviations: z of the interval, above 0; 2 is about 95 %.

    >>> stream = NoiseStream(memory=1000.0)
    >>> state = stream.init()
    >>> for _ in range(3):
    ...     state = stream.update(state, NoiseSample(noise=400.0, signal=1.0, samples=32))
    >>> round(stream.estimate(state).noise_scale, 9)
    400.0
    """

    memory: float
    least_looks: int = 100
    deviations: float = 2.0

    def __post_init__(self) -> None:
        require_above("memory", self.memory, 0.0, why="it is a length in samples")
        require_count("least_looks", self.least_looks)
        require_above("deviations", self.deviations, 0.0)

    def init(self) -> NoiseState:
        """The state before the first look."""
        return NoiseState()

    def update(self, state: NoiseState, sample: NoiseSample, *, passed: float = 0.0) -> NoiseState:
        """The state after a look; one that is not finite is counted and otherwise ignored.

        Args:
            state: before it.
            sample: the look.
            passed: samples since the look before, when that is more than the rows behind this one.
        """
        if not sample.is_finite:
            return dataclasses.replace(state, skipped=state.skipped + 1)
        keep = math.exp(-min(max(sample.samples, passed) / self.memory, 1.0 / self.least_looks))
        gain = 1.0 - keep
        noise, signal, _, along = sample
        along_keep, along_gain = (1.0, 0.0) if along is None else (keep, gain)
        return NoiseState(
            keep * state.weight + gain,
            keep * keep * state.squared_weight + gain * gain,
            keep * state.noise + gain * noise,
            keep * state.signal + gain * signal,
            along_keep * state.along + along_gain * (along or 0.0),
            along_keep * state.along_weight + along_gain,
            keep * state.noise_noise + gain * noise * noise,
            keep * state.noise_signal + gain * noise * signal,
            keep * state.signal_signal + gain * signal * signal,
            state.samples + sample.samples,
            state.looks + 1,
            state.skipped,
        )

    def estimate(self, state: NoiseState) -> NoiseEstimate | None:
        """S, ‖G‖² and the interval of their ratio; None before the second look."""
        if state.weight <= 0.0 or state.squared_weight >= state.weight * state.weight:
            return None
        noise, signal = state.noise / state.weight, state.signal / state.weight
        looks = state.weight * state.weight / state.squared_weight
        # Fieller 1954: the ratios r for which S − r‖G‖² cannot be told from zero; no normal ratio is assumed
        scale = self.deviations * self.deviations / max(looks - 1.0, 1e-9) / state.weight
        noise_noise = scale * max(state.noise_noise - noise * state.noise, 0.0)
        noise_signal = scale * (state.noise_signal - noise * state.signal)
        signal_signal = scale * max(state.signal_signal - signal * state.signal, 0.0)
        low, high = _ratio_interval(noise, signal, (noise_noise, noise_signal, signal_signal))
        along = state.along / state.along_weight if state.along_weight > 0.0 else None
        return NoiseEstimate(max(noise, 0.0), signal, along, low, high, looks)


def _ratio_interval(noise: float, signal: float, variances: tuple[float, float, float]) -> tuple[float, float]:
    """The bounds of S/‖G‖² in [0, ∞], from z²-scaled variances of the two means and their covariance."""
    noise_noise, noise_signal, signal_signal = variances
    # r solves (‖G‖² − …)r² − 2(S‖G‖² − …)r + (S² − …) = 0
    square = signal * signal - signal_signal
    half = noise * signal - noise_signal
    rest = noise * noise - noise_noise
    root = math.sqrt(max(half * half - square * rest, 0.0))
    if square > 0.0 and signal > 0.0:
        return max((half - root) / square, 0.0), max((half + root) / square, 0.0)
    if rest <= 0.0 or noise <= 0.0:
        return 0.0, math.inf
    # the gradient cannot be told from zero: only the positive root bounds the ratio, and only from below
    return max(rest / (half + root), 0.0) if half + root > 0.0 else 0.0, math.inf
