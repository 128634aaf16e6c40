"""What looking at the noise costs: the same training with and without looks at the default interval.

``python -m benchmarks.noise_overhead [--couples 9]``. The watched runs may not move their batch, so both do the same
steps. Two runs of one recipe differ by some per cent for as long as they live, by where their memory lies: so several
couples of runs are made anew, each in another order. Within a couple short stretches alternate, and a ratio is taken
between neighbours, so that what slows the machine for a while slows both. A couple gives the median of its ratios; in
brackets the interval that holds the median of the couples with 95 % confidence.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from typing import Any

import torch

from benchmarks.adaptive_tasks import load
from surefoot.engine import TorchFactory
from surefoot.recipe import Recipe
from surefoot.training import never

TASKS = ("digits", "fashion_mlp", "fashion_cnn", "shakespeare_gru", "clinc150")
MOST = 1.03
PAIRS = 6
STRETCH = 192  # steps: whole numbers of every interval between looks


def stretch(run: Any, batch_size: int) -> float:
    """Seconds a step over one more stretch; a run that is over begins anew."""
    started = time.process_time()
    steps = run.advance(STRETCH * batch_size, should_stop=never).steps
    return (time.process_time() - started) / steps


def couple(factory: TorchFactory, *, watched_first: bool) -> tuple[float, float]:
    """The ratio of two fresh runs, one watched, and the seconds a step of the other."""
    still = {"size": 32, "smallest": 32, "largest": 32}
    recipes = {False: Recipe(batch={"size": 32}), True: Recipe(batch={"policy": "noise_scale", **still})}
    runs = {
        key: factory.create(recipes[key].complete(factory.num_rows), seed=0)
        for key in (watched_first, not watched_first)
    }
    for run in runs.values():
        stretch(run, 32)
    pairs = []
    for repeat in range(PAIRS):
        order = (True, False) if repeat % 2 else (False, True)
        seconds = {key: stretch(runs[key], 32) for key in order}
        pairs.append((seconds[False], seconds[True]))
    ratio = statistics.median(watched / plain for plain, watched in pairs)
    return ratio, statistics.median(plain for plain, _ in pairs)


def interval_of_median(values: list[float]) -> tuple[float, float]:
    """The order statistics between which the median lies with 95 % confidence, by the normal form of the binomial."""
    ranked, middle = sorted(values), len(values) / 2
    reach = 1.96 * math.sqrt(len(values)) / 2
    return ranked[max(0, math.floor(middle - reach))], ranked[min(len(values) - 1, math.ceil(middle + reach))]


def main() -> int:
    """Print a line a task; 1 when a median ratio is above the target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--couples", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    worst = 0.0
    print(f"one thread, CPU seconds, {arguments.couples} couples, {PAIRS} pairs of {STRETCH} steps each, batch 32\n")
    for name in TASKS:
        task = load(name)
        if task is None:
            print(f"{name}: its data set is not here")
            continue
        factory = TorchFactory(task)
        task.epochs = (PAIRS + 1) * (STRETCH + 1) * 32 / factory.num_rows
        couples = [couple(factory, watched_first=bool(index % 2)) for index in range(arguments.couples)]
        ratios = [ratio for ratio, _ in couples]
        ratio, usual = statistics.median(ratios), statistics.median(seconds for _, seconds in couples)
        low, high = interval_of_median(ratios)
        spread = f"({low:.3f} to {high:.3f})"
        worst = max(worst, ratio)
        verdict = "holds" if ratio <= MOST else "MISSED"
        print(f"{name:<18}{1e6 * usual:8.0f} us a step   x {ratio:.3f} {spread}   <= {MOST}  {verdict}", flush=True)
    return 0 if worst <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
