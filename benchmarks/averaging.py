"""Averages of the weights against none, under a schedule that falls to zero and one that stays.

    python -m benchmarks.averaging [TASK ...]

Three seeds a task; the arms of a seed train in turn. Test loss as a ratio to that of the same seed, task and schedule
without an average (geometric mean, and the least and the most of the seeds); the last column is the loss itself beside
the cosine schedule's without an average.
"""

from __future__ import annotations

import argparse
import math
from statistics import fmean
from typing import Any

import surefoot as sf
from benchmarks.price_tasks import TASKS

SEEDS = range(3)
SCHEDULES = ("cosine", "constant")
AVERAGES: dict[str, dict[str, Any]] = {
    "none": {},
    "ema 0.02": {"averaging": "ema", "ema_half_life": 0.02},
    "ema 0.1": {"averaging": "ema", "ema_half_life": 0.1},
    "swa 0.5": {"averaging": "swa", "averaging_start": 0.5},
}
DEFAULT_TASKS = ("digits", "fashion_mlp")


def main() -> None:
    """Print a line a task, schedule and average."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=DEFAULT_TASKS, metavar="TASK")
    head = f"{'task':<14}{'schedule':<10}{'average':<10}{'ratio':>7}{'least':>7}{'most':>7}"
    print(f"{head}{'to cosine':>11}{'test loss':>11}", flush=True)
    for name in parser.parse_args().tasks:
        losses = {(schedule, average): [] for schedule in SCHEDULES for average in AVERAGES}  # type: ignore[var-annotated]
        for seed in SEEDS:
            for (schedule, average), found in losses.items():
                found.append(test_loss(name, schedule, AVERAGES[average], seed))
        for (schedule, average), found in losses.items():
            logs = [math.log(one / other) for one, other in zip(found, losses[schedule, "none"], strict=True)]
            to_cosine = fmean(math.log(a / b) for a, b in zip(found, losses["cosine", "none"], strict=True))
            ratios = "".join(f"{math.exp(value):>7.3f}" for value in (fmean(logs), min(logs), max(logs)))
            line = f"{name:<14}{schedule:<10}{average:<10}{ratios}{math.exp(to_cosine):>11.3f}{fmean(found):>11.4f}"
            print(line, flush=True)


def test_loss(name: str, schedule: str, network: dict[str, Any], seed: int) -> float:
    """Of one training with the defaults of everything else."""
    task = TASKS[name](seed)
    assert task is not None, f"the data of {name} is not here"
    recipe = sf.Recipe(schedule={"name": schedule}, network=network)
    return float(sf.fit(task, recipe, seed=seed).metrics["test_loss"])


if __name__ == "__main__":
    main()
