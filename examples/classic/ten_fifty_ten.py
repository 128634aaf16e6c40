"""A 10-50-10 network with squared error: SGD, momentum 0.9, batch 64, rate 0.001, 100 epochs.

What to see: the loop everybody writes by hand, and the same training as a Task and a Recipe. Both losses fall alike and
end close together. Both curves still fall at the end: for this network 0.001 is a low rate, and the last line, the
same recipe at ten times the rate, says what that costs.

    python examples/classic/ten_fifty_ten.py --epochs 100
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import nn

import surefoot as sf

RECIPE = sf.Recipe.from_toml("""
[optimizer]
name = "sgd"
learning_rate = 0.001
momentum = 0.9
nesterov = false

[schedule]
name = "constant"
warmup = 0.0

[batch]
size = 64
""")


def build() -> nn.Module:
    return nn.Sequential(nn.Linear(10, 50), nn.ReLU(), nn.Linear(50, 10))


def data(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten numbers from ten: a fixed smooth function of each row, and a little noise."""
    mixing = np.random.default_rng(0).normal(size=(10, 10)) / np.sqrt(10)
    generator = np.random.default_rng([1, seed])
    inputs = generator.normal(size=(rows, 10))
    targets = np.sin(2 * inputs @ mixing) + 0.1 * generator.normal(size=(rows, 10))
    return inputs.astype("float32"), targets.astype("float32")


def task(epochs: float) -> sf.Task:
    return sf.Task(
        model=build,
        train=data(2000, seed=0),
        validation=data(500, seed=1),
        test=data(500, seed=2),
        loss="mean_squared_error",
        epochs=epochs,
        name="10-50-10",
    )


def by_hand(epochs: int) -> float:
    """The plain loop: nothing is measured on the way, and the last weights are the result."""
    torch.manual_seed(0)
    inputs, targets = (torch.from_numpy(values) for values in data(2000, seed=0))
    model = build()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs)).split(64):
            loss = nn.functional.mse_loss(model(inputs[rows]), targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    inputs, targets = (torch.from_numpy(values) for values in data(500, seed=2))
    with torch.no_grad():
        return float(nn.functional.mse_loss(model(inputs), targets))


def main(epochs: int = 100) -> dict[str, float]:
    """Train three times and give back the test losses."""
    found = {"by hand": by_hand(epochs)}
    found["with Surefoot"] = sf.fit(task(epochs), RECIPE, verbose=True).metrics["test_loss"]
    faster = RECIPE.with_changes({"optimizer.learning_rate": 0.01})
    found["at ten times the rate"] = sf.fit(task(epochs), faster).metrics["test_loss"]
    for name, loss in found.items():
        print(f"{name:<22} test loss {loss:.4f}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=100)
    main(parser.parse_args().epochs)
