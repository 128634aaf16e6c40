"""Logs of trainings whose sweep over the rate is known: DeepOBS's, our own on small problems, and TaskSet's.

The judgement of rates is fitted on the first two (``benchmarks.fit_rates``); TaskSet has no part in it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks.rate_sweeps import KEPT
from benchmarks.tasks import ROOT
from benchmarks.verdicts import BY, half_runs, log_of, truth_of, without_start
from surefoot.diagnosis.log import Log

__all__ = ["Judgeable", "deepobs", "our_sweeps", "taskset"]

# A rate further than half a decade from the best whose end is as good within this share of what the best gained is
# neither wrong nor right: it is not counted.
AS_GOOD = 0.02
LAST = 3  # looks whose accuracies decide, since one row more or less is chance
FAMILIES = {"AdamOptimizer": "adam", "GradientDescentOptimizer": "sgd", "MomentumOptimizer": "momentum"}


class Judgeable(NamedTuple):
    """A log and on which side of its sweep's best rate it lies."""

    source: str
    problem: str
    optimizer: str
    log: Log
    truth: str


def deepobs(*, has_start: bool) -> Iterator[Judgeable]:
    """The first halves of DeepOBS's runs, by loss and by accuracy; all are counted."""
    for by in BY:
        for run in half_runs(by):
            log = run.log if has_start else without_start(run.log)
            yield Judgeable(f"DeepOBS by {BY[by]}", run.problem, FAMILIES[run.optimizer], log, run.truth)


def our_sweeps(*, has_start: bool) -> Iterator[Judgeable]:
    """Whole runs and first halves of ``benchmarks.rate_sweeps``, by loss and by accuracy; the rate was logged.

    Logs that begin after the first epoch have the mean over each epoch as the training loss, as most loops write it.
    """
    sweeps: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    with gzip.open(KEPT, "rt") as lines:
        for run in map(json.loads, lines):
            sweeps.setdefault((run["problem"], run["optimizer"], run["schedule"]), []).append(run)
    for (problem, optimizer, _), runs in sweeps.items():
        for by in ("validation", "accuracy"):
            if by not in runs[0]:
                continue
            for run, truth in _counted(runs, by):
                for until in (1.0, 0.5):
                    log = _log(run, has_start=has_start, until=until, with_accuracy=by == "accuracy")
                    yield Judgeable(f"our sweeps by {by}", problem, optimizer, log, truth)


def _counted(runs: list[dict[str, Any]], by: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Runs whose side is clear, of a sweep whose best rate is not its first or last."""
    runs = sorted(runs, key=lambda run: float(run["rate"]))
    ends = np.array([_end(run, by) for run in runs])
    best = int(ends.argmin())
    if best in (0, len(runs) - 1):
        return
    start = runs[best][by][0] * (-1.0 if by == "accuracy" else 1.0)
    for run, end in zip(runs, ends, strict=True):
        truth = truth_of(run["rate"], runs[best]["rate"])
        if truth == "about right" or end - ends[best] >= AS_GOOD * (start - ends[best]):
            yield run, truth


def _end(run: dict[str, Any], by: str) -> float:
    if not np.isfinite(run["validation"][-1]):
        return float("inf")
    return float(run[by][-1]) if by == "validation" else -float(np.mean(run[by][-LAST:]))


def _log(run: dict[str, Any], *, has_start: bool, until: float, with_accuracy: bool) -> Log:
    training = run["train"] if has_start else [run["train"][0], *run["mean"]]
    epochs = len(training) - 1
    left = np.ones(epochs + 1)
    if run["schedule"] == "cosine":
        left = 0.5 * (1.0 + np.cos(np.pi * np.arange(epochs + 1) / epochs))
    series = {"train_loss": training, "validation_loss": run["validation"], "learning_rate": run["rate"] * left}
    if with_accuracy:
        series["validation_accuracy"] = run["accuracy"]
    log = log_of(**{name: np.asarray(values, dtype=np.float64) for name, values in series.items()})
    log = log.until(round(until * epochs))
    return log if has_start else without_start(log)


# TaskSet's configurations differ in eight numbers; those whose other seven do little: see ``taskset``.
HARMLESS = {"beta1": (0.3, 0.995), "epsilon": (0.0, 1e-3), "l1": (0.0, 1e-4), "l2": (0.0, 1e-4)}
HARMLESS |= {"linear_decay": (0.0, 3e-5), "exponential_decay": (0.0, 3e-4)}
NEIGHBOURS = 5


def taskset(*, has_start: bool) -> Iterator[Judgeable]:
    """TaskSet's text classifiers under Adam, where little but the rate differs.

    The best rate is where the median end of five neighbours in rate is lowest; ends as good as that within 2 % of what
    it gained are not counted.
    """
    packed = np.load(ROOT / "tables" / "taskset_imdb" / "taskset_imdb.npz")
    names = [str(name) for name in packed["hp_names"]]
    for task in sorted(name.removesuffix("/hp") for name in packed.files if name.endswith("/hp")):
        numbers, curves = packed[f"{task}/hp"], packed[f"{task}/curves"]
        keep = np.ones(len(numbers), dtype=bool)
        for name, (low, high) in HARMLESS.items():
            column = numbers[:, names.index(name)]
            keep &= (column >= low) & (column <= high)
        chosen = np.flatnonzero(keep)[np.argsort(numbers[keep, 0])]
        ends = np.nan_to_num(curves[chosen, 1, -1].astype(np.float64), nan=np.inf)
        around = [np.median(ends[max(0, at - NEIGHBOURS // 2) : at + NEIGHBOURS // 2 + 1]) for at in range(len(ends))]
        best = int(np.argmin(around))
        start = float(np.median(curves[chosen, 1, 0]))
        for place, run in enumerate(chosen):
            truth = truth_of(float(numbers[run, 0]), float(numbers[chosen[best], 0]))
            if truth != "about right" and ends[place] - around[best] < AS_GOOD * (start - around[best]):
                continue
            log = log_of(train_loss=curves[run, 0].astype(float), validation_loss=curves[run, 1].astype(float))
            yield Judgeable("TaskSet", task, "adam", log if has_start else without_start(log), truth)
