"""The sections that run along the training: the schedule of the rate, and when to stop."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from surefoot import schedules
from surefoot.recipe.section import Rate, Section, Share

__all__ = ["Schedule", "Stopping"]


class Schedule(Section):
    """How the learning rate moves: a name, a warmup, the schedule's own arguments as further keys.

    Attributes:
        name: one of ``surefoot.schedules``, or ``package.module:Class``, which is imported: read a stranger's recipe
            before you run it.
        warmup: a share of the horizon; left out 0.05, and 0 in front of a schedule that begins low itself.
        warmup_shape: of the rise.
        warmup_start: where it begins, as a share of where it ends; 0 when linear, 0.01 when exponential.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = "cosine"
    warmup: Share = Field(default_factory=lambda given: schedules.default_warmup(given.get("name", "")))
    warmup_shape: Literal["linear", "exponential"] = "linear"
    warmup_start: float | None = None

    @model_validator(mode="after")
    def _exists(self) -> Self:
        self.build()
        self.reactive()
        return self

    def build(self) -> Any:
        """The schedule itself, over positions in [0, 1]; beside a reactive one stands a constant."""
        is_reactive = self.name in schedules.REACTIVE
        return schedules.from_recipe(
            "constant" if is_reactive else self.name,
            warmup=self.warmup,
            warmup_shape=self.warmup_shape,
            warmup_start=self.warmup_start,
            arguments={} if is_reactive else self.model_extra,
        )

    def reactive(self) -> Any:
        """The part that reacts to the validation objective, or None."""
        if self.name in schedules.REACTIVE and "mode" in (self.model_extra or {}):
            raise ValueError("schedule.mode follows the objective in a recipe: leave it out")
        return schedules.reactive(self.name, self.model_extra) if self.name in schedules.REACTIVE else None


class Stopping(Section):
    """When to stop before the horizon, and what to do about a loss that blows up; 0 and nothing never stop.

    ``patience``: the validation objective has not improved by ``min_improvement`` (relative) for this share of the
    horizon. ``tolerance``: converged, the training loss of an epoch differs from the one before by less than this
    share. ``max_steps``, ``max_seconds``: a budget is spent. ``max_share``: the first look from this share of the
    horizon on is the last, under the schedule of the whole. ``retries``: how often a diverged run may go back to its
    last good look and go on at ``retry_factor`` times its rate.
    """

    patience: Share = 0.0
    min_improvement: Share = 0.0
    tolerance: Share = 0.0
    max_steps: Annotated[int, Field(ge=1)] | None = None
    max_seconds: Rate | None = None
    max_share: Annotated[float, Field(gt=0, le=1)] | None = None
    retries: Annotated[int, Field(ge=0)] = 0
    retry_factor: Annotated[float, Field(gt=0, lt=1)] = 0.3
