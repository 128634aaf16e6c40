"""What the published rules read from one stream of (S, ‖G‖²): the batch size that each of them wants.

Written in the noise scale B_s = S/‖G‖² they are close relatives, and none of them needs a measurement of its own
(the inner-product test needs the part of S along the gradient, CABS the loss). A reading is
``reading(estimate, situation) -> wanted batch size``; not-a-number says nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

from surefoot.batching.checks import require_above, require_between
from surefoot.batching.stream import NoiseEstimate

__all__ = [
    "CABS",
    "GradientDiversity",
    "HalfCosine",
    "InnerProductTest",
    "NoiseScale",
    "NormTest",
    "Reading",
    "Situation",
]


class Situation(NamedTuple):
    """What a reading may know beside the noise.

    Attributes:
        batch_size: of the step that was measured.
        num_rows: of the training data.
        loss: of that step; not-a-number when unknown.
        learning_rate: of that step; not-a-number when unknown.
    """

    batch_size: int
    num_rows: int
    loss: float = math.nan
    learning_rate: float = math.nan


class Reading(Protocol):
    """A rule's view of the stream; ``grows_only`` says that it never asks for a smaller batch."""

    grows_only: ClassVar[bool]

    def __call__(self, estimate: NoiseEstimate, situation: Situation, /) -> float:
        """The batch size it wants, in samples; not-a-number says nothing."""
        ...


@dataclass(frozen=True)
class NoiseScale:
    """A share of the noise scale: B = share · B_s.

    At B = B_s a step is half as good as one on all rows, and a training takes twice the samples and twice the steps
    that it needs at least: (S/S_min − 1)(E/E_min − 1) = 1 (McCandlish et al. 2018, arXiv:1812.06162). Who is ready to
    spend r samples to save a step finds B = √(r·B_s).

    Args:
        share: above 0. The whole keeps half of what a sample can teach, half of it two thirds; with the rate and the
            betas coupled, the whole kept the loss of small batches on five of six tasks (docs/log.md, 2026-11-20).
    """

    grows_only: ClassVar[bool] = False
    share: float = 1.0

    def __post_init__(self) -> None:
        require_above("share", self.share, 0.0)

    def __call__(self, estimate: NoiseEstimate, situation: Situation, /) -> float:
        """The batch size it wants."""
        del situation
        return self.share * estimate.noise_scale


@dataclass(frozen=True)
class NormTest:
    """Grow when the batch's gradient is too noisy: ‖Var‖₁/(B‖g_B‖²) > θ², then B = ‖Var‖₁/(θ²‖g_B‖²).

    Byrd, Chin, Nocedal and Wu 2012 (Mathematical Programming 134). With E‖g_B‖² = ‖G‖² + S/B it
    comes to rest at B_s(1 − θ²)/θ² and asks for at most 1/θ² times the batch at once; with θ ≥ 1 it never fires.

    Args:
        theta: θ in (0, 1); smaller wants larger batches.
    """

    grows_only: ClassVar[bool] = True
    theta: float = 0.5

    def __post_init__(self) -> None:
        require_between("theta", self.theta, 0.0, 1.0, why="at 1 the test never fires")

    def __call__(self, estimate: NoiseEstimate, situation: Situation, /) -> float:
        """The batch size it wants."""
        return _tested(estimate.noise, estimate, situation, self.theta)


@dataclass(frozen=True)
class InnerProductTest:
    """The norm test for the part of the noise that turns the step round: Var_i(∇f_iᵀg)/B ≤ θ²‖g‖⁴.

    Bollapragada, Byrd and Nocedal 2018 (arXiv:1710.11258). Noise across the gradient does not count
    against a batch, so it wants smaller ones; their augmented test bounds that noise too,
    Var_i(∇f_i − (∇f_iᵀg/‖g‖²)g)/B ≤ ν²‖g‖². The larger of the two answers is taken.

    Args:
        theta: θ in (0, 1).
        nu: ν of the augmented test, above 0; 5.84 is theirs.
    """

    grows_only: ClassVar[bool] = True
    theta: float = 0.9
    nu: float = 5.84

    def __post_init__(self) -> None:
        require_between("theta", self.theta, 0.0, 1.0, why="at 1 the test never fires")
        require_above("nu", self.nu, 0.0)

    def __call__(self, estimate: NoiseEstimate, situation: Situation, /) -> float:
        """The batch size it wants; it says nothing where the part along the gradient was not measured."""
        if estimate.along is None:
            return math.nan
        along = min(estimate.along, estimate.noise)
        inner = _tested(along, estimate, situation, self.theta)
        return max(inner, _tested(estimate.noise - along, estimate, situation, self.nu))


@dataclass(frozen=True)
class CABS:
    """Noise in balance with what is left to gain: B = η·S/F.

    Balles, Romero and Hennig 2017 (arXiv:1612.05086). For plain SGD and a loss whose minimum is near
    zero: subtract an estimate of the minimum, or do not use it.

    Args:
        loss_floor: F*, subtracted from the loss.
    """

    grows_only: ClassVar[bool] = False
    loss_floor: float = 0.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.loss_floor):
            raise ValueError(f"loss_floor must be a finite number, not {self.loss_floor!r}")

    def __call__(self, estimate: NoiseEstimate, situation: Situation, /) -> float:
        """The batch size it wants; it says nothing without a rate and a loss above its floor."""
        above = situation.loss - self.loss_floor
        return situation.learning_rate * estimate.noise / above if above > 0.0 else math.nan


@dataclass(frozen=True)
class GradientDiversity:
    """B = δ·n·Σ‖g_i‖²/‖Σ g_i‖² over all n rows, which is δ(1 + B_s).

    Chen, Wang and Sundaram 2025 (arXiv:2509.16173, "DiveBatch") after Yin et al. 2018 (arXiv:1706.05699), who show
    that mini-batches up to n times the diversity keep the speed of single samples.

    Args:
        delta: δ above 0.
    """

    grows_only: ClassVar[bool] = False
    delta: float = 0.5

    def __post_init__(self) -> None:
        require_above("delta", self.delta, 0.0)

    def __call__(self, estimate: NoiseEstimate, situation: Situation, /) -> float:
        """The batch size it wants."""
        del situation
        return self.delta * (1.0 + estimate.noise_scale)


@dataclass(frozen=True)
class HalfCosine:
    """The batch whose two halves agree to a cosine of γ: B = 2·B_s·γ/(1 − γ).

    Qin et al. 2021 (NeurIPS, "SimiGrad") steer the batch until the cosine of its halves' gradients is γ; as
    cos ≈ ‖G‖²/(‖G‖² + 2S/B), the batch that does it can be said at once.

    Args:
        gamma: γ in (0, 1).
    """

    grows_only: ClassVar[bool] = False
    gamma: float = 0.2

    def __post_init__(self) -> None:
        require_between("gamma", self.gamma, 0.0, 1.0, why="it is a cosine")

    def __call__(self, estimate: NoiseEstimate, situation: Situation, /) -> float:
        """The batch size it wants."""
        del situation
        return 2.0 * estimate.noise_scale * self.gamma / (1.0 - self.gamma)


def _tested(variance: float, estimate: NoiseEstimate, situation: Situation, bound: float) -> float:
    """variance/(bound²‖g_B‖²) with ‖g_B‖² = ‖G‖² + S/B, what a batch of this size shows on average."""
    shown = max(estimate.signal, 0.0) + estimate.noise / situation.batch_size
    return variance / (bound * bound * shown) if shown > 0.0 else math.nan
