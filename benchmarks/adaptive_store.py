"""Trainings of the adaptive-batch comparison, each done once: outcomes by plan, rate and seed in a JSON file a task."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
from functools import cached_property
from pathlib import Path

from benchmarks.adaptive_runs import Outcome, Plan, recipe_for, train_once
from benchmarks.adaptive_tasks import SECONDS_LONG, SLOW, load
from surefoot.engine import TorchFactory

__all__ = ["RATES", "SIZES", "Store"]

SIZES = (16, 32, 64, 128, 256)
RATES = tuple(1e-3 * 2.0**power for power in range(-4, 11))
FIRST = {"adamw": 6, "sgd": 9}  # of RATES, for a batch of 32: 0.004 and 0.032


class Store:
    """A task's trainings under one optimizer.

    Args:
        folder: where the JSON file lies or will lie.
        task: a name of ``adaptive_tasks``.
        optimizer: "adamw" or "sgd".
    """

    def __init__(self, folder: Path, task: str, optimizer: str) -> None:
        self.path, self.task, self.optimizer = folder / f"{task}_{optimizer}.json", task, optimizer
        self.found = json.loads(self.path.read_text()) if self.path.is_file() else {}

    @cached_property
    def factory(self) -> TorchFactory:
        """Makes the task's runs; the data are read only when something must be trained."""
        task = load(self.task)
        if task is None:
            raise SystemExit(f"{self.task}: its data is not here; set SUREFOOT_DATA")
        return TorchFactory(task)

    @property
    def seeds(self) -> range:
        """What is compared: ten paired seeds, five where trainings take seconds."""
        return range(5 if self.task in SECONDS_LONG else 10)

    @property
    def tuning_seeds(self) -> range:
        """What rates are chosen on: other seeds, more of them where a validation part is small and trainings cheap."""
        if self.task in SLOW:
            return range(100, 101)
        return range(100, 102 if self.task in SECONDS_LONG or self.task == "fashion_mlp" else 112)

    def fresh(self, plan: Plan, rate: float, seed: int) -> Outcome:
        """A training done now."""
        recipe = recipe_for(self.factory, plan, optimizer=self.optimizer, rate=rate)
        return train_once(self.factory, recipe, seed=seed)

    def outcome(self, plan: Plan, rate: float, seed: int) -> Outcome:
        """From the file, or trained now."""
        key = f"{plan.name}/r{rate:.3g}/s{seed}"
        if key not in self.found:
            self.keep(key, [_plain(value) for value in dataclasses.astuple(self.fresh(plan, rate, seed))])
        return Outcome(*[math.inf if value is None else value for value in self.found[key]])

    def keep(self, key: str, value: object) -> None:
        """Write one more entry."""
        self.found[key] = value
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = (f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in self.found.items())
        self.path.write_text("{\n" + ",\n".join(lines) + "\n}\n")

    def outcomes(self, plan: Plan) -> list[Outcome]:
        """All seeds at the best rate of the fixed batch that the plan's rate belongs to."""
        rate = self.best_rate(plan.size)
        return [self.outcome(plan, rate, seed) for seed in self.seeds]

    def best_rate(self, size: int) -> float:
        """The rate with the least mean validation loss: by factors of 2, up and down from a guess until it is worse."""
        middle = FIRST[self.optimizer] + round(math.log2(size / 32) / (2 if self.optimizer == "adamw" else 1))
        patience = 1 if self.task in SECONDS_LONG else 2  # flat and noisy on small data: look further
        losses = {middle: self._validation(size, middle)}
        for direction in (-1, 1):
            index, worse = middle, 0
            while worse < patience and 0 <= index + direction < len(RATES):
                index += direction
                losses[index] = self._validation(size, index)
                worse = 0 if losses[index] <= min(losses.values()) else worse + 1
        return RATES[min(losses, key=lambda index: losses[index])]

    def _validation(self, size: int, index: int) -> float:
        return statistics.mean(self.outcome(Plan(size), RATES[index], seed).validation for seed in self.tuning_seeds)

    def best_size(self) -> int:
        """The fixed batch with the least geometric mean of test losses."""
        return min(SIZES, key=lambda size: geometric_mean([found.test for found in self.outcomes(Plan(size))]))


def geometric_mean(values: list[float]) -> float:
    """The exponential of the mean logarithm."""
    return math.exp(statistics.mean(math.log(value) for value in values))


def _plain(value: object) -> object:
    if isinstance(value, float):
        return round(value, 5) if math.isfinite(value) else None
    return value
