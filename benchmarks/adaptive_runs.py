"""One training of the adaptive-batch comparison: a recipe, and a plan that moves batch and rate together."""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass
from typing import Any

import torch

from surefoot.batching import (
    Knobs,
    Limits,
    Measured,
    NoiseSample,
    NoiseScale,
    Observation,
    couple,
    from_micro_gradients,
)
from surefoot.engine import TorchFactory, TorchRun
from surefoot.recipe import Recipe
from surefoot.training import never
from surefoot.tuning.decay import with_decay_coordinate

__all__ = ["Outcome", "Plan", "SteeredRun", "recipe_for", "train_once"]

DECAY = 1.5  # c = Σ ηλ, the library's own choice for a training in full
LOOKS = 10  # at the validation part, in a training


@dataclass(frozen=True)
class Plan:
    """Which batch when; rate, decay, betas and epsilon follow from those of the batch ``size`` by ``couple``.

    Attributes:
        size: the batch that the recipe's rate and betas belong to; a fixed plan trains with it.
        start: the batch to begin with, never fallen below; 0 is ``size``.
        share: of the measured noise scale that the batch follows; 0 measures nothing.
        growth: the batch grows as the schedule's fall to this power, 1/mᵍ; 0 does not.
        most: growth by the schedule ends at this many times the batch.
        looks: at the noise, in a training.
        coupled: whether betas and epsilon follow, as ``couple`` has it, or only rate and decay.
    """

    size: int
    start: int = 0
    share: float = 0.0
    growth: float = 0.0
    most: float = 4.0
    looks: int = 150
    coupled: bool = True

    @property
    def is_fixed(self) -> bool:
        """Whether nothing moves."""
        return not (self.start or self.share or self.growth)

    @property
    def name(self) -> str:
        """What tells its trainings from others in the store."""
        changed = [
            f"{field.name}={getattr(self, field.name):g}"
            for field in dataclasses.fields(self)[1:]
            if getattr(self, field.name) != field.default
        ]
        return ",".join([f"b{self.size}", *changed])


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


def recipe_for(factory: TorchFactory, *, optimizer: str, rate: float, size: int) -> Recipe:
    """The recipe of a fixed batch: cosine, a warmup of 5 %, c = 1.5."""
    recipe = Recipe(optimizer={"name": optimizer, "learning_rate": rate}, batch={"size": size})
    recipe = recipe.complete(factory.num_rows)
    return with_decay_coordinate(recipe, DECAY, num_steps=factory.training_samples / size)


def controller(plan: Plan, *, horizon: int) -> Measured:
    """The measured policy of a plan: ten looks before it speaks, a memory of thirty, a hundredth of the run between."""
    return Measured(
        NoiseScale(plan.share or 1.0),  # a plan that takes no look never asks
        Limits(smallest=plan.start or plan.size, share_of_rows=0.25),
        memory=horizon / 100,
        least_looks=30,
        min_looks=10,
        pause=1.0,
        deviations=1.0,
    )


