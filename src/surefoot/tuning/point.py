"""A point of the search: an optimizer, its rate, its decay, a batch size and whatever else varies; and its recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from surefoot.batching import default_coupling, rate_factor
from surefoot.recipe import Recipe, takes
from surefoot.records import Run
from surefoot.space import Dimension
from surefoot.tuning.decay import with_decay_coordinate

__all__ = ["BATCH", "DECAY", "RATE", "Point", "is_like", "point_of", "rate_of", "with_optimizer"]

RATE, DECAY, BATCH = "optimizer.learning_rate", "optimizer.weight_decay", "batch.size"


@dataclass(frozen=True)
class Point:
    """Where a run stands in the search.

    Attributes:
        optimizer: its name.
        rate: the learning rate, at this point's own batch size.
        decay: c = Σ ηλ over the run.
        values: further recipe keys.
        why: it is tried, in a few words.
    """

    optimizer: str
    rate: float
    decay: float
    values: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""

    def moved(self, *, rate: float = 1.0, decay: float = 1.0, why: str | None = None) -> Point:
        """The point with its rate and its decay multiplied."""
        return replace(self, rate=self.rate * rate, decay=self.decay * decay, why=self.why if why is None else why)

    def at_batch(self, size: int, *, before: int) -> Point:
        """The point at another batch size, its rate following by the optimizer's usual rule; c stays."""
        factor = rate_factor(default_coupling(self.optimizer), batch_size=before, new_batch_size=size)
        return replace(self, rate=self.rate * factor, values={**self.values, BATCH: size})

    def within(self, space: Mapping[str, Dimension]) -> Point:
        """The point with three digits, which is all a search knows, and inside what the space allows."""
        rate = float(f"{self.rate:.3g}")
        return replace(self, rate=space[RATE].clip(rate) if RATE in space else rate)

    def coordinates(self) -> dict[str, Any]:
        """As a record keeps it."""
        settings = {"optimizer": self.optimizer, "learning_rate": self.rate, "decay": self.decay, **self.values}
        return {**settings, "why": self.why}

    def recipe(self, base: Recipe, *, num_rows: int, samples: float) -> Recipe:
        """The complete recipe of a run over so many samples.

        A weight decay among ``values`` stands as it is; otherwise it follows from c.
        """
        changes = {key: value for key, value in self.values.items() if takes(self.optimizer, key)}
        changes |= {"optimizer.name": self.optimizer, RATE: self.rate}
        recipe = with_optimizer(base, self.optimizer).with_changes(changes).complete(num_rows)
        if DECAY in self.values:
            return recipe
        steps = samples * recipe.steps_per_sample(num_rows)
        exact = with_decay_coordinate(recipe, self.decay, num_steps=steps).optimizer.weight_decay
        return recipe.with_changes({DECAY: float(f"{exact:.3g}")})


def point_of(run: Run) -> Point:
    """Where a recorded run stood."""
    own = {"optimizer", "learning_rate", "decay", "rung", "why"}
    values = {key: value for key, value in run.coordinates.items() if key not in own}
    found = run.coordinates
    return Point(found["optimizer"], float(found["learning_rate"]), float(found["decay"]), values)


def rate_of(run: Run) -> float:
    """The learning rate of a recorded run."""
    return float(run.coordinates["learning_rate"])


def is_like(run: Run, other: Run) -> bool:
    """Whether two runs differ in their rate alone."""
    one, two = point_of(run), point_of(other)
    return one.optimizer == two.optimizer and math.isclose(one.decay, two.decay) and one.values == two.values


def with_optimizer(base: Recipe, name: str) -> Recipe:
    """The base recipe with an optimizer's own defaults, where it is not the base's optimizer."""
    if base.optimizer.name == name:
        return base
    sections = base.to_dict()
    sections["optimizer"] = {"name": name}
    return Recipe(**{**sections, "optimizer": Recipe(**sections).optimizer.complete().model_dump(exclude_none=True)})
