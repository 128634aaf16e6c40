"""Small problems of many kinds for ``benchmarks.rate_sweeps``: tables, pictures, text, ratings, in few weights."""

from __future__ import annotations

import itertools
import math
import pydoc_data.topics
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor
from torch.nn import functional

__all__ = ["PROBLEMS", "Problem"]

Weights = dict[str, Tensor]
Rows = tuple[Tensor, Tensor]
WIDTH, LETTERS, LENGTH = 24, 64, 16


@dataclass(frozen=True)
class Problem:
    """A model and its rows.

    Attributes:
        shapes: of the weights, and how large each begins (the deviation of a normal).
        output: of weights and inputs.
        train, validation: inputs and targets; whole numbers are classes.
        epochs, batch: of a training.
    """

    shapes: dict[str, tuple[tuple[int, ...], float]]
    output: Callable[[Weights, Tensor], Tensor]
    train: Rows
    validation: Rows
    epochs: int
    batch: int

    @property
    def is_classes(self) -> bool:
        """Whether targets are classes."""
        return not self.train[1].is_floating_point()

    def loss(self, weights: Weights, inputs: Tensor, targets: Tensor) -> Tensor:
        """The mean over rows."""
        found = self.output(weights, inputs)
        if self.is_classes:
            return functional.cross_entropy(found.flatten(0, -2), targets.flatten())
        return functional.mse_loss(found, targets)

    def accuracy(self, weights: Weights, inputs: Tensor, targets: Tensor) -> Tensor:
        """The share of rows whose class is right."""
        return (self.output(weights, inputs).argmax(-1) == targets).float().mean()


def dense(
    sizes: tuple[int, ...], activation: Callable[[Tensor], Tensor], gain: float = math.sqrt(2.0)
) -> tuple[dict[str, tuple[tuple[int, ...], float]], Callable[[Weights, Tensor], Tensor]]:
    shapes: dict[str, tuple[tuple[int, ...], float]] = {}
    for place, (before, after) in enumerate(itertools.pairwise(sizes)):
        shapes[f"w{place}"] = ((before, after), gain / math.sqrt(before))
        shapes[f"b{place}"] = ((after,), 0.0)

    def output(weights: Weights, inputs: Tensor) -> Tensor:
        for place in range(len(sizes) - 1):
            inputs = inputs @ weights[f"w{place}"] + weights[f"b{place}"]
            inputs = activation(inputs) if place < len(sizes) - 2 else inputs
        return inputs

    return shapes, output


def split(inputs: np.ndarray, targets: np.ndarray, *, seed: int) -> tuple[Rows, Rows]:
    """Two thirds to learn from; numbers of both in deviations from their means."""
    order = np.random.default_rng(seed).permutation(len(inputs))
    inputs = (inputs - inputs.mean(0)) / (inputs.std(0) + 1e-2)
    numbers = targets.dtype.kind == "f"
    targets = (targets - targets.mean(0)) / (targets.std(0) + 1e-2) if numbers else targets.astype(np.int64)
    targets = targets[:, None] if numbers and targets.ndim == 1 else targets
    made = torch.tensor(inputs[order], dtype=torch.float32), torch.tensor(targets[order])
    made = (made[0], made[1].float() if numbers else made[1])
    cut = 2 * len(inputs) // 3
    return (made[0][:cut], made[1][:cut]), (made[0][cut:], made[1][cut:])


def of_digits(seed: int) -> Problem:
    found = datasets.load_digits()
    return Problem(*dense((64, 64, 10), torch.relu), *split(found.data, found.target, seed=seed), 40, 32)


def deep(seed: int) -> Problem:
    found = datasets.load_digits()
    network = dense((64, *(WIDTH,) * 6, 10), torch.tanh, 1.0)
    return Problem(*network, *split(found.data, found.target, seed=seed), 20, 16)


def of_cancer(seed: int) -> Problem:
    found = datasets.load_breast_cancer()
    return Problem(*dense((30, 16, 2), torch.relu), *split(found.data, found.target, seed=seed), 60, 16)


def of_diabetes(seed: int) -> Problem:
    found = datasets.load_diabetes()
    return Problem(*dense((10, 32, 1), torch.tanh, 1.0), *split(found.data, found.target, seed=seed), 50, 16)


def linear(seed: int) -> Problem:
    """Ridge-like regression whose inputs have very different lengths along their directions."""
    draw = np.random.default_rng(seed)
    inputs = draw.normal(size=(1500, 40)) @ (draw.normal(size=(40, 40)) * np.logspace(0, -1.5, 40))
    targets = inputs @ draw.normal(size=40) + 0.5 * draw.normal(size=1500)
    return Problem(*dense((40, 1), torch.relu, 0.0), *split(inputs, targets, seed=seed), 30, 32)


def teacher(seed: int) -> Problem:
    draw = np.random.default_rng(seed)
    inputs = draw.normal(size=(3000, 12))
    targets = np.maximum(inputs @ draw.normal(size=(12, 8)), 0.0) @ draw.normal(size=(8, 3))
    targets += 0.3 * draw.normal(size=targets.shape)
    return Problem(*dense((12, 48, 48, 3), torch.relu), *split(inputs, targets, seed=seed), 25, 64)


def spirals(seed: int) -> Problem:
    draw = np.random.default_rng(seed)
    turn, which = np.sqrt(draw.uniform(size=1800)) * 9.0, draw.integers(0, 2, size=1800)
    along = np.stack([np.cos(turn + np.pi * which), np.sin(turn + np.pi * which)], axis=1) * turn[:, None]
    inputs = along + 0.35 * draw.normal(size=along.shape)
    return Problem(*dense((2, 32, 32, 2), torch.relu), *split(inputs, which, seed=seed), 50, 64)


