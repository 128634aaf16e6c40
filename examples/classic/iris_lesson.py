"""Iris twice, with the output that belongs to the question, and with a ReLU on it, which does not belong there.

What to see: one output and a sigmoid for "setosa or not", three outputs and a softmax for "which of three"; and what a
ReLU in front of either does. It cuts off all that is below zero. A sigmoid of what is left is never under one half, so
no answer is ever a sure "no": two thirds of the rows keep a loss of log 2, and the mean cannot fall below 0.46. A
softmax can still choose, but an output that is below zero for every row has no gradient and never comes back, so some
seeds lose a class for good.

The losses are the ones that take the sigmoid or the softmax into themselves, so the networks end in plain numbers.

    python examples/classic/iris_lesson.py --epochs 50 --seeds 10
"""

from __future__ import annotations

import argparse
from statistics import fmean

import numpy as np
from torch import nn

import surefoot as sf
from surefoot import tasks

RECIPE = sf.Recipe(
    optimizer={"name": "sgd", "learning_rate": 0.05, "momentum": 0.9}, schedule={"name": "constant"}, batch={"size": 16}
)


def build(outputs: int = 3, relu: bool = False) -> nn.Module:
    layers = [nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, outputs)]
    return nn.Sequential(*layers, nn.ReLU()) if relu else nn.Sequential(*layers)


def three_classes(epochs: float) -> sf.Task:
    iris = tasks.builtin("iris")
    return sf.Task(build, iris.train, validation=iris.validation, test=iris.test, epochs=epochs, name="iris")


def setosa_or_not(epochs: float) -> sf.Task:
    iris = tasks.builtin("iris")
    train, validation, test = (
        (inputs, (labels == 0).astype(np.int64)) for inputs, labels in (iris.train, iris.validation, iris.test)
    )
    return sf.Task(
        build, train, validation=validation, test=test, loss="binary_cross_entropy", epochs=epochs, name="setosa"
    )


def results(task: sf.Task, seeds: int, **model: object) -> list[dict[str, float]]:
    recipe = RECIPE.with_changes({f"model.{name}": value for name, value in model.items()})
    return [sf.fit(task, recipe, seed=seed).metrics for seed in range(seeds)]


def main(epochs: float = 50, seeds: int = 10) -> dict[str, list[dict[str, float]]]:
    """Train every network from every seed and give back what they measure."""
    binary, ternary = setosa_or_not(epochs), three_classes(epochs)
    found = {
        "setosa or not, a plain output": results(binary, seeds, outputs=1),
        "setosa or not, a ReLU on it": results(binary, seeds, outputs=1, relu=True),
        "three classes, plain outputs": results(ternary, seeds, outputs=3),
        "three classes, a ReLU on them": results(ternary, seeds, outputs=3, relu=True),
    }
    print(f"Test accuracy over {seeds} seeds, {epochs:g} epochs")
    for name, measured in found.items():
        right = [metrics["test_accuracy"] for metrics in measured]
        loss = fmean(metrics["test_loss"] for metrics in measured)
        print(
            f"{name:<30} mean {fmean(right):.2f}  worst {min(right):.2f}  best {max(right):.2f}  mean loss {loss:.3f}"
        )
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=float, default=50)
    parser.add_argument("--seeds", type=int, default=10)
    main(**vars(parser.parse_args()))
