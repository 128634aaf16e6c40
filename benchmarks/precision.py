"""Samples a second and final loss in other precisions, with channels last and compiled, against plain float32.

    python -m benchmarks.precision [CASE ...] [--share 0.2] [--seeds 3] [--stretches 6]

A CNN and two dense networks (128 units at batch 64, 1,024 at 256) on Fashion-MNIST, a small transformer on characters
of Shakespeare; one recipe a case. A seed's trainings advance in turn, a stretch each, so that what slows the machine
for a while slows all of them; a ratio is one stretch over the plain one of its round. What a compiler takes is told
apart: it is paid before the clock starts. It runs on CUDA where that is, with batches of 512 where the case names none.
On a CPU it uses one thread and counts processor seconds: a machine that others use as well makes threads wait for each
other.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from statistics import fmean, median
from typing import Any

import torch

from benchmarks.lever_tasks import TASKS
from surefoot.engine import TorchFactory, TorchRun
from surefoot.recipe import Recipe
from surefoot.training import never

PLAIN = "float32"
ARMS: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "bf16": {"precision.name": "bf16"},
    "fp16": {"precision.name": "fp16"},
    "channels_last": {"hardware.channels_last": True},
    "compile": {"hardware.compile": True},
    "bf16, compile": {"precision.name": "bf16", "hardware.compile": True},
}
# A task, and what is set beside its recipe.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "cnn": ("fashion_cnn", {}),
    "transformer": ("transformer", {}),
    "mlp": ("fashion_mlp", {}),
    "wide_mlp": ("fashion_mlp", {"model.hidden": 1024, "batch.size": 256}),
}
CUDA_BATCH = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], metavar="CASE")
    parser.add_argument("--share", type=float, default=0.2, help="of a whole training")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--stretches", type=int, default=6)
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        torch.set_num_threads(1)
    where = torch.cuda.get_device_name() if device == "cuda" else "a CPU, one thread"
    print(f"PyTorch {torch.__version__} on {where}; {arguments.seeds} seeds, {arguments.share:g} of a training each")
    for name in arguments.cases or CASES:
        measure(name, device, share=arguments.share, seeds=arguments.seeds, stretches=arguments.stretches)


def measure(name: str, device: str, *, share: float, seeds: int, stretches: int) -> None:
    """Print a table of a case."""
    of, changes = CASES[name]
    wanted = TASKS[of] if device == "cpu" else replace(TASKS[of], batch=CUDA_BATCH)
    task = wanted.load()
    if task is None:
        print(f"{name}: its data is not here")
        return
    factory = TorchFactory(task)
    base = wanted.recipe(task).with_changes({**changes, "hardware.device": device})
    has_pictures = any(value.ndim == 4 for value in task.model().parameters())
    arms = {arm: base.with_changes(changes) for arm, changes in ARMS.items() if has_pictures or arm != "channels_last"}
    warming = {arm: _warmed(factory, recipe) for arm, recipe in arms.items()}
    rates: dict[str, list[float]] = {arm: [] for arm in arms}
    losses: dict[str, list[float]] = {arm: [] for arm in arms}
    for seed in range(seeds):
        runs = {arm: _run(factory, recipe, seed, share) for arm, recipe in arms.items()}
        for turn in range(stretches):
            order = list(runs)[turn % len(runs) :] + list(runs)[: turn % len(runs)]
            for arm in order:
                rates[arm].append(_rate(runs[arm], stretches, device))
        for arm, run in runs.items():
            losses[arm].append(run.evaluate("validation")["loss"])
    print(f"\n{name}, batch {base.batch.size}; plain: {median(rates[PLAIN]):,.0f} samples/s")
    for arm in arms:
        ratios = sorted(one / plain for one, plain in zip(rates[arm], rates[PLAIN], strict=True))
        quarter = len(ratios) // 4
        change = [one / plain - 1.0 for one, plain in zip(losses[arm], losses[PLAIN], strict=True)]
        print(
            f"  {arm:14s} {median(ratios):5.2f} times the samples/s (half of {len(ratios)} stretches between "
            f"{ratios[quarter]:.2f} and {ratios[-1 - quarter]:.2f}); validation loss {fmean(losses[arm]):.4f}, "
            f"{min(change):+.1%} to {max(change):+.1%}; first steps {warming[arm]:.1f} s",
            flush=True,
        )


def _run(factory: TorchFactory, recipe: Recipe, seed: int, share: float) -> TorchRun:
    return factory.create(recipe.complete(factory.num_rows), seed=seed, share=share)


def _warmed(factory: TorchFactory, recipe: Recipe) -> float:
    """Seconds of the first steps with every batch size of a training, which wait for a compiler."""
    started = time.perf_counter()
    factory.check(recipe)
    run, size = _run(factory, recipe, 0, 1.0), recipe.batch.size or 1
    for count in (size, factory.num_rows % size or size, size):
        run.step_at(1e-9, batch_size=count)
    return time.perf_counter() - started


def _rate(run: TorchRun, stretches: int, device: str) -> float:
    """Samples a second of the run's next stretch."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    started = clock()
    done = run.advance(-(-run.horizon // stretches), should_stop=never)
    if device == "cuda":
        torch.cuda.synchronize()
    assert not done.failure, done.reason
    return done.samples / (clock() - started)


if __name__ == "__main__":
    main()
