"""What a searcher has to know of the task and of the wish before it can propose anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from surefoot.recipe import Recipe
from surefoot.records import Objective
from surefoot.space import Dimension

__all__ = ["Setting"]


@dataclass(frozen=True)
class Setting:
    """The frame of a search.

    Attributes:
        base: a complete recipe that supplies everything that is not searched.
        optimizers: the names of those that may be tried, the preferred one first.
        space: further recipe keys that may vary.
        num_rows: of the training data.
        training_samples: samples of one training, epochs × rows.
        allowed_samples: what all runs together may cost; ``Candidate.share`` × ``training_samples`` is what one costs.
        seed: of the study.
        objective: what decides between two runs.
        num_together: how many runs can go on at once; a wave of so many keeps every worker busy.
    """

    base: Recipe
    optimizers: tuple[str, ...]
    num_rows: int
    training_samples: int
    allowed_samples: int
    seed: int
    space: Mapping[str, Dimension] = field(default_factory=dict)
    objective: Objective = field(default_factory=Objective)
    num_together: int = 1

    def share_left(self, spent: int, *, planned: float = 0.0) -> float:
        """The share of a training that may still be spent, at most 1, below 0 when nothing is left."""
        return min(1.0, (self.allowed_samples - spent) / self.training_samples - planned)
