"""Rates read off the first 500 mini-batch losses of published sweeps, against where those trainings ended.

``python -m benchmarks.published_sweeps`` reads SUREFOOT_DATA/tables/deepobs_baselines (DeepOBS, Schneider, Balles and
Hennig 2019: constant rates, 36 from 1e-5 to 100, one seed) and prints a line for each problem and optimizer. Accuracy
on the test set after the last epoch decides where it was recorded, else the test loss. ``--no-horizon`` keeps the
length of the trainings from the reading.
"""

from __future__ import annotations

import gzip
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.tasks import ROOT
from surefoot.curves import EarlyReading, read_early

PROBLEMS = ("quadratic_deep", "fmnist_2c2d", "fmnist_vae", "tolstoi_char_rnn")
OPTIMIZERS = ("GradientDescentOptimizer", "MomentumOptimizer", "AdamOptimizer")
SEED = 42
NEAR = 0.1


@dataclass(frozen=True)
class Sweep:
    """One problem and optimizer: rates from slow to fast, the first losses of each, and where each ended.

    Attributes:
        results: after the last epoch, accuracy or loss on the test set; not-a-number where the training failed.
        is_accuracy: whether higher is better.
        num_steps: of a whole training.
    """

    problem: str
    optimizer: str
    rates: tuple[float, ...]
    curves: tuple[tuple[float, ...], ...]
    results: tuple[float, ...]
    is_accuracy: bool
    num_steps: int

    def badness(self) -> np.ndarray:
        """Lower is better, infinite for a training that failed."""
        results = np.nan_to_num(np.asarray(self.results), nan=-math.inf if self.is_accuracy else math.inf)
        return -results if self.is_accuracy else results

    def near_best(self) -> np.ndarray:
        """Which rates end within a tenth of the best."""
        badness = self.badness()
        best = badness.min()
        return np.asarray(badness <= best + NEAR * abs(best))


def read_sweeps() -> Iterator[Sweep]:
    """Every problem and optimizer of the table."""
    for problem in PROBLEMS:
        with gzip.open(ROOT / "tables" / "deepobs_baselines" / f"{problem}.jsonl.gz", "rt") as lines:
            runs = [json.loads(line) for line in lines]
        for optimizer in OPTIMIZERS:
            chosen = [run for run in runs if run["optimizer"] == optimizer and run["random_seed"] == SEED]
            chosen.sort(key=lambda run: run["learning_rate"])
            is_accuracy = "test_accuracies" in chosen[0]
            yield Sweep(
                problem,
                optimizer.removesuffix("Optimizer"),
                rates=tuple(run["learning_rate"] for run in chosen),
                curves=tuple(tuple(map(float, run["minibatch_train_losses_first500"])) for run in chosen),
                results=tuple(float(run["test_accuracies" if is_accuracy else "test_losses"][-1]) for run in chosen),
                is_accuracy=is_accuracy,
                num_steps=max(run["n_minibatch_losses_in_source"] for run in chosen),
            )


def lowest_mean(sweep: Sweep, *, num_last: int) -> float:
    """The rate with the lowest mean of its last losses."""
    means = [np.mean(curve[-num_last:]) if all(map(math.isfinite, curve)) else math.inf for curve in sweep.curves]
    return sweep.rates[int(np.argmin(means))]


RULES: dict[str, Callable[[Sweep], float]] = {
    "mean of 100": lambda sweep: lowest_mean(sweep, num_last=100),
    "mean of 50": lambda sweep: lowest_mean(sweep, num_last=50),
    "step 500, / 3": lambda sweep: lowest_mean(sweep, num_last=1) / 3,
}


def nearest(rates: Sequence[float], rate: float) -> int:
    """The rate of the sweep that lies nearest on a logarithmic scale."""
    return int(np.argmin(np.abs(np.log(np.asarray(rates) / rate))))


def standing(sweep: Sweep, index: int) -> str:
    """The rank of a rate among all, 1 being the best, and whether it ends near it."""
    badness = sweep.badness()
    rank = 1 + int(np.sum(badness < badness[index]))
    return f"{rank} {'yes' if sweep.near_best()[index] else 'NO'}"


def misled(sweep: Sweep, reading: EarlyReading, index: int | None) -> str:
    """What lies between the pick and the rates that end well, "" when the pick is one of them."""
    if index is None:
        return reading.reason
    good = np.flatnonzero(sweep.near_best())
    if index in good:
        return ""
    way = "fast" if index > good[-1] else "slow" if index < good[0] else "unlucky"
    early = nearest(sweep.rates, lowest_mean(sweep, num_last=125))
    words = f"too {way}; lowest early: {sweep.rates[early]:.3g}, which ends {standing(sweep, early)}; {reading.reason}"
    return words.replace("too unlucky", "between rates that end well")


def main(arguments: list[str]) -> None:
    """Print the table and how often each rule ends near the best."""
    print("| problem | optimizer | best (result) | within 10 % | picked (result) | rank of 36, near |", end=" ")
    print(" | ".join(RULES), "| what misled it |\n|" + "---|" * (7 + len(RULES)))
    hits = dict.fromkeys(["read_early", *RULES], 0)
    for sweep in read_sweeps():
        horizon = None if "--no-horizon" in arguments else sweep.num_steps
        reading = read_early(sweep.rates, sweep.curves, horizon=horizon)
        index = None if reading.value is None else nearest(sweep.rates, reading.value)
        best, good = int(np.argmin(sweep.badness())), np.flatnonzero(sweep.near_best())
        cells = [sweep.problem, sweep.optimizer, f"{sweep.rates[best]:.3g} ({sweep.results[best]:.4g})"]
        cells.append(f"{sweep.rates[good[0]]:.3g}..{sweep.rates[good[-1]]:.3g}")
        cells.append("none" if index is None else f"{sweep.rates[index]:.3g} ({sweep.results[index]:.4g})")
        cells.append("-" if index is None else standing(sweep, index))
        hits["read_early"] += index is not None and bool(sweep.near_best()[index])
        for name, rule in RULES.items():
            naive = nearest(sweep.rates, rule(sweep))
            hits[name] += bool(sweep.near_best()[naive])
            cells.append(f"{sweep.rates[naive]:.3g}: {standing(sweep, naive)}")
        print("|", " | ".join([*cells, misled(sweep, reading, index)]), "|", flush=True)
    print("\nwithin 10 %:", ", ".join(f"{name} {count}" for name, count in hits.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
