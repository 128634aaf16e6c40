"""Sweeps over the learning rate on small problems of many kinds, whose curves the judgement of rates is fitted on.

    python -m benchmarks.rate_sweeps [PROBLEM ...] [--device cuda] [--into FILE]

For each problem (``benchmarks.rate_problems``) and optimizer 21 rates, a quarter of a decade apart, with a constant
rate and with a cosine to zero, from the same first weights and with the same batches; all 42 trainings are one stack.
A line of JSON each: the training loss as the mean over each epoch and as measured after it, validation loss and
accuracy, the last three with their values before the first step. Kept in ``benchmarks/results/rate_sweeps.jsonl.gz``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

from benchmarks.rate_problems import PROBLEMS, Problem, Weights

KEPT = Path(__file__).parent / "results" / "rate_sweeps.jsonl.gz"
# The lowest rate of each, as a power of ten.
LOWEST = {"sgd": -3.5, "momentum": -4.5, "adam": -5.0, "rmsprop": -5.0}
RATES, PER_DECADE = 21, 4
MOST_ROWS = 600  # of the training rows, to measure the loss on


def unpacked(flat: Tensor, problem: Problem) -> Weights:
    weights, place = {}, 0
    for name, (shape, _) in problem.shapes.items():
        size = math.prod(shape)
        weights[name] = flat[place : place + size].view(shape)
        place += size
    return weights


def stacked(problem: Problem, of: Callable[[Weights, Tensor, Tensor], Tensor]) -> Callable[[Tensor, Any, Any], Tensor]:
    """A function of the weights of all trainings at once."""
    return vmap(lambda flat, inputs, targets: of(unpacked(flat, problem), inputs, targets), in_dims=(0, None, None))


def stepped(name: str, slope: Tensor, mean: Tensor, square: Tensor, step: int) -> Tensor:
    """The direction of a step for a rate of one; the two averages are written over."""
    if name == "sgd":
        return slope
    if name == "momentum":
        return mean.mul_(0.9).add_(slope)
    if name == "rmsprop":
        return slope / (square.mul_(0.99).addcmul_(slope, slope, value=0.01).sqrt() + 1e-8)
    mean.mul_(0.9).add_(slope, alpha=0.1)
    square.mul_(0.999).addcmul_(slope, slope, value=0.001)
    return (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)


def sweep(name: str, optimizer: str, *, seed: int, device: str) -> Iterator[dict[str, Any]]:
    problem = PROBLEMS[name](seed)
    draw = torch.Generator().manual_seed(seed)
    first = torch.cat([scale * torch.randn(math.prod(s), generator=draw) for s, scale in problem.shapes.values()])
    rates = [10.0 ** (LOWEST[optimizer] + place / PER_DECADE) for place in range(RATES)]
    settings = [(schedule, rate) for schedule in ("constant", "cosine") for rate in rates]
    flat = first.to(device).repeat(len(settings), 1).requires_grad_()
    base = torch.tensor([rate for _, rate in settings], device=device)
    decays = torch.tensor([schedule == "cosine" for schedule, _ in settings], device=device)
    train, validation = (tuple(part.to(device) for part in rows) for rows in (problem.train, problem.validation))
    loss, accuracy = stacked(problem, problem.loss), stacked(problem, problem.accuracy)
    count, mean, square, step = len(train[0]), torch.zeros_like(flat), torch.zeros_like(flat), 0
    num_steps = problem.epochs * (count // problem.batch)
    looks: dict[str, list[Tensor]] = {"mean": [], "train": [], "validation": [], "accuracy": []}

    def look() -> None:
        with torch.no_grad():
            looks["train"].append(loss(flat, train[0][:MOST_ROWS], train[1][:MOST_ROWS]))
            looks["validation"].append(loss(flat, *validation))
            if problem.is_classes:
                looks["accuracy"].append(accuracy(flat, *validation))

    look()
    for _ in range(problem.epochs):
        order, losses = torch.randperm(count, generator=draw), []
        for chosen in order[: count // problem.batch * problem.batch].split(problem.batch):
            chosen = chosen.to(device)
            found = loss(flat, train[0][chosen], train[1][chosen])
            losses.append(found.detach())
            (slope,) = torch.autograd.grad(found.sum(), flat)
            left = 0.5 * (1.0 + math.cos(math.pi * step / num_steps))
            step += 1
            with torch.no_grad():
                length = base * torch.where(decays, left, 1.0)
                flat -= length[:, None] * stepped(optimizer, slope, mean, square, step)
        looks["mean"].append(torch.stack(losses).mean(0))
        look()
    series = {key: torch.stack(values).T.tolist() for key, values in looks.items() if values}
    for place, (schedule, rate) in enumerate(settings):
        about = {"problem": name, "optimizer": optimizer, "schedule": schedule, "rate": rate}
        yield about | {key: [float(f"{one:.4g}") for one in values[place]] for key, values in series.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problems", nargs="*", default=list(PROBLEMS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--into", type=Path, default=KEPT)
    parser.add_argument("--only", nargs="*", default=list(LOWEST), help="optimizers")
    given = parser.parse_args()
    with gzip.open(given.into, "wt") as lines:
        for name in given.problems:
            for optimizer in given.only:
                started = time.perf_counter()
                for row in sweep(name, optimizer, seed=list(LOWEST).index(optimizer), device=given.device):
                    print(json.dumps(row), file=lines)
                print(f"{name}, {optimizer}: {time.perf_counter() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
