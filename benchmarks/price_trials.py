"""What every rival tunes, and how it pays: one training a look at a time, and a study that keeps the bill.

The price counts trainings: samples that ran, over epochs × rows. A look is due every epoch, and nine times in a
training of fewer epochs; it is the unit of resource that every rival's pruning counts in.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cached_property, lru_cache

from benchmarks.price_store import Finished, Record, Status
from benchmarks.price_tasks import NUM_SPLITS, SMALL, TASKS
from surefoot.engine import TorchFactory
from surefoot.recipe import Recipe
from surefoot.training import never

__all__ = ["BATCHES", "DECAYS", "OPTIMIZERS", "RATES", "Bench", "Outcome", "Setting", "Study", "Trial", "bench"]

RATES = (1e-5, 10.0)
BATCHES = (16, 512)
DECAYS = (1e-6, 1e-1)
OPTIMIZERS = ("sgd", "adamw")
FEWEST_LOOKS = 9


@dataclass(frozen=True)
class Bench:
    """A task on one split, as every rival trains on it."""

    task: str
    factory: TorchFactory

    @property
    def num_looks(self) -> int:
        """Looks at the validation part in one training: every epoch, and no fewer than nine."""
        return max(FEWEST_LOOKS, round(self.factory.problem.epochs))

    @property
    def batches(self) -> tuple[int, int]:
        """The smallest and the largest batch."""
        return BATCHES[0], min(BATCHES[1], self.factory.num_rows)


def bench(task: str, seed: int) -> Bench | None:
    """The task as a seed sees it; None where its data is not here."""
    return _bench(task, seed % NUM_SPLITS if task in SMALL else 0)


@lru_cache(maxsize=16)
def _bench(task: str, split: int) -> Bench | None:
    made = TASKS[task](split)
    return None if made is None else Bench(task, TorchFactory(made))


@dataclass(frozen=True)
class Setting:
    """A point of the space: an optimizer, its rate and decay, a batch size."""

    optimizer: str
    learning_rate: float
    batch_size: int
    weight_decay: float

    def __str__(self) -> str:
        return f"{self.optimizer} {self.learning_rate:.3g} b{self.batch_size} d{self.weight_decay:.2g}"

    @property
    def recipe(self) -> Recipe:
        """The training: cosine to zero after a warmup of 5 %; SGD with Nesterov momentum 0.9."""
        momentum = {"momentum": 0.9, "nesterov": True} if self.optimizer == "sgd" else {}
        return Recipe(
            optimizer={
                "name": self.optimizer,
                "learning_rate": self.learning_rate,
                "weight_decay": self.weight_decay,
                **momentum,
            },
            schedule={"name": "cosine", "warmup": 0.05},
            batch={"size": self.batch_size},
        )


@dataclass(frozen=True)
class Outcome:
    """What a trial came to: its best look by validation, the test loss there, and what it took."""

    validation: float
    test: float
    samples: int
    test_seconds: float


class Trial:
    """One training, a look at a time; the seed sets the initial weights and the order of the data.

    Args:
        bench: the task.
        recipe: what to train.
        seed: of the training.
    """

    def __init__(self, bench: Bench, recipe: Recipe, *, seed: int) -> None:
        self._bench = bench
        self._run = bench.factory.create(recipe.complete(bench.factory.num_rows), seed=seed)
        self.looks = 0
        self.has_diverged = False
        self._validation = self._test = math.inf
        self._test_seconds = 0.0

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to train."""
        return self.has_diverged or self.looks >= self._bench.num_looks

    @property
    def status(self) -> Status:
        """How it stands if it ends here."""
        return "diverged" if self.has_diverged else "complete" if self.is_over else "pruned"

    @property
    def outcome(self) -> Outcome:
        """What it came to so far."""
        return Outcome(self._validation, self._test, self._run.samples_seen, self._test_seconds)

    def look(self) -> float:
        """Train to the next look; the validation loss there, infinite when the training diverged."""
        self.looks += 1
        goal = math.ceil(self._run.horizon * self.looks / self._bench.num_looks) - self._run.samples_seen
        advance = self._run.advance(goal, should_stop=never) if goal > 0 else None
        loss = math.inf if advance is not None and advance.failure else self._run.evaluate("validation")["loss"]
        self.has_diverged = not math.isfinite(loss)
        if self.has_diverged:
            return math.inf
        if loss < self._validation:
            started = time.perf_counter()
            self._validation, self._test = loss, self._run.evaluate("test")["loss"]
            self._test_seconds += time.perf_counter() - started
        return loss


class Study:
    """One rival at work on one task with one seed: the trials it finished and what they cost.

    Args:
        bench: the task.
        seed: of the rival and of every training.
        most_price: the study is over when this many trainings are spent.
    """

    def __init__(self, bench: Bench, *, seed: int, most_price: float) -> None:
        self.bench, self.seed, self.most_price = bench, seed, most_price
        self._samples = 0
        self._test_seconds = 0.0
        self._finished: list[Finished] = []

    @cached_property
    def started(self) -> float:
        """When the first trial began, or somebody asked first."""
        return time.perf_counter()

    @property
    def price(self) -> float:
        """Trainings spent so far."""
        return self._samples / self.bench.factory.training_samples

    @property
    def is_spent(self) -> bool:
        """Whether the price is paid."""
        return self.price >= self.most_price

    def begin(self, recipe: Recipe) -> Trial:
        """A fresh trial."""
        _ = self.started
        return Trial(self.bench, recipe, seed=self.seed)

    def finish(self, outcome: Outcome, *, status: Status, about: str, ended: float | None = None) -> None:
        """Put a trial on the bill; its seconds leave out what the looks at the test part took."""
        self._samples += outcome.samples
        self._test_seconds += outcome.test_seconds
        seconds = (time.perf_counter() if ended is None else ended) - self.started - self._test_seconds
        self._finished.append(Finished(self.price, seconds, outcome.validation, outcome.test, status, about))

    @property
    def record(self) -> Record:
        """What is stored."""
        return Record(self.most_price, self.bench.factory.training_samples, tuple(self._finished))
