"""Range tests within their price, and where they let a search begin."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from surefoot import seeds
from surefoot.curves.sweep import BELOW_MINIMUM
from surefoot.probes import range_test
from surefoot.protocols import Observer, Silent, TrainableFactory
from surefoot.protocols.search import never
from surefoot.recipe import Recipe
from surefoot.records import RangeTest
from surefoot.tuning.start import FOOT_FACTORS, Start

__all__ = ["PROBE_BATCH", "allowance", "measure", "starts"]

# All probes together cost at most this share of a training, of a small one or of a large one.
SMALL_SHARE, LARGE_SHARE, LARGE_STEPS = 0.15, 0.05, 4000
PROBE_BATCH = 16
MOST_STEPS, FEWEST_STEPS = 60, 24
# Where a range test's minimum may lie, for tasks too small to afford one or whose sweep says nothing: set by eye from
# the first sweeps, above the medians measured since (docs/log.md, 2026-11-20). Other optimizers behave like Adam.
PRIOR_EDGES = {"sgd": 0.3}
PRIOR_EDGE = 0.07


def allowance(factory: TrainableFactory, recipe: Recipe) -> float:
    """Samples that all probes of a training may see together."""
    steps = factory.training_samples / (recipe.batch.size or 1)
    return (SMALL_SHARE if steps < LARGE_STEPS else LARGE_SHARE) * factory.training_samples


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
    affordable = int(min(1.0, budget) * allowance(factory, recipes[0]) / batch)
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


def starts(
    optimizers: Sequence[str], tests: Sequence[RangeTest], *, given: float | None = None
) -> tuple[tuple[Start, ...], list[str]]:
    """Where the ladder begins with each optimizer, and what there is to say about it.

    Args:
        optimizers: recipes' names for them.
        tests: their range tests, where there was room for one.
        given: the learning rate of a user's own recipe, which names its optimizer; the ladder begins there.
    """
    by_name = {test.optimizer: test for test in tests}
    found, notes = [], []
    for name in optimizers:
        test = by_name.get(name)
        edge = prior = PRIOR_EDGES.get(name, PRIOR_EDGE)
        if given is not None:
            edge = prior = given / FOOT_FACTORS[0]
            notes.append(f"the search begins at the recipe's learning rate, {given:g}")
        elif test is not None and test.value is not None:
            edge = math.sqrt(edge * BELOW_MINIMUM * test.value)  # a sweep is about as far off as the prior: docs/log.md
        else:
            why = test.reason if test is not None else "a range test would have cost too much"
            notes.append(f"{name}: {why}; its rates start from a prior, {edge / 10:g}")
        found.append(Start(name, edge, test.diverged_above if test is not None else None, prior))
    return tuple(found), notes
