"""Where a training begins: weights by fan-in or by feeling, and what stands on the output."""

from __future__ import annotations

import math
from typing import Any

import surefoot as sf
from benchmarks.corrections.tables import markdown, spread
from surefoot import tasks

__all__ = ["by_scale", "relu_on_the_output"]

DEPTH, WIDTH = 10, 128


def by_scale() -> str:
    """Deep ReLU and tanh networks from normal weights of several deviations."""
    fan = math.sqrt(1 / WIDTH)
    scales = {
        "0.01, by feeling": 0.01,
        "1/√fan (Xavier, equal widths)": fan,
        "√(2/fan) (Kaiming)": math.sqrt(2) * fan,
        "0.5, by feeling": 0.5,
    }
    rows = []
    for name, deviation in scales.items():
        cells = [name, f"{deviation:.3f}"]
        for kind in ("relu", "tanh"):
            found = [_trained(kind, deviation, seed=seed) for seed in range(5)]
            cells += [spread([size for size, _ in found], ".2g"), spread([right for _, right in found])]
        rows.append(cells)
    header = ["standard deviation of the weights", "", "ReLU: size of the last layer's signal", "test accuracy"]
    return markdown([*header, "tanh: size of the signal", "test accuracy"], rows)


def _trained(kind: str, deviation: float, *, seed: int) -> tuple[float, float]:
    """The root mean square of the last hidden layer before training, and the test accuracy after it."""
    import torch
    from torch import nn

    task = tasks.builtin("digits")
    made: list[Any] = []

    def build() -> Any:
        layers: list[Any] = []
        for place in range(DEPTH):
            layer = nn.Linear(64 if place == 0 else WIDTH, WIDTH)
            nn.init.normal_(layer.weight, std=deviation)
            nn.init.zeros_(layer.bias)
            layers += [layer, nn.ReLU() if kind == "relu" else nn.Tanh()]
        made.append(nn.Sequential(*layers, nn.Linear(WIDTH, 10)))
        return made[-1]

    torch.manual_seed(seed)
    with torch.no_grad():
        signal = build()[:-1](torch.as_tensor(task.validation[0]))
    own = sf.Task(build, task.train, validation=task.validation, test=task.test, epochs=20)
    recipe = sf.Recipe(optimizer={"name": "adamw", "learning_rate": 1e-3}, batch={"size": 32})
    return float(signal.square().mean().sqrt()), _accuracy(sf.fit(own, recipe, seed=seed))


def _accuracy(result: sf.Result) -> float:
    """Of the test rows; a training that diverged at once guesses."""
    found = result.metrics.get("test_accuracy")
    return 0.1 if found is None or not math.isfinite(found) else found


def relu_on_the_output() -> str:
    """Iris with and without a ReLU between the last layer and the cross-entropy, over twenty seeds."""
    from torch import nn

    iris = tasks.builtin("iris")
    rows = []
    for name, extra in (("plain outputs", False), ("a ReLU on them", True)):

        def build(extra: bool = extra) -> Any:
            layers = [nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)]
            return nn.Sequential(*layers, nn.ReLU()) if extra else nn.Sequential(*layers)

        task = sf.Task(build, iris.train, validation=iris.validation, test=iris.test, epochs=50)
        recipe = sf.Recipe(
            optimizer={"name": "sgd", "learning_rate": 0.01}, schedule={"name": "constant"}, batch={"size": 16}
        )
        found = [sf.fit(task, recipe, seed=seed).metrics for seed in range(20)]
        right = [each["test_accuracy"] for each in found]
        cells = [spread(right, ".2f"), f"{min(right):.2f} to {max(right):.2f}"]
        rows.append([name, *cells, spread([each["test_loss"] for each in found], ".2f")])
    return markdown(["Iris, 20 seeds", "test accuracy", "least to most", "test loss"], rows)
