"""Pruning on a Fashion-MNIST CNN and on digits: accuracy, size, latency, beside a network small from the start.

    python -m benchmarks.pruning [TASK ...] [--share 0.1]

Three seeds, the arms of a seed in turn. Sizes are of model.safetensors as it is written, and compressed (zlib), which
is where single zeros save room; latencies are the shortest of 60 measurements that take turns, on one thread: the ones
that nothing else disturbed. A small --share of the epochs shows them soon, with accuracies that mean nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import nn

import surefoot as sf
from benchmarks.adaptive_tasks import fashion_cnn
from surefoot import tasks
from surefoot.engine.export.forms import call_times
from surefoot.tasks.models import mlp

SEEDS = range(3)
BATCHES = (1, 64)
ARMS: dict[str, tuple[dict[str, Any], int]] = {
    "as it is": ({}, 2),
    "magnitude 0.8": ({"pruning": "magnitude", "sparsity": 0.8}, 2),
    "magnitude 0.9": ({"pruning": "magnitude", "sparsity": 0.9}, 2),
    "structured 0.5": ({"pruning": "structured", "sparsity": 0.5}, 2),
    "half as wide": ({}, 1),
}


def convolutions(width: int) -> nn.Module:
    """Two strided convolutions with batch normalisation, and a hidden layer."""
    return nn.Sequential(
        nn.Conv2d(1, 8 * width, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(8 * width),
        nn.ReLU(),
        nn.Conv2d(8 * width, 16 * width, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(16 * width),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * width * 49, 64 * width),
        nn.ReLU(),
        nn.Linear(64 * width, 10),
    )


def digits(width: int) -> nn.Module:
    """The built-in network of digits where the width is 2."""
    return mlp(inputs=64, outputs=10, hidden=32 * width)


def wide(make: Callable[[], tasks.Task | None], model: Callable[..., nn.Module], epochs: float) -> tasks.Task:
    """A task's rows with another model."""
    source = make()
    assert source is not None, "the data is not here"
    parts = {"train": source.train, "validation": source.validation, "test": source.test}
    return tasks.Task(model, **parts, epochs=epochs, name=source.name)


TASKS: dict[str, Callable[[], tasks.Task]] = {
    "fashion_cnn": partial(wide, fashion_cnn, convolutions, 6),
    "digits": partial(wide, partial(tasks.builtin, "digits"), digits, 20),
}


@dataclass
class Arm:
    """What the trainings of one arm came to; the model and its sizes are those of the last seed."""

    accuracies: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    model: nn.Module = field(default_factory=nn.Identity)
    sizes: tuple[int, int] = (0, 0)


def main() -> None:
    """Print a table a task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=tuple(TASKS), metavar="TASK")
    parser.add_argument("--share", type=float, default=1.0, help="of the epochs")
    wanted = parser.parse_args()
    for name in wanted.tasks:
        task = TASKS[name]()
        task.epochs *= wanted.share
        print(f"\n{name}\n\n{table(task)}", flush=True)


def table(task: tasks.Task) -> str:
    """Train every arm with every seed; a line an arm."""
    arms = {name: Arm() for name in ARMS}
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            for name, arm in arms.items():
                train(task, arm, *ARMS[name], seed=seed, folder=Path(folder) / f"{name}-{seed}")
    assert task.test is not None, "made with one"
    modules = {name: arm.model for name, arm in arms.items()}
    calls = [latencies(modules, torch.as_tensor(task.test[0][:size])) for size in BATCHES]
    whole = next(iter(arms))
    heads = ["network", "test accuracy (seeds)", "change", "test loss", "parameters", "file, kB", "compressed, kB"]
    heads += [f"batch {size}, µs" for size in BATCHES]
    lines = [heads, ["---"] * len(heads)]
    for name, arm in arms.items():
        each = ", ".join(f"{value:.1f}" for value in arm.accuracies)
        change = fmean(arm.accuracies) - fmean(arms[whole].accuracies)
        numbers = [*zip(arm.sizes, arms[whole].sizes, strict=True), *((found[name], found[whole]) for found in calls)]
        scales = [1e3] * len(arm.sizes) + [1.0] * len(calls)
        ratios = [f"{own / scale:.0f} ({own / of:.2f})" for (own, of), scale in zip(numbers, scales, strict=True)]
        count = sum(value.numel() for value in arm.model.parameters())
        quality = [f"{fmean(arm.accuracies):.2f} ({each})", f"{change:+.2f}", f"{fmean(arm.losses):.4f}"]
        lines.append([name, *quality, f"{count:,}", *ratios])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def train(task: tasks.Task, arm: Arm, network: dict[str, Any], width: int, *, seed: int, folder: Path) -> None:
    """Train once, and add what it came to."""
    result = sf.fit(task, sf.Recipe(network=network, model={"width": width}), seed=seed, directory=folder)
    arm.accuracies.append(100 * result.metrics["test_accuracy"])
    arm.losses.append(result.metrics["test_loss"])
    arm.model = result.model.eval()
    content = (folder / "model.safetensors").read_bytes()
    arm.sizes = len(content), len(zlib.compress(content))


def latencies(models: dict[str, nn.Module], batch: torch.Tensor) -> dict[str, float]:
    """Microseconds a call."""
    torch.set_num_threads(1)
    return {arm: 1e6 * min(seconds) for arm, seconds in call_times(models, batch, repeats=60).items()}


if __name__ == "__main__":
    main()
