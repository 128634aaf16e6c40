"""Batch sizes, with the rate and the decay chosen anew for each: quality, steps, samples and seconds apart."""

from __future__ import annotations

import itertools
import time
from functools import lru_cache
from statistics import fmean
from typing import Any

import numpy as np

import surefoot as sf
from benchmarks.corrections.tables import markdown, spread
from surefoot import tasks

__all__ = ["noise_by_width", "noise_scales", "sampling_variance", "sizes", "steps_to_accuracy"]

SEEDS = range(3)
SIZES = (16, 64, 256)
RATES = (0.00625, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4)
DECAYS = (0.0, 1e-3)
EPOCHS = 20
WANTED = 0.95


def _recipe(size: int, rate: float, decay: float) -> sf.Recipe:
    return sf.Recipe(optimizer={"name": "sgd", "learning_rate": rate, "weight_decay": decay}, batch={"size": size})


@lru_cache
def _trained(size: int, rate: float, decay: float, epochs: float) -> tuple[tuple[Any, ...], float]:
    """The results of the digits task for each seed, and the seconds of the fastest."""
    task = tasks.builtin("digits")
    task.epochs = epochs
    results, seconds = [], []
    for seed in SEEDS:
        begin = time.perf_counter()
        results.append(sf.fit(task, _recipe(size, rate, decay), seed=seed))
        seconds.append(time.perf_counter() - begin)
    return tuple(results), min(seconds)


def _chosen(size: int, epochs: float) -> tuple[float, float]:
    """The rate and the decay with the lowest mean validation loss of the seeds."""

    def judged(pair: tuple[float, float]) -> float:
        losses = [result.metrics.get("validation_loss") for result in _trained(size, *pair, epochs)[0]]
        return fmean(loss if loss is not None and np.isfinite(loss) else np.inf for loss in losses)

    return min(itertools.product(RATES, DECAYS), key=judged)


def sizes() -> str:
    """Test loss by batch: as many samples at the small batch's rate, retuned, and as many steps, retuned."""
    small = _chosen(SIZES[0], EPOCHS)
    rows = []
    for size in SIZES:
        ways = [
            ("same samples, the rate of 16", EPOCHS, small),
            ("same samples, retuned", EPOCHS, _chosen(size, EPOCHS)),
        ]
        if size != SIZES[0]:
            epochs = EPOCHS * size / SIZES[0]
            ways.append(("same steps, retuned", epochs, _chosen(size, epochs)))
        for name, epochs, (rate, decay) in ways:
            results, seconds = _trained(size, rate, decay, epochs)
            run = results[0].study.runs[0]
            losses = [result.metrics.get("test_loss", np.nan) for result in results]
            right = [result.metrics.get("test_accuracy", np.nan) for result in results]
            cells = [f"{rate:g}", f"{decay:g}", f"{run.steps:,}", f"{run.samples:,}", f"{seconds:.1f}"]
            rows.append([size, name, *cells, spread(losses), spread(right)])
    header = ["batch", "", "rate", "decay", "steps", "samples", "seconds", "test loss", "test accuracy"]
    return markdown(header, rows)


def steps_to_accuracy() -> str:
    """Steps, samples and seconds to a validation accuracy, at each batch's own rate."""
    rows = []
    for size in SIZES:
        results, _ = _trained(size, *_chosen(size, EPOCHS), EPOCHS)
        reached = []
        for result in results:
            run = result.study.runs[0]
            looks = [look for look in run.evaluations if look.metrics["validation_accuracy"] >= WANTED]
            if looks:
                reached.append((looks[0].samples, run.seconds * looks[0].samples / run.samples))
        if len(reached) < len(results):
            rows.append([size, "not by all", "", ""])
            continue
        samples = [first for first, _ in reached]
        steps = [count / size for count in samples]
        rows.append([size, spread(steps, ".0f"), spread(samples, ".0f"), spread([last for _, last in reached], ".2f")])
    return markdown(["batch", f"steps to {WANTED:.0%}", "samples", "seconds"], rows)


def sampling_variance() -> str:
    """How far a batch's class shares and gradient lie from those of all rows."""
    task = tasks.builtin("digits")
    inputs, labels = task.train
    shares = np.bincount(labels, minlength=10) / len(labels)
    rows = []
    for size in (8, 32, 128, 512):
        generator = np.random.default_rng(0)
        misses, noise = [], []
        for _ in range(400):
            drawn = generator.integers(len(labels), size=size)
            misses.append(float(((np.bincount(labels[drawn], minlength=10) / size - shares) ** 2).sum()))
            noise.append(float(((inputs[drawn].mean(0) - inputs.mean(0)) ** 2).sum()))
        rows.append([size, f"{fmean(misses):.5f}", f"{size * fmean(misses):.3f}", f"{size * fmean(noise):.1f}"])
    header = ["batch", "squared error of the class shares", "times the batch", "of the mean image, times the batch"]
    return markdown(header, rows)


def noise_by_width() -> str:
    """The noise scale at the beginning and late, of networks whose width differs by sixteen."""
    rows = []
    for width in (32, 128, 512):
        found: dict[float, list[float]] = {0.5: [], 0.1: []}
        count = 0
        for seed in SEEDS:
            scales, count = noise_scales(width, tuple(found), seed=seed)
            for level, scale in scales.items():
                found[level].append(scale)
        rows.append([width, f"{count:,}", *(spread(values, ".0f") for values in found.values())])
    return markdown(["hidden units", "parameters", "noise scale at a training loss of 0.5", "of 0.1"], rows)


def noise_scales(width: int, levels: tuple[float, ...], *, seed: int) -> tuple[dict[float, float], int]:
    """S/‖G‖² over all training rows, each time the training loss first falls below a level."""
    import torch
    from torch import nn
    from torch.func import functional_call, grad, vmap

    torch.manual_seed(seed)
    inputs, labels = (torch.as_tensor(part) for part in tasks.builtin("digits").train)
    network = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)

    def loss(weights: Any, row: Any, label: Any) -> Any:
        return nn.functional.cross_entropy(functional_call(network, weights, (row[None],)), label[None])

    found: dict[float, float] = {}
    while len(found) < len(levels):
        with torch.no_grad():
            now = float(nn.functional.cross_entropy(network(inputs), labels))
        if now < levels[len(found)]:
            weights = {name: each.detach() for name, each in network.named_parameters()}
            single = vmap(grad(loss), in_dims=(None, 0, 0))(weights, inputs, labels)
            flat = torch.cat([each.flatten(1) for each in single.values()], dim=1)
            found[levels[len(found)]] = float(flat.var(0).sum() / flat.mean(0).square().sum())
            continue
        rows = torch.randint(len(labels), (32,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(inputs[rows]), labels[rows]).backward()
        optimizer.step()
    return found, sum(each.numel() for each in network.parameters())
