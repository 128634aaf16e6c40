"""Ground truth for learning-rate finders: full trainings at nine rates half a decade apart, each done once and stored.

``python -m benchmarks.rate_grids [TASK ...]`` trains what is missing: warmup of 5 %, cosine to zero, no weight decay;
{SGD with momentum 0.9, AdamW} × batch {16, 256}; three seeds, one on the heavy tasks. One JSON file a task in
``benchmarks/results/rate_grids``; it also keeps the trainings at rates that a finder picked.
"""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from benchmarks.probe_tasks import HEAVY, TASKS
from surefoot.engine import TorchFactory
from surefoot.recipe import Recipe
from surefoot.training import never

__all__ = ["BATCHES", "OPTIMIZERS", "RATES", "Case", "Grid", "Outcome", "recipe_of"]

FOLDER = Path(__file__).parent / "results" / "rate_grids"
BATCHES = (16, 256)
OPTIMIZERS = ("sgd", "adamw")
RATES = {
    "sgd": tuple(10.0 ** (power / 2) for power in range(-7, 2)),
    "adamw": tuple(10.0 ** (power / 2) for power in range(-9, 0)),
}
LOOKS = 10


@dataclass(frozen=True)
class Case:
    """A task under one optimizer at one batch size."""

    task: str
    optimizer: str
    batch: int

    @property
    def name(self) -> str:
        """As tables call it."""
        return f"{self.task} {self.optimizer} {self.batch}"


@dataclass(frozen=True)
class Outcome:
    """The validation loss at the end of a training and at the best of ten looks; infinite where it diverged."""

    last: float
    best: float
    seconds: float

    @property
    def has_diverged(self) -> bool:
        """Whether there is no model."""
        return not math.isfinite(self.last)


def recipe_of(case: Case, rate: float) -> Recipe:
    """What is trained and probed."""
    momentum = {"momentum": 0.9, "nesterov": False} if case.optimizer == "sgd" else {}
    return Recipe(
        optimizer={"name": case.optimizer, "learning_rate": rate, **momentum},
        schedule={"name": "cosine", "warmup": 0.05},
        batch={"size": case.batch},
    )


class Grid:
    """The stored trainings of one task."""

    def __init__(self, task: str) -> None:
        self.task = task
        self.path = FOLDER / f"{task}.json"
        self._found: dict[str, dict[str, float]] = json.loads(self.path.read_text()) if self.path.is_file() else {}

    @cached_property
    def factory(self) -> TorchFactory | None:
        """Makes the task's runs; None where its data is not here."""
        task = TASKS[self.task]()
        return None if task is None else TorchFactory(task)

    @property
    def seeds(self) -> range:
        """Of the grid."""
        return range(1 if self.task in HEAVY else 3)

    @property
    def cases(self) -> list[Case]:
        """Both optimizers at both batch sizes."""
        return [Case(self.task, optimizer, batch) for optimizer in OPTIMIZERS for batch in BATCHES]

    def outcome(self, case: Case, rate: float, seed: int) -> Outcome:
        """A training, done now if it is not stored."""
        key = f"{case.optimizer}/b{case.batch}/r{rate:.3g}/s{seed}"
        if key not in self._found:
            self._found[key] = _plain(asdict(self._train(case, float(f"{rate:.3g}"), seed)))
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(self._found, indent=0, sort_keys=True) + "\n")
        stored = {name: math.inf if value is None else value for name, value in self._found[key].items()}
        return Outcome(**stored)

    def _train(self, case: Case, rate: float, seed: int) -> Outcome:
        if self.factory is None:
            raise SystemExit(f"{self.task}: its data is not here; set SUREFOOT_DATA")
        recipe = recipe_of(case, rate).complete(self.factory.num_rows)
        run = self.factory.create(recipe, seed=seed)
        best, seconds = math.inf, 0.0
        last = math.inf
        for look in range(1, LOOKS + 1):
            goal = math.ceil(run.horizon * look / LOOKS) - run.samples_seen
            started = time.perf_counter()
            advance = run.advance(goal, should_stop=never) if goal > 0 else None
            seconds += time.perf_counter() - started
            if advance is not None and advance.failure:
                return Outcome(math.inf, best, seconds)
            last = run.evaluate("validation")["loss"]
            if not math.isfinite(last):
                return Outcome(math.inf, best, seconds)
            best = min(best, last)
        return Outcome(last, best, seconds)

    def losses(self, case: Case, *, kind: str = "last") -> np.ndarray:
        """(rates, seeds) of the grid."""
        return np.array(
            [[getattr(self.outcome(case, rate, seed), kind) for seed in self.seeds] for rate in RATES[case.optimizer]]
        )


def _plain(values: dict[str, float]) -> dict[str, float]:
    return {
        name: round(value, 6) if math.isfinite(value) else None  # type: ignore[misc] # null stands for infinity
        for name, value in values.items()
    }


def main(names: list[str]) -> None:
    """Train what is missing and print where the best rates lie."""
    torch.set_num_threads(1)
    for name in names:
        grid = Grid(name)
        if grid.factory is None:
            print(f"{name}: its data is not here")
            continue
        for case in grid.cases:
            started = time.perf_counter()
            losses = grid.losses(case)
            mean = losses.mean(axis=1)
            line = " ".join("   inf" if not math.isfinite(value) else f"{value:6.3f}" for value in mean)
            rate = RATES[case.optimizer][int(np.argmin(mean))]
            slowest = max(grid.outcome(case, rate, seed).seconds for seed in grid.seeds)
            print(
                f"{case.name:<36} best {rate:<8.3g} {line}   {slowest:.1f} s ({time.perf_counter() - started:.0f})",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:] or list(TASKS))
