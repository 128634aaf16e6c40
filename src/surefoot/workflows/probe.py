"""What learning rate fits this model."""

from __future__ import annotations

from dataclasses import dataclass

from surefoot.errors import RecipeError
from surefoot.recipe import Recipe
from surefoot.records import RangeTest
from surefoot.tasks import Task
from surefoot.workflows.backend import open_task, require_recipe
from surefoot.workflows.interrupt import interruptible
from surefoot.workflows.measuring import measure

__all__ = ["Probe", "Suggestion", "probe"]


@dataclass(frozen=True)
class Suggestion:
    """A learning rate with its band; None throughout when the data do not say."""

    low: float | None
    value: float | None
    high: float | None


@dataclass(frozen=True)
class Probe:
    """What a probe says.

    Attributes:
        range_test: the sweep and how it reads.
        trainings: its price.
    """

    range_test: RangeTest
    trainings: float

    @property
    def learning_rate(self) -> Suggestion:
        """The suggested rate: ``.low``, ``.value``, ``.high``."""
        return Suggestion(self.range_test.low, self.range_test.value, self.range_test.high)

    @property
    def reason(self) -> str:
        """Why there is no suggestion, or ""."""
        return self.range_test.reason


def probe(task: Task, recipe: Recipe | None = None, *, seed: int = 0) -> Probe:
    """What learning rate fits this model and this optimizer; nothing that was measured is changed.

    Args:
        task: what to train on.
        recipe: its optimizer and batch are probed; None takes the defaults.
        seed: of the initial weights and the order of the rows.
    """
    factory, complete = open_task(task, require_recipe(recipe))
    with interruptible() as should_stop:
        tests = measure(factory, [complete], seed=seed, should_stop=should_stop)
    if not tests:
        raise RecipeError(
            f"a training of {factory.training_samples} samples is too short for a range test; give more epochs"
        )
    return Probe(tests[0], tests[0].samples / factory.training_samples)
