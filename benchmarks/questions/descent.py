"""Descent where all can be computed: why a rate has an edge, and why a batch has a cloud."""

from __future__ import annotations

import numpy as np

from benchmarks.questions.drawing import BLUE, GREY, ORANGE, Drawing, panels
from surefoot import tasks

__all__ = ["noise", "stability"]

STEPS = 20


def stability() -> Drawing:
    """Distances from the bottom of a parabola of curvature 1, at four rates."""
    figure, axes = panels(4, height=1.9)
    slopes = np.linspace(-2.2, 2.2, 60)
    said = []
    for panel, rate in zip(axes, (0.1, 1.0, 1.9, 2.1), strict=True):
        places = [2.0]
        for _ in range(STEPS if rate < 2 else 6):
            places.append(places[-1] - rate * places[-1])
        path = np.array(places)
        panel.plot(1.7 * slopes, 0.5 * (1.7 * slopes) ** 2, color=GREY, lw=1)
        panel.plot(path, 0.5 * path**2, "o-", color=ORANGE if rate > 2 else BLUE, lw=1, ms=3)
        panel.set(title=f"{rate:g} / curvature", xticks=[], yticks=[], ylim=(-0.4, 7))
        said.append(f"{rate:g}: {abs(path[-1]):.2g} after {len(path) - 1} steps")
    return Drawing(figure, ", ".join(said))


def noise() -> Drawing:
    """The last steps of descent on a line through two columns of diabetes, by batch, at one constant rate."""
    found, targets = (np.asarray(part, dtype=float) for part in tasks.builtin("diabetes").train)
    inputs, targets = found[:, [2, 8]], targets.reshape(-1)
    bottom = np.linalg.lstsq(inputs, targets, rcond=None)[0]
    figure, axes = panels(3, height=2.6)
    said = []
    for panel, size in zip(axes, (1, 16, len(targets)), strict=True):
        path = _path(inputs, targets, size)
        panel.plot(*path.T, color=BLUE, lw=0.5, alpha=0.8)
        panel.plot(*bottom, "+", color=ORANGE, ms=10, mew=2)
        panel.set(title=f"batch {size}", xlim=(-0.1, 0.75), ylim=(-0.1, 0.75), xticks=[], yticks=[])
        panel.set_aspect("equal")
        spread = float(((path[100:] - bottom) ** 2).sum(1).mean() ** 0.5)
        said.append(f"batch {size}: {spread:.4f} from the bottom")
    axes[0].set_xlabel("weight of body mass")
    axes[0].set_ylabel("weight of s5")
    return Drawing(figure, ", ".join(said))


def _path(inputs: np.ndarray, targets: np.ndarray, size: int) -> np.ndarray:
    """The weights after each of 400 steps of rate 0.05 on random rows."""
    generator = np.random.default_rng(0)
    weights = np.zeros(2)
    places = [weights]
    for _ in range(400):
        rows = generator.choice(len(targets), size, replace=False)
        weights = weights - 0.05 * inputs[rows].T @ (inputs[rows] @ weights - targets[rows]) / size
        places.append(weights)
    return np.array(places)
