"""Records of what probes suggest together."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from surefoot.records.base import SCHEMA_VERSION, Record
from surefoot.records.probes import Capacity, NoiseReading, RangeTest, Sharpness, ShortTrainings

__all__ = ["FrontierPoint", "ProbeReport", "Suggestion"]


class Suggestion(Record):
    """A value with the interval it is believed to lie in; None throughout when the data do not say.

    Attributes:
        low: the interval's lower end.
        value: what to take.
        high: its upper end.
        reason: what it was made from.
    """

    low: float | None = None
    value: float | None = None
    high: float | None = None
    reason: str = ""


class FrontierPoint(Record):
    """What training with one batch size is predicted to take, to reach the loss that the recipe's own reaches.

    Attributes:
        batch_size: in rows.
        learning_rate: that goes with it.
        steps: until that loss.
        samples: until that loss.
        seconds: until that loss; None where steps were not timed.
        is_suggested: whether it is the one to take.
        was_run: whether steps of this size were timed, rather than read off a fit.
    """

    batch_size: int
    learning_rate: float | None
    steps: float
    samples: float
    seconds: float | None
    is_suggested: bool = False
    was_run: bool = False


class ProbeReport(Record):
    """Everything one probe measured and what it suggests.

    Attributes:
        schema_version: of this form.
        task: its name.
        seed: of weights and order.
        recipe: that was probed, every section.
        range_test: None where it was left out; likewise the others.
        short_trainings: see there.
        noise: readings, in the order of the clock.
        capacity: see there.
        sharpness: see there.
        learning_rate: what is suggested, for ``batch_size.value``.
        weight_decay: likewise.
        batch_size: likewise.
        frontier: what each batch size would take.
        notes: what was left out, and why.
        trainings: the price.
        samples: the price in samples.
        seconds: it took.
        versions: of the packages that took part.
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
