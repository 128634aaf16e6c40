"""The main job: quality and price of ``tune`` on the built-in tasks, and what a person waits for.

Quality and price do not depend on the machine; seconds do, and are medians of repeats.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import surefoot as sf
from benchmarks.tasks import HEAVY
from surefoot import tasks

SPLITS = range(5)
SEEDS = range(5)


@dataclass(frozen=True)
class Line:
    """One claim: what was measured, its spread, the target, and whether it holds."""

    claim: str
    value: float
    spread: str
    target: str
    holds: bool


def digits() -> list[Line]:
    """Each of five seeds on the built-in split."""
    results = [sf.tune(tasks.builtin("digits"), seed=seed) for seed in SEEDS]
    accuracies = [result.metrics["test_accuracy"] for result in results]
    price = max(result.cost.trainings for result in results)
    spread = f"{min(accuracies):.4f} to {max(accuracies):.4f} over 5 seeds"
    return [
        Line("digits, test accuracy, worst seed", min(accuracies), spread, ">= 0.96", min(accuracies) >= 0.96),
        Line("digits, highest price", price, "", "<= 2.0", price <= 2.0),
    ]


def small_tasks() -> list[Line]:
    """The mean of five splits, seed 0."""
    lines = []
    for name, metric, least in (
        ("iris", "test_accuracy", 0.93),
        ("wine", "test_accuracy", 0.93),
        ("breast_cancer", "test_accuracy", 0.93),
        ("diabetes", "test_r2", 0.40),
    ):
        results = [sf.tune(tasks.builtin(name, split=split)) for split in SPLITS]
        values = [result.metrics[metric] for result in results]
        mean, price = statistics.mean(values), max(result.cost.trainings for result in results)
        spread = f"{min(values):.3f} to {max(values):.3f} over 5 splits"
        lines.append(Line(f"{name}, {metric}, mean of splits", mean, spread, f">= {least}", mean >= least))
        lines.append(Line(f"{name}, highest price", price, "", "<= 2.0", price <= 2.0))
    return lines


def larger_tasks() -> list[Line]:
    """Real data sets where they are at hand; their price has a target, their loss is for the log."""
    lines = []
    for name, make in HEAVY.items():
        task = make()
        if task is None:
            continue
        results = [sf.tune(task, seed=seed) for seed in range(3)]
        losses = [result.metrics["test_loss"] for result in results]
        price = max(result.cost.trainings for result in results)
        spread = f"{min(losses):.4f} to {max(losses):.4f} over 3 seeds"
        lines.append(Line(f"{name}, test loss, median", statistics.median(losses), spread, "-", True))
        lines.append(Line(f"{name}, highest price", price, "", "<= 2.0", price <= 2.0))
    return lines


def waiting() -> list[Line]:
    """What a person waits for, each in fresh processes."""
    python = sys.executable
    bare = _median(lambda: _run(python, "-c", "pass"), repeats=9)
    imported = _median(lambda: _run(python, "-c", "import surefoot"), repeats=9) - bare
    shown = _median(lambda: _run(python, "-c", "from surefoot.cli import main; main()", "--help"), repeats=9)
    command = (python, "-c", "from surefoot.cli import main; main()", "tune", "digits", "--out", "out")
    tuned = _median(lambda: _run(*command), repeats=3)
    return [
        Line("import surefoot, ms above a bare interpreter", 1e3 * imported, "median of 9", "<= 150", imported <= 0.15),
        Line("surefoot --help, ms", 1e3 * shown, "median of 9", "<= 500", shown <= 0.5),
        Line("surefoot tune digits, s", tuned, "median of 3", "<= 60", tuned <= 60),
    ]


def _run(*command: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(command, cwd=directory, check=True, capture_output=True)


def _median(action: Callable[[], None], *, repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main() -> int:
    """Print every claim; 1 when one does not hold."""
    print(f"| {'claim':<46} | {'measured':>9} | {'spread':<33} | {'target':<8} | holds |")
    print(f"|{'-' * 48}|{'-' * 10}:|{'-' * 35}|{'-' * 10}|-------|")
    missed = 0
    for part in (digits, small_tasks, larger_tasks, waiting):
        for line in part():
            held = "yes" if line.holds else "NO"
            print(
                f"| {line.claim:<46} | {line.value:>9.4g} | {line.spread:<33} | {line.target:<8} | {held:<5} |",
                flush=True,
            )
            missed += not line.holds
    return int(missed > 0)
