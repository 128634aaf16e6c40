"""A measured policy: one reading of the noise stream behind shared limits, as init and update over immutable state."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from surefoot.batching.checks import require_above, require_count
from surefoot.batching.limits import Limits
from surefoot.batching.noise import NoiseSample
from surefoot.batching.readings import Reading, Situation
from surefoot.batching.stream import NoiseEstimate, NoiseState, NoiseStream

__all__ = ["Decision", "Measured", "MeasuredPolicy", "MeasuredState", "Observation"]

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Observation:
    """What a training tells a measured policy after a step.

    Attributes:
        batch_size: of the step.
        num_rows: of the training data.
        noise: a look at the noise, when this step took one.
        loss: of the step, not-a-number when unknown.
        learning_rate: of the step, not-a-number when unknown.
        metric: the validation metric, when it was just looked at; smaller is better.
        passed: samples since the observation before, where not every step is told of; None is this step's batch.
    """

    batch_size: int
    num_rows: int
    noise: NoiseSample | None = None
    loss: float = math.nan
    learning_rate: float = math.nan
    metric: float | None = None
    passed: int | None = None


class Decision(NamedTuple):
    """A policy's answer.

    Attributes:
        batch_size: in rows; None for "leave it".
        reason: one line; "" where nothing was near to moving.
    """

    batch_size: int | None = None
    reason: str = ""


LEAVE_IT = Decision()


class MeasuredPolicy(Protocol, Generic[State]):
    """A batch size that follows what the training shows."""

    def init(self) -> State:
        """The state before the first step."""
        ...

    def update(self, state: State, observation: Observation) -> tuple[State, Decision]:
        """The state after a step, and what to do; neither argument changes."""
        ...


@dataclass(frozen=True, slots=True)
class MeasuredState:
    """What a measured policy remembers; through JSON and back.

    Attributes:
        noise: so far.
        since_change: samples since the batch last changed.
        since_look: samples since the last look.
    """

    noise: NoiseState = field(default_factory=NoiseState)
    since_change: int = 0
    since_look: int = 0

    def to_json(self) -> dict[str, Any]:
        """The state as plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> MeasuredState:
        """The state that ``to_json`` wrote."""
        return cls(NoiseState.from_json(value["noise"]), value["since_change"], value["since_look"])


@dataclass(frozen=True)
class Measured:
    """Follow a reading of the noise, within limits, and only where the evidence is clear.

    The batch changes when all of these hold: enough looks; enough samples since the last change; what is wanted lies
    outside the hysteresis; and the current batch lies outside what the interval of the noise scale allows. Where
    ‖G‖² cannot be told from zero, the interval's lower end is followed instead of an infinite ratio.

    Args:
        reading: which rule, see ``surefoot.batching.readings``.
        limits: clamps, hysteresis, growth, caps.
        memory: of the averages, in samples; 200 steps of a batch of 32.
        least_looks: the memory is never shorter than this many looks. Measured on simulated gradients: 100 keep a batch
            at rest, and follow a noise scale that grows 20-fold in 4,000 steps within 10 %; see docs/batching.md, "How
            long a memory".
        pause: samples between two changes, as a share of the memory, at least 0.
        min_looks: looks before the first answer, at least 2.
        deviations: z of the interval that the current batch must leave. 3, because a batch that was chosen by one
            estimate is held against another: their difference has √2 times the spread.

    >>> from surefoot.batching import NoiseScale, NoiseSample
    >>> policy = Measured(NoiseScale(share=1.0), memory=3_200.0, min_looks=10)
    >>> state, size = policy.init(), 32
    >>> for _ in range(200):
    ...     sample = NoiseSample(noise=400.0, signal=1.0, samples=size)
    ...     state, decision = policy.update(state, Observation(size, num_rows=50_000, noise=sample))
    ...     size = decision.batch_size or size
    >>> size
    400
    """

    reading: Reading
    limits: Limits = field(default_factory=Limits)
    memory: float = 6_400.0
    least_looks: int = 100
    pause: float = 0.25
    min_looks: int = 20
    deviations: float = 3.0

    def __post_init__(self) -> None:
        if not callable(self.reading):
            raise ValueError(f"reading must be a function of an estimate and a situation, not {self.reading!r}")
        require_above("memory", self.memory, 0.0, why="it is a length in samples")
        require_count("min_looks", self.min_looks, least=2)
        require_count("least_looks", self.least_looks)
        if not (math.isfinite(self.pause) and self.pause >= 0.0):
            raise ValueError(f"pause must be a finite share of the memory of at least 0, not {self.pause!r}")
        require_above("deviations", self.deviations, 0.0)
        # the one derived part: built once, because update runs at every step
        object.__setattr__(
            self, "_stream", NoiseStream(self.memory, least_looks=self.least_looks, deviations=self.deviations)
        )

    @property
    def stream(self) -> NoiseStream:
        """The stream of looks that the reading reads."""
        stream: NoiseStream = self._stream  # type: ignore[attr-defined] # set in __post_init__
        return stream

    def init(self) -> MeasuredState:
        """The state before the first step."""
        return MeasuredState()

    def update(self, state: MeasuredState, observation: Observation) -> tuple[MeasuredState, Decision]:
        """The state after a step, and what to do."""
        went_by = observation.batch_size if observation.passed is None else observation.passed
        since, passed = state.since_change + went_by, state.since_look + went_by
        if observation.noise is None:
            return MeasuredState(state.noise, since, passed), LEAVE_IT
        noise = self.stream.update(state.noise, observation.noise, passed=passed)
        if since >= self.pause * self.memory:
            decision = self._decide(noise, observation)
            if decision.batch_size is not None:
                return MeasuredState(noise, 0), decision
        return MeasuredState(noise, since), LEAVE_IT

    def _decide(self, state: NoiseState, observation: Observation) -> Decision:
        estimate = self.stream.estimate(state)
        if estimate is None or state.looks < self.min_looks:
            return LEAVE_IT
        current, rows = observation.batch_size, observation.num_rows
        situation = Situation(current, rows, observation.loss, observation.learning_rate)
        point = estimate if math.isfinite(estimate.noise_scale) else _at(estimate, estimate.low)
        size = self.limits.decide(self.reading(point, situation), current=current, num_rows=rows)
        if size is None or (size < current and self.reading.grows_only and current <= self.limits.cap(rows)):
            return LEAVE_IT
        # the end of the interval that is nearest to the current batch must point the same way
        edge = self.reading(_at(estimate, estimate.low if size > current else estimate.high), situation)
        if current <= self.limits.cap(rows) and not ((edge > current) if size > current else (edge < current)):
            return LEAVE_IT
        return Decision(size, f"{_interval(estimate)}: batch {current} to {size}")


def _at(estimate: NoiseEstimate, noise_scale: float) -> NoiseEstimate:
    """The estimate with its noise scale moved to an end of its interval."""
    if not math.isfinite(noise_scale):
        return estimate._replace(signal=0.0)
    if estimate.signal > 0.0:
        return estimate._replace(noise=noise_scale * estimate.signal)
    if noise_scale > 0.0:
        return estimate._replace(signal=estimate.noise / noise_scale)
    return estimate._replace(noise=0.0, signal=1.0)


def _interval(estimate: NoiseEstimate) -> str:
    """The noise scale's interval in words."""
    if math.isinf(estimate.high):
        return f"noise scale at least {estimate.low:.3g}"
    return f"noise scale {estimate.low:.3g} to {estimate.high:.3g}"
