"""One training of the adaptive-batch comparison: a fixed batch's recipe, or the same with another batch section."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surefoot.engine import TorchFactory
from surefoot.recipe import Recipe
from surefoot.training import never
from surefoot.tuning.decay import with_decay_coordinate

__all__ = ["Outcome", "Plan", "recipe_for", "train_once"]

DECAY = 1.5  # c = Σ ηλ, the library's own choice for a training in full
LOOKS = 10  # at the validation part, in a training


@dataclass(frozen=True)
class Plan:
    """A batch section whose rate and betas are those of the fixed batch ``size``; empty is that fixed batch."""

    size: int
    batch: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What tells its trainings from others in the store."""
        return ",".join([f"b{self.size}", *(f"{key}={value}" for key, value in self.batch.items())])


@dataclass(frozen=True)
class Outcome:
    """What a training gave: losses of the best weights by validation, test loss of the last ones, and the price."""

    validation: float
    test: float
    last: float
    steps: int
    seconds: float
    cpu: float
    sizes: tuple[int, ...] = ()


def recipe_for(factory: TorchFactory, plan: Plan, *, optimizer: str, rate: float) -> Recipe:
    """Cosine, a warmup of 5 %, c = 1.5 at the plan's size; then the plan's batch section."""
    recipe = Recipe(optimizer={"name": optimizer, "learning_rate": rate}, batch={"size": plan.size})
    recipe = recipe.complete(factory.num_rows)
    recipe = with_decay_coordinate(recipe, DECAY, num_steps=factory.training_samples / plan.size)
    if plan.batch:
        section = {"reference_size": plan.size, **plan.batch}
        recipe = Recipe(**{**recipe.to_dict(), "batch": section}).complete(factory.num_rows)
    return recipe


def train_once(factory: TorchFactory, recipe: Recipe, *, seed: int) -> Outcome:
    """Train to the end, looking at the validation part ten times; only the training is timed."""
    run = factory.create(recipe, seed=seed)
    best, test, steps, seconds, cpu, sizes = math.inf, math.inf, 0, 0.0, 0.0, []
    for look in range(1, LOOKS + 1):
        goal = math.ceil(run.horizon * look / LOOKS) - run.samples_seen
        wall_before, cpu_before = time.perf_counter(), time.process_time()
        advance = run.advance(goal, should_stop=never) if goal > 0 else None
        seconds += time.perf_counter() - wall_before
        cpu += time.process_time() - cpu_before
        if advance is not None:
            steps += advance.steps
            sizes.append(advance.batch_size)
            if advance.failure:
                return Outcome(math.inf, math.inf, math.inf, steps, seconds, cpu, tuple(sizes))
        validation = run.evaluate("validation")["loss"]
        if validation < best:
            best, test = validation, run.evaluate("test")["loss"]
    return Outcome(best, test, run.evaluate("test")["loss"], steps, seconds, cpu, tuple(sizes))
