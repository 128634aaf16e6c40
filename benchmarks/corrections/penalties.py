"""Penalties: whose λ is which, what a larger batch does to scikit-learn's, zeros by L1, and decay under Adam."""

from __future__ import annotations

import numpy as np

import surefoot as sf
from benchmarks.corrections.tables import markdown, spread
from surefoot import tasks

__all__ = ["alpha_by_batch", "decay_under_adam", "zeros"]

STEPS, ALPHA, SMALL, LARGE = 6_000, 1.0, 32, 512


def alpha_by_batch() -> str:
    """scikit-learn's MLP after as many steps with small and with large batches, alpha left and scaled."""
    ways = {
        f"batch {SMALL}, alpha {ALPHA:g}": (SMALL, ALPHA),
        f"batch {LARGE}, alpha {ALPHA:g}": (LARGE, ALPHA),
        f"batch {LARGE}, alpha {ALPHA * LARGE / SMALL:g}": (LARGE, ALPHA * LARGE / SMALL),
    }
    rows = []
    for name, (batch, alpha) in ways.items():
        found = {
            solver: [_squared_weights(solver, batch, alpha, seed=seed) for seed in range(3)]
            for solver in ("sgd", "adam")
        }
        rows.append([name, *(spread(values, ".1f") for values in found.values())])
    return markdown(["", "‖W‖², solver sgd", "‖W‖², solver adam"], rows)


def _squared_weights(solver: str, batch: int, alpha: float, *, seed: int) -> float:
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    inputs, labels = load_digits(return_X_y=True)
    inputs = inputs / 16
    network = MLPClassifier((32,), solver=solver, alpha=alpha, batch_size=batch, random_state=seed)
    generator = np.random.default_rng(seed)
    for _ in range(STEPS):
        rows = generator.choice(len(inputs), batch, replace=False)
        network.partial_fit(inputs[rows], labels[rows], classes=range(10))
    return float(sum((weights**2).sum() for weights in network.coefs_))


def zeros() -> str:
    """The share of weights that are exactly zero, by how L1 is taken."""
    task = tasks.builtin("digits")
    rows = []
    for method in ("gradient", "proximal"):
        recipe = sf.Recipe(
            optimizer={"name": "sgd", "learning_rate": 0.02},
            batch={"size": 16},
            regularization={"l1": 1e-3, "l1_method": method},
        )
        results = [sf.fit(task, recipe, seed=seed) for seed in range(5)]
        weights = [
            np.concatenate([each.detach().numpy().ravel() for each in result.model.parameters() if each.ndim > 1])
            for result in results
        ]
        exact = [100 * float(np.mean(values == 0)) for values in weights]
        small = [100 * float(np.mean(np.abs(values) < 1e-3)) for values in weights]
        accuracy = [result.metrics["test_accuracy"] for result in results]
        rows.append([method, spread(exact, ".1f"), spread(small, ".1f"), spread(accuracy)])
    return markdown(["L1 as a", "exactly 0, %", "below 0.001, %", "test accuracy"], rows)


def decay_under_adam() -> str:
    """A weight's decay when its gradient is large and when it is small: two inputs of unlike scale, one λ."""
    rows = []
    for name, decay in (("L2 in the loss (adam)", 0.1), ("decoupled (adamw)", 0.1)):
        found = [_shrinkage(name.endswith("(adamw)"), decay, seed=seed) for seed in range(5)]
        rows.append([name, *(spread([each[place] for each in found]) for place in (0, 1))])
    return markdown(["λ = 0.1, rate 0.001, 1,000 steps", "‖w‖ kept, gradients of 10", "gradients of 0.1"], rows)


def _shrinkage(is_decoupled: bool, decay: float, *, seed: int) -> list[float]:
    """What is left of weights whose gradient is noise around zero, of size 10 and of size 0.1."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    weights = [torch.nn.Parameter(torch.full((500,), 1.0)) for _ in range(2)]
    kind = torch.optim.AdamW if is_decoupled else torch.optim.Adam
    optimizer = kind(weights, lr=1e-3, weight_decay=decay)
    for _ in range(1_000):
        for each, size in zip(weights, (10.0, 0.1), strict=True):
            each.grad = size * torch.randn(500, generator=generator)
        optimizer.step()
    return [float(each.detach().mean()) for each in weights]
