"""An adaptive batch from one default, against the best of five fixed ones, each at its own best rate.

``python -m benchmarks.adaptive_batch`` trains what ``--store`` lacks, prints a line a fixed batch, then the verdicts.
Everything runs on one thread. AdamW (or ``--optimizer sgd``), warmup 5 %, cosine, c = 1.5; rates by factors of 2,
chosen by validation loss on seeds of their own. The adaptive batch is tuned no further: its rate and betas are those
of the fixed batch of 16.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.adaptive_runs import Outcome, Plan, recipe_for
from benchmarks.adaptive_store import SIZES, Store, geometric_mean
from benchmarks.adaptive_tasks import TASKS
from surefoot.batching import fit_step_time
from surefoot.training import never

# All that is said: the rate belongs to a batch of 16, begin with 32. The rest are the policy's defaults.
ADAPTIVE = Plan(16, {"policy": "noise_scale", "size": 32})
LOSS, STEPS, TIME, TIME_ELSEWHERE = 1.02, 0.6, 0.75, 1.0
CURVE = (16, 32, 64, 128, 256, 512, 1024)
REPEATS = 5


@dataclass(frozen=True)
class Times:
    """Measured interleaved: seconds of the adaptive training over the fixed one's, and what no batch can beat."""

    wall: float
    cpu: float
    bound: float
    curve: dict[int, float]


def print_grid(store: Store) -> None:
    """A line a fixed batch."""
    for size in SIZES:
        found = store.outcomes(Plan(size))
        print(f"  {store.task:<16} {size:>4}  rate {store.best_rate(size):<7.4g} {_described(found)}", flush=True)


def _described(found: list[Outcome]) -> str:
    tests = [outcome.test for outcome in found]
    spread = statistics.stdev(np.log(tests))
    steps = statistics.median(outcome.steps for outcome in found)
    return f"test {geometric_mean(tests):.4f} (seeds ±{spread:.1%})  steps {steps:>6.0f}"


def ratio_interval(ratios: list[float], *, draws: int = 10_000) -> tuple[float, float, float]:
    """The median of paired ratios and its 95 % bootstrap interval."""
    generator = np.random.default_rng(0)
    medians = np.median(generator.choice(np.asarray(ratios), (draws, len(ratios))), axis=1)
    low, high = np.quantile(medians, (0.025, 0.975))
    return statistics.median(ratios), float(low), float(high)


def times(store: Store, plan: Plan, size: int) -> Times:
    """From the store, or measured now."""
    key = f"times/{plan.name}/b{size}"
    if key not in store.found:
        pairs = []
        for repeat in range(REPEATS if store.task in ("digits", "breast_cancer", "fashion_mlp") else 2):
            fixed = store.fresh(Plan(size), store.best_rate(size), repeat)
            adaptive = store.fresh(plan, store.best_rate(plan.size), repeat)
            pairs.append((adaptive.seconds / fixed.seconds, adaptive.cpu / fixed.cpu))
        wall, cpu = (statistics.median(column) for column in zip(*pairs, strict=True))
        store.keep(key, [round(wall, 4), round(cpu, 4), _curve(store)])
    wall, cpu, curve = store.found[key]
    seconds = {int(batch): value for batch, value in curve.items()}
    fitted = fit_step_time(list(seconds), list(seconds.values()))
    bound = fitted.per_row / (fitted.seconds(size) / size)
    return Times(wall, cpu, bound, seconds)


def _curve(store: Store) -> dict[int, float]:
    """Seconds a step by batch size: the least of three interleaved timings."""
    runs = {}
    for size in CURVE:
        if size <= store.factory.num_rows:
            recipe = recipe_for(store.factory, Plan(size), optimizer=store.optimizer, rate=1e-3)
            runs[size] = store.factory.create(recipe, seed=0)
            runs[size].advance(size, should_stop=never)
    seconds: dict[int, list[float]] = {size: [] for size in runs}
    for _ in range(3):
        for size, run in runs.items():
            begun = time.process_time()
            steps = run.advance(max(4, 1024 // size) * size, should_stop=never).steps
            seconds[size].append((time.process_time() - begun) / max(steps, 1))
    return {size: round(min(values), 7) for size, values in seconds.items()}


def verdict(store: Store, plan: Plan) -> str:
    """The row of the table."""
    size = store.best_size()
    fixed, adaptive = store.outcomes(Plan(size)), store.outcomes(plan)
    paired = zip(adaptive, fixed, strict=True)
    loss, low, high = ratio_interval([mine.test / theirs.test for mine, theirs in paired])
    mean = geometric_mean([found.test for found in adaptive]) / geometric_mean([found.test for found in fixed])
    own = statistics.median(found.steps for found in adaptive)
    steps = own / statistics.median(found.steps for found in fixed)
    measured = times(store, plan, size)
    allowed = TIME if measured.bound <= TIME else TIME_ELSEWHERE
    marks = [_mark(loss <= LOSS), _mark(steps <= STEPS), _mark(measured.wall <= allowed)]
    return (
        f"| {store.task} | {size} at {store.best_rate(size):.3g} "
        f"| {loss:.3f} [{low:.3f}, {high:.3f}], means {mean:.3f} {marks[0]} "
        f"| {own:.0f}, {steps:.2f} {marks[1]} "
        f"| {measured.wall:.2f} (cpu {measured.cpu:.2f}), at most {allowed:g} {marks[2]} "
        f"| {measured.bound:.2f} | {'-'.join(map(str, adaptive[0].sizes))} |"
    )


def _mark(holds: bool) -> str:
    return "ok" if holds else "**missed**"


def main() -> None:
    """Print the grid and the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(TASKS), help="tasks; all six when left out")
    parser.add_argument("--optimizer", default="adamw", choices=("adamw", "sgd"))
    parser.add_argument("--store", type=Path, default=Path(__file__).parent / "results" / "adaptive_batch")
    given = parser.parse_args()
    torch.set_num_threads(1)
    stores = [Store(given.store, name, given.optimizer) for name in given.names]
    for store in stores:
        print_grid(store)
    print("\n| task | best fixed | test loss | steps | time | bound | batches |\n|---|---|---|---|---|---|---|")
    for store in stores:
        print(verdict(store, ADAPTIVE), flush=True)


if __name__ == "__main__":
    main()
