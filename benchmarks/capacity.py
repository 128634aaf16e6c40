"""What the capacity probe predicts beside what steps of other sizes take: seconds and bytes.

``python -m benchmarks.capacity [--cpu-seconds] [NAME ...]``. Every task is probed up to a quarter of its rows, within
the product's price (15 % of a training, 5 % of one of 4,000 steps or more) and within a whole training. After every
probe follow steps with each batch half-way between two that the probe ran, and with twice its largest: three in each of
three visits, once the size has settled, and the least of the visits' medians, as in the probe. That is repeated seven
times, and a ratio is predicted over measured within a repeat, so that what slows the machine for a while slows both.
Printed is the median over the repeats, and in brackets how far single ones scatter: the root mean square of log ratio
around its median.
"""

from __future__ import annotations

import argparse
import itertools
import math
import statistics
import sys
import time
from types import SimpleNamespace
from typing import Any

from benchmarks.adaptive_tasks import load
from surefoot.engine import TorchFactory
from surefoot.engine.measuring import weighing
from surefoot.probes import capacity
from surefoot.recipe import Recipe
from surefoot.records import Capacity

TASKS = ("digits", "fashion_mlp", "fashion_cnn", "shakespeare_gru", "clinc150")
REPEATS, VISITS, STEPS = 7, 3, 3
SETTLING = 0.02  # seconds of steps that do not count, and two steps at least: caches, and the allocator's heap
TIME_TARGET, MEMORY_TARGET = 0.15, 0.10
SMALL_SHARE, LARGE_SHARE, LARGE_STEPS = 0.15, 0.05, 4000


def other_sizes(found: Capacity, num_rows: int) -> list[int]:
    """Batches that were not run: half-way between those that were, and twice the largest."""
    sizes = [point.batch_size for point in found.points]
    between = [(low + high) // 2 for low, high in itertools.pairwise(sizes)]
    return [*between, min(2 * sizes[-1], num_rows)] if sizes[-1] < num_rows else between


def ratios(found: Capacity, run: Any, num_rows: int) -> dict[int, tuple[float, float]]:
    """Predicted over measured of seconds and of bytes, by batch size."""
    assert found.overhead is not None
    assert found.per_row is not None
    assert found.fixed_bytes is not None
    assert found.bytes_per_row is not None
    sizes = other_sizes(found, num_rows)
    seconds, peaks = dict.fromkeys(sizes, math.inf), dict.fromkeys(sizes, 0)
    with run.restored():
        for visit in range(VISITS):
            for size in sizes if visit % 2 else reversed(sizes):
                peaks[size] = run.step_cost(batch_size=size, with_memory=True).peak_bytes
                settling = list[float]()
                while len(settling) < 2 or sum(settling) < SETTLING:
                    settling.append(run.step_cost(batch_size=size, with_memory=False).seconds)
                steps = [run.step_cost(batch_size=size, with_memory=False).seconds for _ in range(STEPS)]
                seconds[size] = min(seconds[size], statistics.median(steps))
    return {
        size: (
            (found.overhead + found.per_row * size) / seconds[size],
            (found.fixed_bytes + found.bytes_per_row * size) / peaks[size],
        )
        for size in sizes
    }


def compare(factory: TorchFactory, price: float) -> bool:
    """Print the repeats of one probe beside their measurements; whether both targets hold."""
    rows, repeats = factory.num_rows, list[dict[int, tuple[float, float]]]()
    for _ in range(REPEATS):
        run = factory.create(Recipe(batch={"size": 16}).complete(rows), seed=0)
        found = capacity(run, max_samples=int(price * factory.training_samples), num_rows=rows, largest=rows // 4)
        repeats.append(ratios(found, run, rows))
    times = {size: statistics.median(repeat[size][0] for repeat in repeats) for size in repeats[0]}
    scatter = [math.log(repeat[size][0] / times[size]) for repeat in repeats for size in times]
    memory = max((repeat[size][1] for repeat in repeats for size in times), key=lambda ratio: abs(math.log(ratio)))
    in_time = all(abs(ratio - 1) <= TIME_TARGET for ratio in times.values())
    in_memory = abs(memory - 1) <= MEMORY_TARGET
    limit = found.limited_by or "a quarter of the rows"
    print(f"    {found.samples} samples on {found.device}, 16 to {found.largest} ({limit}), knee {found.knee}, "
          f"last law {1e6 * found.overhead:.0f} us + {1e6 * found.per_row:.2f} us a row")  # fmt: skip
    print(f"    time {_verdict(in_time)}: " + " ".join(f"{size}:{ratio:.2f}" for size, ratio in times.items()), end="")
    print(f" ({math.sqrt(statistics.fmean(value**2 for value in scatter)):.2f})")
    print(f"    memory {_verdict(in_memory)}: {memory:.4f}", flush=True)
    return in_time and in_memory


def _verdict(holds: bool) -> str:
    return "holds" if holds else "MISSED"


def main() -> int:
    """Print two probes a task; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=TASKS)
    parser.add_argument("--cpu-seconds", action="store_true", help="of the processor, where others keep it busy")
    arguments = parser.parse_args()
    if arguments.cpu_seconds:
        weighing.time = SimpleNamespace(perf_counter=time.process_time)  # type: ignore[assignment] # a clock
    held = list[bool]()
    for name in arguments.names:
        task = load(name)
        if task is None:
            print(f"{name}: its data set is not here")
            continue
        factory = TorchFactory(task)
        share = SMALL_SHARE if factory.training_samples / 16 < LARGE_STEPS else LARGE_SHARE
        for price in (share, 1.0):
            print(f"{name}, {price:.0%} of a training:")
            held.append(compare(factory, price))
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
