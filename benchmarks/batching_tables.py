"""The laws of the batch against published measurements (SUREFOOT_DATA, or ../shared): Pollux's traces and Zeus's.

Fixed before looking at any result:

Pollux (Qiao et al. 2021), CIFAR-10 and NCF, on one and on four GPUs of one machine. The target is the paper's: 94 %
accuracy, 69 % hit rate; the default batch is the paper's initial one, 128 and 256. The goodput reading gets step times
fitted to the placements of one machine and, at every statistical epoch, the noise scale B₀ · grad_var / grad_sqr of
the trace it is on; it moves to the nearest batch size that has a trace. An epoch costs the steps of that trace's epoch
times the measured step time. Target: within 10 % of the best fixed batch, and better than the default one.

Zeus (You et al. 2023), cifar100, librispeech and movielens-1m. Epochs to a target are medians over runs, where a run
that missed it counts as endless; batch sizes whose median is endless are left out. The law epochs = E_min(1 + B/B_crit)
is fitted to every second batch size, beginning with the smallest, and predicts the others. Target: over all validation
targets of a workload, a median |log error| of at most 0.15, and less than that of a constant.
"""

from __future__ import annotations

import csv
import math
import statistics
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.tasks import ROOT
from surefoot.batching import Goodput, NoiseEstimate, Situation, StepTime, fit_critical_batch, fit_step_time

TABLES = ROOT / "tables"
POLLUX = {"cifar10": (128, 0.94), "ncf": (256, 0.69)}
ZEUS = ("cifar100", "librispeech", "movielens-1m")


@dataclass(frozen=True)
class Replay:
    """Seconds to a target: fixed batches, and the batch that goodput picks."""

    fixed: dict[int, float]
    policy: float
    default: int
    chosen: tuple[int, ...]
    fit: StepTime

    @property
    def best(self) -> int:
        """The fixed batch that gets there first."""
        return min(self.fixed, key=lambda size: self.fixed[size])


@dataclass(frozen=True)
class Prediction:
    """|log error| of held-out epochs, by validation target: the law's and a constant's."""

    law: dict[str, list[float]]
    constant: dict[str, list[float]]

    def median(self, which: str) -> float:
        """Over every target and held-out batch size; ``which`` is "law" or "constant"."""
        return statistics.median(error for errors in getattr(self, which).values() for error in errors)


def available() -> bool:
    """Whether the tables are here."""
    return (TABLES / "pollux_osdi21").is_dir() and (TABLES / "zeus_nsdi23").is_dir()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def replay(application: str, *, num_ranks: int) -> Replay:
    """Train ``application`` on paper, from its traces."""
    default, target = POLLUX[application]
    folder = TABLES / "pollux_osdi21" / application
    traces = {int(path.stem.split("-")[1]): rows(path) for path in folder.glob("validation-*.csv")}
    times = _StepTimes(folder, num_ranks)
    fixed = {}
    for size, trace in sorted(traces.items()):
        epochs = next((index + 1 for index, row in enumerate(trace) if float(row["metric"]) >= target), None)
        steps = math.inf if epochs is None else float(trace[epochs - 1]["iteration"])
        fixed[size] = steps * times.measured(size)
    reading = Goodput(times.fitted, num_ranks=num_ranks, largest_micro_batch=times.largest, largest=max(traces))
    seconds, current, chosen = 0.0, default, []
    for epoch in range(min(map(len, traces.values()))):
        scale = _noise_scale(traces[current], epoch - 1, default)
        wanted = reading(NoiseEstimate(scale, 1.0, None, scale, scale, 100.0), Situation(current, 50_000))
        current = min(traces, key=lambda size: abs(math.log(size / wanted)))
        trace = traces[current]
        before = float(trace[epoch - 1]["iteration"]) if epoch else 0.0
        seconds += (float(trace[epoch]["iteration"]) - before) * times.measured(current)
        chosen.append(current)
        if float(trace[epoch]["metric"]) >= target:
            return Replay(fixed, seconds, default, tuple(chosen), times.fitted)
    return Replay(fixed, math.inf, default, tuple(chosen), times.fitted)


def _noise_scale(trace: list[dict[str, str]], epoch: int, reference: int) -> float:
    """B_s at the end of an epoch; the first epoch borrows its own, as there is nothing before it."""
    row = trace[max(epoch, 0)]
    return reference * float(row["grad_var"]) / max(float(row["grad_sqr"]), 1e-30)


class _StepTimes:
    """Measured step times of one machine's placements, and the model fitted to them."""

    def __init__(self, folder: Path, num_ranks: int) -> None:
        table = [row for row in rows(folder / "placements.csv") if len(row["placement"]) == 1]
        self.num_ranks = num_ranks
        here = [row for row in table if int(row["placement"]) == num_ranks]
        self.sizes = np.array([float(row["local_bsz"]) for row in here])
        self.seconds = np.array([float(row["step_time"]) for row in here])
        self.exchange = np.array([float(row["sync_time"]) for row in here])
        self.largest = int(self.sizes.max())
        used = table if num_ranks > 1 else here
        ranks = [int(row["placement"]) for row in used]
        batches = [int(row["local_bsz"]) * count for row, count in zip(used, ranks, strict=True)]
        self.fitted = fit_step_time(batches, [float(row["step_time"]) for row in used], num_ranks=ranks)

    def measured(self, batch_size: int) -> float:
        """Seconds a step, between the measured sizes; what does not fit is accumulated."""
        local = batch_size / self.num_ranks
        parts = math.ceil(local / self.largest)
        size = math.log(local / parts)
        step = math.exp(np.interp(size, np.log(self.sizes), np.log(self.seconds)))
        exchange = float(np.interp(size, np.log(self.sizes), self.exchange))
        return (parts - 1) * (step - exchange) + step


def predict(dataset: str) -> Prediction:
    """Fit the law of the critical batch on half of a workload's batch sizes and predict the other half."""
    found: defaultdict[str, defaultdict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows(TABLES / "zeus_nsdi23" / "summary_train.csv"):
        if row["dataset"] == dataset:
            epochs = float(row["target_epoch"])
            found[row["target_metric"]][int(row["batch_size"])].append(math.inf if math.isnan(epochs) else epochs)
    law, constant = {}, {}
    for target, by_size in sorted(found.items(), key=lambda item: float(item[0])):
        medians = {size: statistics.median(epochs) for size, epochs in sorted(by_size.items())}
        usable = {size: epochs for size, epochs in medians.items() if math.isfinite(epochs)}
        sizes = list(usable)
        if len(sizes) < 4:
            continue
        fitting, held = sizes[::2], sizes[1::2]
        fitted = fit_critical_batch(fitting, [usable[size] for size in fitting])
        level = statistics.fmean(math.log(usable[size]) for size in fitting)
        law[target] = [abs(math.log(fitted.effort(size) / usable[size])) for size in held]
        constant[target] = [abs(level - math.log(usable[size])) for size in held]
    return Prediction(law, constant)
