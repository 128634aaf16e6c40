"""Records of what probes measured."""

from __future__ import annotations

from typing import Literal

from surefoot.records.base import Number, Record

__all__ = [
    "Capacity",
    "CapacityPoint",
    "NoiseReading",
    "RangeTest",
    "Sharpness",
    "ShortTrainings",
]


class RangeTest(Record):
    """A learning-rate range test: what was swept, what it says.

    ``low``, ``value`` and ``high`` are None when the sweep does not say.

    Attributes:
        optimizer: its name in a recipe.
        batch_size: of every step, in rows.
        rates: that were tried, rising.
        losses: the mean of ``curves``; where a seed left, the mean may end too.
        smoothed: the same, smoothed.
        curves: the loss by rate, one curve a seed; one whose loss left ends there.
        low: the lowest rate that would do.
        value: the rate it speaks for.
        high: the highest rate that would do.
        diverged_above: the lowest rate that did not hold.
        reason: why it does not say, or what to know.
        samples: its price.
        seconds: it took.
    """

    optimizer: str
    batch_size: int
    rates: tuple[float, ...]
    losses: tuple[Number, ...]
    smoothed: tuple[Number, ...]
    curves: tuple[tuple[Number, ...], ...] = ()
    low: float | None = None
    value: float | None = None
    high: float | None = None
    diverged_above: float | None = None
    reason: str = ""
    samples: int
    seconds: float


class ShortTrainings(Record):
    """A few trainings of some dozen steps from the same weights, each with a whole schedule at its own peak rate.

    Attributes:
        batch_size: of every step, in rows.
        steps: of each.
        rates: their peaks, rising.
        curves: the loss at evenly spaced moments, one curve a rate; a shorter one left before its end.
        ends: the last losses, not-a-number for one that left.
        value: the rate for the whole training that they speak for; None when they do not say.
        reason: why, or what to know.
        samples: their price.
        seconds: they took.
    """

    batch_size: int
    steps: int
    rates: tuple[float, ...]
    curves: tuple[tuple[Number, ...], ...]
    ends: tuple[Number, ...] = ()
    value: float | None = None
    reason: str = ""
    samples: int
    seconds: float


class NoiseReading(Record):
    """The gradient noise scale S/‖G‖², in rows, at one moment of a training.

    Attributes:
        samples_seen: the clock at that moment.
        value: None when the gradient drowns in the noise and only ``low`` is known, or when nothing is.
        low: with ``high`` the interval of 90 % confidence, where it is known.
        high: None where there is no upper end.
        looks: how many gradients stand behind it.
        reason: why it is not known, or what to know.
        samples: its price.
    """

    samples_seen: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    looks: int
    reason: str = ""
    samples: int


class CapacityPoint(Record):
    """Steps that were really run at one batch size, with the optimizer's state in place.

    Attributes:
        batch_size: in rows.
        seconds: the median of one step in the quietest of several visits.
        steps: that were timed.
        peak_bytes: what a step needed at most; None where it cannot be told.
    """

    batch_size: int
    seconds: float
    steps: int
    peak_bytes: int | None = None


class Capacity(Record):
    """How fast and how large a step can be: T(B) = overhead + per_row · B, M(B) = fixed_bytes + bytes_per_row · B.

    Attributes:
        points: what was run.
        overhead: of T, in seconds; None where nothing was fitted.
        per_row: of T, in seconds.
        error: the root mean square error of log T.
        fixed_bytes: of M.
        bytes_per_row: of M.
        knee: the smallest batch within a tenth of the best throughput that was run.
        largest: the largest batch that was run.
        limited_by: what stopped it there.
        device: as a person would say it.
        reason: why something is not known.
        samples: its price.
        seconds: it took.
    """

    points: tuple[CapacityPoint, ...]
    overhead: float | None = None
    per_row: float | None = None
    error: float | None = None
    fixed_bytes: float | None = None
    bytes_per_row: float | None = None
    knee: int | None = None
    largest: int | None = None
    limited_by: Literal["memory", "rows", "price", ""] = ""
    device: str = ""
    reason: str = ""
    samples: int
    seconds: float


class Sharpness(Record):
    """The largest eigenvalue of the loss's Hessian, and the rate it forbids.

    Attributes:
        optimizer: its name in a recipe.
        value: of D^-1/2 H D^-1/2 where the optimizer divides by √v̂, else of H.
        limit: the rate above which a quadratic of that curvature diverges under the optimizer; None where it sets none.
        is_preconditioned: whether the optimizer divides by √v̂.
        products: of the Hessian with a vector.
        rows: it was measured on.
        reason: why it is not known, or what to know.
        samples: its price; a product counts twice.
        seconds: it took.
    """

    optimizer: str
    value: float | None = None
    limit: float | None = None
    is_preconditioned: bool = False
    products: int
    rows: int
    reason: str = ""
    samples: int
    seconds: float
