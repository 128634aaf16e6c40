"""Growth on a plateau: the batch grows where a plateau rule would have cut the rate."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from surefoot.batching.checks import require_above, require_count
from surefoot.batching.limits import Limits
from surefoot.batching.measured import LEAVE_IT, Decision, Observation

__all__ = ["PlateauGrowth", "PlateauState"]


@dataclass(frozen=True, slots=True)
class PlateauState:
    """The best metric so far, and looks since.

    Attributes:
        best: the smallest metric, infinite before the first look.
        waited: looks since the best one, or since the last growth.
        cooling: looks that will not be counted.
    """

    best: float = math.inf
    waited: int = 0
    cooling: int = 0

    def to_json(self) -> dict[str, Any]:
        """The state as plain values; no metric yet is null."""
        return {**dataclasses.asdict(self), "best": self.best if math.isfinite(self.best) else None}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> PlateauState:
        """The state that ``to_json`` wrote."""
        return cls(**{**value, "best": math.inf if value["best"] is None else value["best"]})


@dataclass(frozen=True)
class PlateauGrowth:
    """Grow by a factor when the metric has not improved for more than ``patience`` looks in a row.

    Smith et al. 2018 (arXiv:1711.00489) for growing instead of cutting. Counted as PyTorch's ReduceLROnPlateau does:
    with a metric that never moves and a patience of 2 it acts at looks 3, 6, 9 (from 0), where Keras acts at 2, 4, 6.
    A metric that is not a number is a look without improvement.

    Args:
        factor: above 1.
        patience: looks without improvement that are let pass, at least 0.
        threshold: what counts as improvement, relative: below best · (1 − threshold), or best − threshold·|best| for a
            negative one; in [0, 1).
        cooldown: looks after a growth that are not counted, at least 0.
        limits: clamps and caps; ``growth`` bounds the factor.

    >>> policy, size = PlateauGrowth(patience=1), 32
    >>> state = policy.init()
    >>> for metric in (1.0, 0.9, 0.9, 0.9, 0.9):
    ...     state, decision = policy.update(state, Observation(size, num_rows=5_000, metric=metric))
    ...     size = decision.batch_size or size
    >>> size
    64
    """

    factor: float = 2.0
    patience: int = 3
    threshold: float = 1e-4
    cooldown: int = 0
    limits: Limits = field(default_factory=lambda: Limits(hysteresis=1.0))

    def __post_init__(self) -> None:
        require_above("factor", self.factor, 1.0, why="the batch would not grow")
        require_count("patience", self.patience, least=0)
        require_count("cooldown", self.cooldown, least=0)
        if not 0.0 <= self.threshold < 1.0:
            raise ValueError(f"threshold must lie in [0, 1), not {self.threshold!r}: it is relative to the best metric")

    def init(self) -> PlateauState:
        """The state before the first look."""
        return PlateauState()

    def update(self, state: PlateauState, observation: Observation) -> tuple[PlateauState, Decision]:
        """The state after a step, and what to do; steps without a metric change nothing."""
        metric = observation.metric
        if metric is None:
            return state, LEAVE_IT
        margin = self.threshold * abs(state.best) if math.isfinite(state.best) else 0.0
        improved = metric < state.best - margin
        best = metric if improved else state.best
        waited = 0 if improved or state.cooling else state.waited + 1
        if waited <= self.patience:
            return PlateauState(best, waited, max(state.cooling - 1, 0)), LEAVE_IT
        current, rows = observation.batch_size, observation.num_rows
        # rounded up, so that a small batch grows at all
        size = self.limits.decide(math.ceil(current * self.factor), current=current, num_rows=rows)
        after = PlateauState(best, 0, self.cooldown)
        if size is None or size <= current:
            return after, LEAVE_IT
        return after, Decision(size, f"no improvement on {best:.4g} for {waited} looks: batch {current} to {size}")