def bottleneck(seed: int) -> Problem:
    """Digits from six numbers each."""
    pixels = datasets.load_digits().data / 16.0
    train, validation = split(pixels, pixels, seed=seed)
    return Problem(
        *dense((64, 48, 6, 48, 64), torch.relu), (train[0], train[0]), (validation[0], validation[0]), 40, 64
    )


def convolutions(seed: int) -> Problem:
    found = datasets.load_digits()
    shapes = {
        "c0": ((8, 1, 3, 3), math.sqrt(2 / 9)),
        "c1": ((16, 8, 3, 3), math.sqrt(2 / 72)),
        "w": ((64, 10), 0.1),
        "b": ((10,), 0.0),
    }

    def output(weights: Weights, inputs: Tensor) -> Tensor:
        found = functional.conv2d(inputs.unflatten(-1, (1, 8, 8)), weights["c0"], padding=1).relu()
        found = functional.conv2d(found, weights["c1"], padding=1, stride=2).relu()
        return functional.avg_pool2d(found, 2).flatten(-3) @ weights["w"] + weights["b"]

    return Problem(shapes, output, *split(found.data, found.target, seed=seed), 24, 64)


def ratings(seed: int) -> Problem:
    """Users and things with five hidden tastes, a fifth of all pairs rated."""
    draw = np.random.default_rng(seed)
    truth = draw.normal(size=(150, 5)) @ draw.normal(size=(5, 100)) / math.sqrt(5) + 0.3 * draw.normal(size=(150, 100))
    pairs = np.argwhere(draw.uniform(size=truth.shape) < 0.3)
    rated = torch.tensor(truth[pairs[:, 0], pairs[:, 1]], dtype=torch.float32)
    order = torch.tensor(draw.permutation(len(pairs)))
    known, cut = torch.tensor(pairs)[order], 2 * len(pairs) // 3
    shapes = {"users": ((150, 8), 0.1), "things": ((100, 8), 0.1)}

    def output(weights: Weights, inputs: Tensor) -> Tensor:
        return (weights["users"][inputs[:, 0]] * weights["things"][inputs[:, 1]]).sum(-1)

    return Problem(shapes, output, (known[:cut], rated[order][:cut]), (known[cut:], rated[order][cut:]), 40, 64)


def words(seed: int) -> Problem:
    """Topics of bags of rare words."""
    draw = np.random.default_rng(seed)
    often = 1.0 / np.arange(1, 401)
    topics = draw.integers(0, 12, size=2400)
    tilt = np.exp(0.8 * draw.normal(size=(12, 400)))
    counts = np.stack([draw.multinomial(20, often * tilt[one] / (often * tilt[one]).sum()) for one in topics])
    inputs, targets = torch.tensor(counts, dtype=torch.float32), torch.tensor(topics)
    return Problem(
        *dense((400, 12), torch.relu, 0.1), (inputs[:1600], targets[:1600]), (inputs[1600:], targets[1600:]), 30, 32
    )


def letters(seed: int) -> tuple[Rows, Rows]:
    """Python's own help texts, the next letter of each."""
    text = "".join(value for _, value in sorted(pydoc_data.topics.topics.items()))[:300_000].lower()
    codes = torch.tensor([min(ord(one), 127) % LETTERS for one in text])
    draw = torch.Generator().manual_seed(seed)
    starts = torch.randperm(len(codes) // LENGTH - 1, generator=draw)[:1600] * LENGTH
    rows = torch.stack([codes[start : start + LENGTH + 1] for start in starts.tolist()])
    return (rows[:1200, :-1], rows[:1200, 1:]), (rows[1200:, :-1], rows[1200:, 1:])


def attending(seed: int) -> Problem:
    """One block of attention over letters."""
    small = 1.0 / math.sqrt(WIDTH)
    shapes = {"letters": ((LETTERS, WIDTH), 1.0), "places": ((LENGTH, WIDTH), 0.3), "w": ((WIDTH, LETTERS), small)}
    shapes |= {"qkv": ((WIDTH, 3 * WIDTH), small), "up": ((WIDTH, 64), small), "down": ((64, WIDTH), small / 2)}

    def output(weights: Weights, inputs: Tensor) -> Tensor:
        state = weights["letters"][inputs] + weights["places"]
        query, key, value = (functional.layer_norm(state, (WIDTH,)) @ weights["qkv"]).chunk(3, -1)
        scores = query @ key.transpose(-1, -2) * small
        later = torch.ones(LENGTH, LENGTH, dtype=torch.bool, device=inputs.device).triu(1)
        state = state + scores.masked_fill(later, -1e9).softmax(-1) @ value
        state = state + (functional.layer_norm(state, (WIDTH,)) @ weights["up"]).relu() @ weights["down"]
        return functional.layer_norm(state, (WIDTH,)) @ weights["w"]

    return Problem(shapes, output, *letters(seed + 1), 20, 32)


PROBLEMS: dict[str, Callable[[int], Problem]] = {
    "digits": of_digits,
    "deep tanh": deep,
    "cancer": of_cancer,
    "diabetes": of_diabetes,
    "linear": linear,
    "teacher": teacher,
    "spirals": spirals,
    "bottleneck": bottleneck,
    "convolutions": convolutions,
    "ratings": ratings,
    "words": words,
    "attending": attending,
}
