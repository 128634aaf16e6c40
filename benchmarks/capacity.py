"""What the capacity probe predicts beside what steps of other sizes take: seconds and bytes.

``python -m benchmarks.capacity [--cpu-seconds] [NAME ...]``. Every task is probed within the product's price (15 % of a
training, 5 % of one of 4,000 steps or more) and within a whole training. Then steps are taken with batches that the
probe did not run: between its sizes, and twice its largest. Every ratio is predicted over measured. Sizes are visited in
turn, several times, so that what slows the machine for a while slows all; "repeats" is the ratio of the medians of two
halves of the same steps, farthest from 1 over the sizes: no prediction can be expected to do better.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from types import SimpleNamespace
from typing import Any

from benchmarks.adaptive_tasks import load
from surefoot.engine import TorchFactory, weighing
from surefoot.probes import capacity
from surefoot.recipe import Recipe
from surefoot.records import Capacity

TASKS = ("digits", "fashion_mlp", "fashion_cnn", "shakespeare_gru", "clinc150")
VISITS, STEPS = 4, 5  # 20 steps a size
TIME_TARGET, MEMORY_TARGET = 0.15, 0.10
SMALL_SHARE, LARGE_SHARE, LARGE_STEPS = 0.15, 0.05, 4000


def other_sizes(found: Capacity, num_rows: int) -> list[int]:
    """Batches that were not run: half-way between those that were, and twice the largest."""
    sizes = [point.batch_size for point in found.points]
    between = [(low + high) // 2 for low, high in zip(sizes, sizes[1:], strict=False)]
    return [*between, min(2 * sizes[-1], num_rows)] if sizes[-1] < num_rows else between


def measured(run: Any, sizes: list[int]) -> dict[int, tuple[list[float], int]]:
    """Seconds of twenty steps a size, and the bytes of one."""
    seconds: dict[int, list[float]] = {size: [] for size in sizes}
    peaks: dict[int, int] = {}
    with run.restored():
        for _ in range(VISITS):
            for size in sizes:
                peaks[size] = run.step_cost(batch_size=size, with_memory=True).peak_bytes
                steps = [run.step_cost(batch_size=size, with_memory=False) for _ in range(STEPS)]
                seconds[size] += [step.seconds for step in steps]
    return {size: (seconds[size], peaks[size]) for size in sizes}


def farthest(ratios: list[float]) -> float:
    """The ratio farthest from 1."""
    return max(ratios, key=lambda ratio: max(ratio, 1 / ratio))


def line(found: Capacity, run: Any, num_rows: int) -> tuple[str, bool]:
    """One probe against its measurements; whether both targets hold."""
    if found.overhead is None or found.per_row is None:
        return found.reason, False
    seen = measured(run, other_sizes(found, num_rows))
    times = {
        size: (found.overhead + found.per_row * size) / statistics.median(seconds)
        for size, (seconds, _) in seen.items()
    }
    peaks = {
        size: ((found.fixed_bytes or 0.0) + (found.bytes_per_row or 0.0) * size) / peak
        for size, (_, peak) in seen.items()
    }
    half = VISITS * STEPS // 2
    repeats = farthest(
        [statistics.median(seconds[:half]) / statistics.median(seconds[half:]) for seconds, _ in seen.values()]
    )
    time_held = all(1 - TIME_TARGET <= ratio <= 1 + TIME_TARGET for ratio in times.values())
    memory_held = all(1 - MEMORY_TARGET <= ratio <= 1 + MEMORY_TARGET for ratio in peaks.values())
    ratios = " ".join(f"{size}:{ratio:.2f}" for size, ratio in times.items())
    text = (
        f"{found.samples:>7} samples, {found.points[0].batch_size} to {found.largest} ({found.limited_by}), "
        f"knee {found.knee}, {1e6 * found.overhead:.0f} us + {1e6 * found.per_row:.2f} us a row (fit {found.error:.2f})\n"
        f"    time {farthest(list(times.values())):.2f} {'holds' if time_held else 'MISSED'}, repeats {repeats:.2f}"
        f"   [{ratios}]\n"
        f"    memory {farthest(list(peaks.values())):.3f} {'holds' if memory_held else 'MISSED'}"
    )
    return text, time_held and memory_held


def main() -> int:
    """Print two probes a task; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=TASKS)
    parser.add_argument("--cpu-seconds", action="store_true", help="of the processor, where others keep it busy")
    arguments = parser.parse_args()
    if arguments.cpu_seconds:
        weighing.time = SimpleNamespace(perf_counter=time.process_time)  # type: ignore[assignment] # a clock
    held = []
    for name in arguments.names:
        task = load(name)
        if task is None:
            print(f"{name}: its data set is not here")
            continue
        factory = TorchFactory(task)
        rows, training = factory.num_rows, factory.training_samples
        share = SMALL_SHARE if training / 16 < LARGE_STEPS else LARGE_SHARE
        for price in (share, 1.0):
            run = factory.create(Recipe(batch={"size": 16}).complete(rows), seed=0)
            found = capacity(run, max_samples=int(price * training), num_rows=rows)
            text, holds = line(found, run, rows)
            print(f"{name}, {price:.0%} of a training on {found.device}:\n    {text}", flush=True)
            held.append(holds)
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
