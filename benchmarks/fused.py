"""Runs per second: stacked as one model, and one by one.

``python -m benchmarks.fused [--runs 8 32 128] [--rounds 5] [--epochs 20]``. A run is a whole candidate of a study: the
digits network at batch 16, with a rate and a seed of its own, built, trained, looked at after every epoch. A round
times both in turn, the single ones over eight runs, and takes the ratio, so that what slows the machine for a while
slows both. Where CUDA is there, the same on it, with fewer rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch

from surefoot import Task
from surefoot.engine import TorchFactory
from surefoot.protocols import Candidate
from surefoot.recipe import Recipe
from surefoot.tasks import resolve
from surefoot.training import Conditions, train, train_together

TARGET = 4.0  # at 32 runs on two cores
SINGLE = 8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[8, 32, 128])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=float, default=20)
    parser.add_argument("--optimizer", default="adamw")
    arguments = parser.parse_args()
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, {arguments.epochs:g} epochs of digits")
    missed = False
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        for count in arguments.runs:
            rounds = arguments.rounds if device == "cpu" else min(arguments.rounds, 3)
            ratio = measure(device, count, rounds=rounds, epochs=arguments.epochs, optimizer=arguments.optimizer)
            missed = missed or (device == "cpu" and count == 32 and ratio < TARGET)
    return int(missed)


def measure(device: str, count: int, *, rounds: int, epochs: float, optimizer: str) -> float:
    """Print a line; the median ratio."""
    factory = factory_on(device, epochs)
    seconds_of(factory, 2, optimizer, together=True)
    seconds_of(factory, 1, optimizer, together=False)
    pairs = [
        (
            seconds_of(factory, min(count, SINGLE), optimizer, together=False),
            seconds_of(factory, count, optimizer, together=True),
        )
        for _ in range(rounds)
    ]
    ratios = [alone / stacked for alone, stacked in pairs]
    alone, stacked = (1.0 / statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"{device:4} {count:4} runs: {stacked:7.2f} a second stacked, {alone:6.2f} one by one; "
        f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f} over {rounds} rounds)",
        flush=True,
    )
    return statistics.median(ratios)


def factory_on(device: str, epochs: float) -> TorchFactory:
    digits = resolve("digits", epochs=epochs)
    if device == "cpu":
        return TorchFactory(digits)
    return TorchFactory(
        Task(
            lambda **chosen: digits.model(**chosen).to(device),
            digits.train,
            validation=digits.validation,
            epochs=epochs,
        )
    )


def seconds_of(factory: TorchFactory, count: int, optimizer: str, *, together: bool) -> float:
    """Seconds a run."""
    candidates = [candidate_of(factory, number, optimizer) for number in range(count)]
    conditions = Conditions(factory.num_rows, factory.training_samples, factory.objective)
    started = time.perf_counter()
    if together:
        members = factory.stack([(one.recipe, one.seed) for one in candidates])
        runs: Any = train_together(members, candidates, [conditions] * count)
    else:
        runs = [train(factory.create(one.recipe, seed=one.seed), one, conditions) for one in candidates]
    passed = time.perf_counter() - started
    assert all(run.status == "completed" for run in runs)
    return passed / count


def candidate_of(factory: TorchFactory, number: int, optimizer: str) -> Candidate:
    rate = {"adamw": 1e-3, "adam": 1e-3, "sgd": 1e-2}[optimizer] * 1.02**number
    recipe = Recipe(optimizer={"name": optimizer, "learning_rate": rate, "weight_decay": 1e-3}, batch={"size": 16})
    return Candidate(number, f"run {number}", "rung", 1.0, recipe.complete(factory.num_rows), number)


if __name__ == "__main__":
    raise SystemExit(main())
