"""What learning rate fits this model."""

from __future__ import annotations

from dataclasses import dataclass

from surefoot.errors import RecipeError
from surefoot.recipe import Recipe
from surefoot.records import ProbeReport, RangeTest, Suggestion
from surefoot.tasks import Task
from surefoot.workflows.backend import open_task, require_recipe
from surefoot.workflows.interrupt import interruptible
from surefoot.workflows.measuring import measure

__all__ = ["Probe", "Suggestion", "probe"]


@dataclass(frozen=True)
class Probe:
    """What a probe says.

    Attributes:
        record: what was measured and what it suggests.
    """

    record: ProbeReport

    @property
    def range_test(self) -> RangeTest:
        """The sweep and how it reads."""
        assert self.record.range_test is not None
        return self.record.range_test

    @property
    def trainings(self) -> float:
        """The price."""
        return self.record.trainings

    @property
    def learning_rate(self) -> Suggestion:
        """The suggested rate: ``.low``, ``.value``, ``.high``."""
        return self.record.learning_rate

    @property
    def reason(self) -> str:
        """Why there is no suggestion, or ""."""
        return self.record.learning_rate.reason


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
    test, unknown = tests[0], Suggestion(reason="not measured")
    return Probe(
        ProbeReport(
            task=task.name,
            seed=seed,
            recipe=complete.to_dict(),
            range_test=test,
            learning_rate=Suggestion(low=test.low, value=test.value, high=test.high, reason=test.reason),
            weight_decay=unknown,
            batch_size=unknown,
            trainings=test.samples / factory.training_samples,
            samples=test.samples,
            seconds=test.seconds,
        )
    )
