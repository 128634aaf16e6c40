"""Records of what probes measured, and of what they suggest together."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from surefoot.records.base import SCHEMA_VERSION, Number, Record

__all__ = [
    "Capacity",
    "CapacityPoint",
    "FrontierPoint",
    "NoiseReading",
    "ProbeReport",
    "RangeTest",
    "Sharpness",
    "ShortTrainings",
    "Suggestion",
]


class RangeTest(Record):
    """A learning-rate range test: what was swept, what it says.

    ``losses`` is the mean of ``curves``, one curve a seed; a seed whose loss left ends there, and so may the mean.
    ``low``, ``value`` and ``high`` are None when the sweep does not say; ``reason`` tells why.
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

    ``curves`` hold the loss at evenly spaced moments, one curve a rate; a shorter one left before its end. ``ends`` are
    the last losses, not-a-number for one that left. ``value`` is the rate for the whole training that they speak for,
    None when they do not say.
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

    ``samples_seen`` is the clock at that moment. ``value`` is None when the gradient drowns in the noise and only
    ``low`` is known, or when nothing is; ``low`` and ``high`` hold it with 90 % confidence, where they are known.
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

    ``seconds`` is the median of one step in the quietest of several visits; ``peak_bytes`` what it needed at most, None
    where it cannot be told.
    """

    batch_size: int
    seconds: float
    steps: int
    peak_bytes: int | None = None


class Capacity(Record):
    """How fast and how large a step can be: T(B) = overhead + per_row · B, M(B) = fixed_bytes + bytes_per_row · B.

    ``knee`` is the smallest batch within a tenth of the best throughput that was run, ``largest`` the largest batch
    that was, and ``limited_by`` what stopped it there.
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

    ``value`` is that of D^-1/2 H D^-1/2 where the optimizer divides by √v̂ (``is_preconditioned``), else of H; ``limit``
    is the rate above which a quadratic of that curvature diverges under the optimizer, None where it sets none.
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


class Suggestion(Record):
    """A value with the interval it is believed to lie in; None throughout when the data do not say."""

    low: float | None = None
    value: float | None = None
    high: float | None = None
    reason: str = ""


class FrontierPoint(Record):
    """What training with one batch size is predicted to take, to reach the loss that the recipe's own reaches."""

    batch_size: int
    learning_rate: float | None
    steps: float
    samples: float
    seconds: float | None
    is_suggested: bool = False
    was_run: bool = False


class ProbeReport(Record):
    """Everything one probe measured and what it suggests.

    ``trainings`` is the price; ``notes`` say what was left out, and why.
    """

    schema_version: int = SCHEMA_VERSION
    task: str
    seed: int
    recipe: dict[str, Any]
    range_test: RangeTest | None = None
    short_trainings: ShortTrainings | None = None
    noise: tuple[NoiseReading, ...] = ()
    capacity: Capacity | None = None
    sharpness: Sharpness | None = None
    learning_rate: Suggestion
    weight_decay: Suggestion
    batch_size: Suggestion
    frontier: tuple[FrontierPoint, ...] = ()
    notes: tuple[str, ...] = ()
    trainings: float
    samples: int
    seconds: float
    versions: dict[str, str] = Field(default_factory=dict)
