"""The tasks on which levers are measured, each a training of seconds, and the recipe that levers are added to.

A lever is to be judged beside a recipe that is right, not beside one that it happens to repair: the rates are near the
medians of what our studies of "price of two" ended with (benchmarks/results/price_of_two), the decay is the Σ ηλ = 1.5
that the search begins with.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.adaptive_tasks import fashion_cnn
from benchmarks.probe_tasks import shakespeare_transformer, spoken_digits
from benchmarks.tasks import adult, clinc150, fashion_mnist_10k
from surefoot import tasks
from surefoot.recipe import Recipe
from surefoot.tasks.builder import NamedBuilder
from surefoot.tasks.builtin import PARTS
from surefoot.tasks.split import split_rows

__all__ = ["TASKS", "LeverTask"]

DECAY = 1.5
# The mean of a cosine to zero behind a linear warmup of 5 %, as a share of its peak.
MEAN_OF_COSINE = 0.5


@dataclasses.dataclass(frozen=True)
class LeverTask:
    """A task with its epochs and the recipe that levers are added to.

    Attributes:
        make: the task, None where its data is not here.
        epochs: of one training.
        rate: of AdamW.
        batch: rows a step.
    """

    make: Callable[[], tasks.Task | None]
    epochs: float
    rate: float
    batch: int

    def load(self) -> tasks.Task | None:
        """The task over so many epochs; None where its data is not here."""
        task = self.make()
        if task is not None:
            task.epochs = self.epochs
        return task

    def recipe(self, task: tasks.Task) -> Recipe:
        """AdamW with a cosine schedule at the task's rate and batch, and Σ ηλ = 1.5 over its steps."""
        steps = self.epochs * len(task.train[0]) / self.batch
        decay = DECAY / (MEAN_OF_COSINE * self.rate * steps)
        return Recipe(
            optimizer={"name": "adamw", "learning_rate": self.rate, "weight_decay": decay}, batch={"size": self.batch}
        )


def digits_cnn() -> tasks.Task:
    """The 8 x 8 handwritten digits through one convolution."""
    flat = tasks.builtin("digits")
    parts = [(inputs.reshape(-1, 1, 8, 8), labels) for inputs, labels in (flat.train, flat.validation, flat.test)]
    return tasks.Task(_digits_network, parts[0], validation=parts[1], test=parts[2], name="digits_cnn")


def _digits_network() -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 64), nn.ReLU(),
        nn.Linear(64, 10),
    )  # fmt: skip


def raw_table(name: str) -> tasks.Task:
    """A built-in table in the units that it was measured in."""
    from sklearn import datasets

    inputs, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
    train, validation, test = (
        (inputs[part].astype(np.float32), labels[part]) for part in split_rows(len(labels), PARTS, labels=labels)
    )
    model = NamedBuilder("surefoot.tasks.models:mlp", {"inputs": inputs.shape[1], "outputs": int(labels.max()) + 1})
    return tasks.Task(model, train, validation=validation, test=test, name=f"raw_{name}")


def rare_adult() -> tasks.Task | None:
    """Adult with one in ten of its rich kept, in every part: about 3 % of the rows."""
    task = adult()
    if task is None:
        return None
    generator = np.random.default_rng(0)
    for name in ("train", "validation", "test"):
        inputs, labels = getattr(task, name)
        kept = (labels == 0) | (generator.random(len(labels)) < 0.1)
        setattr(task, name, (inputs[kept], labels[kept]))
    task.name = "rare_adult"
    return task


TASKS: dict[str, LeverTask] = {
    "fashion_cnn": LeverTask(fashion_cnn, 5, 0.006, 32),
    "fashion_mlp": LeverTask(fashion_mnist_10k, 8, 0.003, 64),
    "digits_cnn": LeverTask(digits_cnn, 20, 0.01, 16),
    "adult": LeverTask(adult, 5, 0.006, 64),
    "rare_adult": LeverTask(rare_adult, 5, 0.006, 64),
    "raw_wine": LeverTask(partial(raw_table, "wine"), 60, 0.01, 16),
    "raw_breast_cancer": LeverTask(partial(raw_table, "breast_cancer"), 30, 0.01, 16),
    "clinc150": LeverTask(clinc150, 8, 0.04, 32),
    "spoken_digits": LeverTask(spoken_digits, 10, 0.006, 32),
    "transformer": LeverTask(shakespeare_transformer, 3, 0.005, 32),
}
