"""What learning rate fits this model: range tests within their price."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from surefoot import seeds
from surefoot.errors import RecipeError
from surefoot.probes import range_test
from surefoot.protocols import Observer, Silent, TrainableFactory
from surefoot.recipe import Recipe
from surefoot.records import RangeTest
from surefoot.tasks import Task
from surefoot.training import never
from surefoot.tuning.ladder import Start
from surefoot.workflows.backend import open_task
from surefoot.workflows.interrupt import interruptible

__all__ = ["Probe", "Suggestion", "measure", "probe", "starts"]

# All probes together cost at most this share of a training, of a small one or of a large one.
SMALL_SHARE, LARGE_SHARE, LARGE_STEPS = 0.15, 0.05, 4000
PROBE_BATCH = 16
MOST_STEPS, FEWEST_STEPS = 60, 24
# Where a range test's minimum usually lies, for tasks too small to afford one or whose sweep says nothing:
# medians over the built-in tasks (measured: see docs/log.md). Other optimizers behave like Adam.
PRIOR_EDGES = {"sgd": 0.3}
PRIOR_EDGE = 0.07


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
    factory, complete = open_task(task, recipe or Recipe())
    with interruptible() as should_stop:
        tests = measure(factory, [complete], seed=seed, should_stop=should_stop)
    if not tests:
        raise RecipeError(
            f"a training of {factory.training_samples} samples is too short for a range test; give more epochs"
        )
    return Probe(tests[0], tests[0].samples / factory.training_samples)


def measure(
    factory: TrainableFactory,
    recipes: Sequence[Recipe],
    *,
    seed: int,
    budget: float = 1.0,
    observer: Observer | None = None,
    should_stop: Callable[[], bool] = never,
) -> tuple[RangeTest, ...]:
    """A range test for each recipe's optimizer, as many as the price allows, the first ones first.

    Args:
        factory: makes the runs that are measured.
        recipes: complete, one an optimizer.
        seed: of the study.
        budget: trainings that may be spent in all; probes keep to their share of one training or of that.
        observer: hears what happens.
        should_stop: asked before every step.
    """
    batch = min(PROBE_BATCH, factory.num_rows, *(recipe.batch.size or PROBE_BATCH for recipe in recipes))
    steps_of_a_training = factory.training_samples / (recipes[0].batch.size or 1)
    share = SMALL_SHARE if steps_of_a_training < LARGE_STEPS else LARGE_SHARE
    affordable = int(share * min(1.0, budget) * factory.training_samples / batch)
    count = min(len(recipes), affordable // FEWEST_STEPS)
    observer, tests = observer or Silent(), list[RangeTest]()
    for recipe in recipes[:count]:
        name = recipe.optimizer.name
        observer.probing(name)
        run = factory.create(recipe, seed=seeds.derive(seed, "probe", name))
        steps = min(MOST_STEPS, affordable // count)
        tests.append(range_test(run, optimizer=name, batch_size=batch, num_steps=steps, should_stop=should_stop))
        observer.probed(tests[-1], spent=sum(test.samples for test in tests) / factory.training_samples)
    return tuple(tests)


def starts(optimizers: Sequence[str], tests: Sequence[RangeTest]) -> tuple[tuple[Start, ...], list[str]]:
    """Where the ladder begins with each optimizer, and what there is to say about it."""
    by_name = {test.optimizer: test for test in tests}
    found, notes = [], []
    for name in optimizers:
        test = by_name.get(name)
        edge = PRIOR_EDGES.get(name, PRIOR_EDGE)
        if test is not None and test.value is not None:
            edge = test.rates[min(range(len(test.smoothed)), key=lambda index: test.smoothed[index])]
        else:
            why = test.reason if test is not None else "a range test would have cost too much"
            notes.append(f"{name}: {why}; its rates start from a prior, {edge / 10:g}")
        found.append(Start(name, edge, test.diverged_above if test is not None else None))
    return tuple(found), notes