class SteeredRun(TorchRun):
    """A run whose batch, rate, decay and moments follow a plan."""

    def __init__(self, factory: TorchFactory, recipe: Recipe, plan: Plan, *, seed: int) -> None:
        super().__init__(factory.problem, recipe, factory.parts, seed=seed, horizon=factory.training_samples)
        self._plan, self._num_rows, self._single_thread = plan, factory.num_rows, True
        settings = recipe.optimizer
        self._knobs = Knobs(
            settings.learning_rate or 0.0, settings.weight_decay, settings.beta1, settings.beta2, settings.epsilon
        )
        self._base = self._current = plan.start or plan.size
        self._coupled, self._coupled_at = self._knobs, plan.size
        self._controller = controller(plan, horizon=self.horizon)
        self._control, self._next_look = self._controller.init(), 0.0
        self.reasons: list[tuple[float, str]] = []
        values = [float(self._schedule(place / 1000)) for place in range(1001)]
        self._top, self._top_at = max(values), values.index(max(values)) / 1000
        if not plan.is_fixed:
            self._policy = self._wanted

    def _wanted(self, position: float, *, num_rows: int) -> int:
        """The batch of the next step: the base, grown by what the schedule has fallen."""
        wanted = float(self._base)
        if self._plan.growth and position > self._top_at:
            left = max(float(self._schedule(position)) / self._top, 1e-9)
            wanted *= min(left**-self._plan.growth, self._plan.most)
        self._current = min(round(wanted), num_rows)
        return self._current

    def _rate_at(self, samples: float) -> float:
        if self._current != self._coupled_at:
            self._couple()
        return self._coupled.learning_rate * float(self._schedule(samples / self.horizon))

    def _couple(self) -> None:
        """Bring every setting from the plan's size to the current one."""
        settings = self.recipe.optimizer
        knobs, _ = couple(
            self._knobs, optimizer=settings.name, batch_size=self._plan.size, new_batch_size=self._current
        )
        self._coupled, self._coupled_at = knobs, self._current
        for group in self._optimizer.param_groups:
            group["weight_decay"] = knobs.weight_decay if group["weight_decay"] else 0.0
            if self._plan.coupled and "betas" in group:
                group["betas"], group["eps"] = (knobs.beta1, knobs.beta2), knobs.epsilon

    def _descend(self, indices: Any, learning_rate: float) -> tuple[float, float]:
        if not self._plan.share or self._samples < self._next_look or len(indices) < 2:
            return super()._descend(indices, learning_rate)
        self._next_look = self._samples + self.horizon / self._plan.looks
        return self._measured_step(indices, learning_rate), len(indices)

    def _measured_step(self, indices: Any, learning_rate: float) -> float:
        """A step whose gradient comes in two halves, which show the noise."""
        weights = [weight for weight in self._model.parameters() if weight.requires_grad]
        half, size = len(indices) // 2, len(indices)
        sizes, gradients, loss = (half, size - half), [], 0.0
        for part in (indices[:half], indices[half:]):
            self._optimizer.zero_grad()
            found = self._objective(self._model, self._parts["train"].take(part), len(part))
            found.training.backward()  # type: ignore[no-untyped-call] # torch leaves it unannotated
            gradients.append([weight.grad for weight in weights])
            loss += float(found.plain.detach()) * len(part) / size
        norms = [float(sum(part.square().sum() for part in gradient)) for gradient in gradients]
        torch._foreach_mul_(gradients[1], sizes[1] / size)
        torch._foreach_add_(gradients[1], gradients[0], alpha=sizes[0] / size)  # the weights' own gradients
        mean = float(sum(part.square().sum() for part in gradients[1]))
        self._observe(from_micro_gradients(norms, sizes=sizes, mean_squared_norm=mean, num_rows=self._num_rows))
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._optimizer.step()
        return loss

    def _observe(self, sample: NoiseSample) -> None:
        """Tell the controller, and do as it says from the next step on."""
        observation = Observation(self._base, self._num_rows, sample)
        self._control, decision = self._controller.update(self._control, observation)
        # what passed since the last look counts as well
        skipped = max(0, round(self.horizon / self._plan.looks) - self._base)
        self._control = dataclasses.replace(self._control, since_change=self._control.since_change + skipped)
        if decision.batch_size is not None:
            self._base = decision.batch_size
            self.reasons.append((self._samples / self.horizon, decision.reason))


def train_once(factory: TorchFactory, recipe: Recipe, plan: Plan, *, seed: int) -> Outcome:
    """Train to the end, looking at the validation part ten times; only the training is timed."""
    run = SteeredRun(factory, recipe, plan, seed=seed)
    best, steps, seconds, cpu, sizes = math.inf, 0, 0.0, 0.0, []
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
        value = run.evaluate("validation")["loss"]
        if value < best:
            best = value
            run.keep_best()
    last = run.evaluate("test")["loss"]
    run.recall_best()
    return Outcome(best, run.evaluate("test")["loss"], last, steps, seconds, cpu, tuple(sizes))
