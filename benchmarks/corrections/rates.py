"""Rates: where the good ones lie by optimizer, and divergence by the rate told from explosion by the Jacobians."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import median
from typing import Any

import surefoot as sf
from benchmarks.corrections.tables import markdown, spread
from surefoot import tasks

__all__ = ["grid", "two_ways_to_blow_up"]

SEEDS = range(3)
RATES = (1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)


def grid() -> str:
    """Test loss on digits over optimizer, rate and schedule."""
    task = tasks.builtin("digits")
    rows = []
    for optimizer in ("sgd", "adam"):
        for schedule in ("constant", "cosine"):
            losses = []
            for rate in RATES:
                recipe = sf.Recipe(
                    optimizer={"name": optimizer, "learning_rate": rate},
                    schedule={"name": schedule},
                    batch={"size": 16},
                )
                found = [sf.fit(task, recipe, seed=seed).metrics.get("test_loss") for seed in SEEDS]
                finite = [loss for loss in found if loss is not None and math.isfinite(loss)]
                losses.append(spread(finite) if len(finite) == len(found) else "diverged")
            rows.append([f"{optimizer}, {schedule}", *losses])
    return markdown(["", *(f"{rate:g}" for rate in RATES)], rows)


def two_ways_to_blow_up() -> str:
    """A shallow network at too high a rate, and a deep one with too large a start, under the two remedies."""
    rows = []
    for name, depth, gain, rate in CASES:
        firsts: list[float] = []
        ends: dict[str, list[float]] = {way: [] for way in WAYS}
        for seed in range(5):
            for way, (factor, bound) in WAYS.items():
                first, end = _trained(depth=depth, gain=gain, rate=rate * factor, bound=bound, seed=seed)
                ends[way].append(end)
            firsts.append(first)
        cells = [_said(values) for values in ends.values()]
        rows.append([name, f"{median(firsts):.2g}", *cells])
    return markdown(["", "gradient norm before any step", *WAYS], rows)


CASES = (  # layers, how many times the weights that keep a signal's size, rate
    ("rate too high: 2 layers, rate 3", 2, 1.0, 3.0),
    ("start too large: 20 layers, weights 1.5 times Kaiming's, rate 0.03", 20, 1.5, 0.03),
    ("the same, Kaiming's weights", 20, 1.0, 0.03),
)
WAYS: dict[str, tuple[float, float | None]] = {
    "as it is": (1.0, None),
    "a tenth of the rate": (0.1, None),
    "a hundredth": (0.01, None),
    "clipped to norm 1": (1.0, 1.0),
}


def _said(losses: list[float]) -> str:
    lost = sum(not math.isfinite(loss) for loss in losses)
    if lost:
        return f"not finite in {lost} of {len(losses)}"
    return f"{median(losses):.3g} ({min(losses):.3g} to {max(losses):.3g})"


def _trained(*, depth: int, gain: float, rate: float, bound: float | None, seed: int) -> tuple[float, float]:
    """The norm of the first gradient, and the training loss after 300 steps of plain descent on digits."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    inputs, labels = (torch.as_tensor(part) for part in tasks.builtin("digits").train)
    network = nn.Sequential(*_layers(depth, gain), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(network.parameters(), lr=rate)
    first = 0.0
    for step in range(300):
        rows = torch.randint(len(labels), (64,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(inputs[rows]), labels[rows]).backward()
        norm = float(nn.utils.clip_grad_norm_(network.parameters(), bound or math.inf))
        first = norm if step == 0 else first
        if not math.isfinite(norm):
            return first, math.inf
        optimizer.step()
    with torch.no_grad():
        return first, float(nn.functional.cross_entropy(network(inputs), labels))


def _layers(depth: int, gain: float) -> Iterator[Any]:
    """Layers of 64 ReLU units whose weights are ``gain`` times what keeps the signal's size."""
    from torch import nn

    for _ in range(depth):
        layer = nn.Linear(64, 64)
        nn.init.normal_(layer.weight, std=gain * math.sqrt(2 / 64))
        nn.init.zeros_(layer.bias)
        yield from (layer, nn.ReLU())
