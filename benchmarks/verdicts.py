"""Whether verdicts on logs are right, on published curves that nobody here made.

    python -m benchmarks.verdicts

Definitions, fixed before looking. Of a curve of the training loss: its first sign of divergence is the first value
that is not finite, or above the first one after one was below it; a healthy run ends within 5 % of its best; a run with
a sign that is not healthy has diverged. Of a smoothed validation loss (forward and backward average, memory 0.5): the
onset is the first point after which it never returns within 1 % of its minimum. A rate is right within half a decade of
the sweep's best. Verdicts see only the curve so far.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks.tasks import ROOT
from surefoot.curves import zero_lag
from surefoot.diagnosis.divergence import divergence
from surefoot.diagnosis.judging import verdicts
from surefoot.diagnosis.learning_rate import judged_rate
from surefoot.diagnosis.log import Log, Series
from surefoot.diagnosis.overfitting import overfitting

SMOOTHING, HEALTHY, RETURNS = 0.5, 1.05, 1.01
IN_TIME_DIVERGED, IN_TIME_OVERFITTED = 0.10, 0.15
HALF_A_DECADE = 0.5001
LOWER_IS_BETTER = {"wer", "loss"}


def log_of(**series: np.ndarray) -> Log:
    at = np.arange(len(next(iter(series.values()))), dtype=np.float64)
    return Log("run", "epoch", {name: Series(at, values.astype(np.float64)) for name, values in series.items()})


def first(judge: object, log: Log, points: int) -> int | None:
    """The first point at which a verdict is given."""
    return next((place for place in range(points) if judge(log.until(place)) is not None), None)  # type: ignore[operator]


def first_sign(loss: np.ndarray) -> int | None:
    was_below = False
    for place, value in enumerate(loss):
        if not np.isfinite(value) or (was_below and value > loss[0]):
            return place
        was_below |= bool(value < loss[0])
    return None


def onset(loss: np.ndarray) -> int | None:
    smooth = zero_lag(loss.astype(np.float64), memory=SMOOTHING)
    place = int(np.flatnonzero(smooth <= RETURNS * smooth.min())[-1]) + 1
    return place if place < len(smooth) else None


def taskset() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Training and validation loss of every configuration."""
    packed = np.load(ROOT / "tables" / "taskset_imdb" / "taskset_imdb.npz")
    for name in sorted(name for name in packed.files if name.endswith("/curves")):
        for training, validation, _ in packed[name]:
            yield training, validation


def divergences(curves: list[tuple[np.ndarray, np.ndarray]]) -> None:
    diverged = in_time = healthy = alarms = 0
    for training, _ in curves:
        sign, points = first_sign(training), len(training)
        is_healthy = bool(np.isfinite(training).all() and training[-1] <= HEALTHY * training.min())
        if sign is None and not is_healthy:
            continue
        said = first(divergence, log_of(train_loss=training), points)
        if is_healthy:
            healthy, alarms = healthy + 1, alarms + (said is not None)
        else:
            diverged += 1
            in_time += said is not None and said <= (sign or 0) + IN_TIME_DIVERGED * points
    print(f"diverged, in time: {in_time / diverged:.4f} of {diverged} (asked .99)")
    print(f"diverged, said of healthy runs: {alarms / healthy:.4f} of {healthy} (asked at most .01)")


def overfittings(curves: list[tuple[np.ndarray, np.ndarray]]) -> None:
    with_onset = in_time = without = alarms = falling = falling_in_time = named = 0
    for training, validation in curves:
        if not (np.isfinite(training).all() and np.isfinite(validation).all()):
            continue
        begin, points = onset(validation), len(validation)
        log = log_of(train_loss=training, validation_loss=validation)
        said = first(overfitting, log, points)
        if begin is None:
            without, alarms = without + 1, alarms + (said is not None)
            continue
        is_in_time = said is not None and said <= begin + IN_TIME_OVERFITTED * points
        with_onset, in_time = with_onset + 1, in_time + is_in_time
        smooth = zero_lag(training.astype(np.float64), memory=SMOOTHING)
        if smooth[-1] < smooth[begin - 1]:
            falling, falling_in_time = falling + 1, falling_in_time + is_in_time
            last = overfitting(log)
            named += last is not None and last.verdict == "overfitting"
    print(f"validation turns for good, said in time: {in_time / with_onset:.3f} of {with_onset} (asked .90)")
    print(f"  where the training loss falls on: {falling_in_time / falling:.3f} of {falling}; overfitting: {named}")
    print(f"  said where it does not turn: {alarms / without:.4f} of {without} (asked at most .05)")


def healthy_curves() -> None:
    """AlgoPerf's tuned curves: nothing wrong, or still improving."""
    said: Counter[str] = Counter()
    with gzip.open(ROOT / "tables" / "algoperf" / "validation_curves.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            values = np.array(row["v"], dtype=np.float64)
            loss = values if row["metric"] in LOWER_IS_BETTER else -values
            said[verdicts(log_of(validation_loss=loss))[0].verdict] += 1
    good = said["nothing wrong"] + said["not converged"]
    print(f"AlgoPerf, nothing wrong or not converged: {good / said.total():.3f} of {said.total()} (asked .95)")
    print(f"  {dict(said)}")


class HalfRun(NamedTuple):
    """The first half of a run of DeepOBS's sweeps, and on which side of the sweep's best rate it lies."""

    problem: str
    optimizer: str
    log: Log
    truth: str


BY = {"test_losses": "loss", "test_accuracies": "accuracy where there is one"}


def half_runs(by: str) -> list[HalfRun]:
    """Every run, its truth by the loss or the accuracy at the end."""
    sweeps: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for file in sorted((ROOT / "tables" / "deepobs_baselines").glob("*.jsonl.gz")):
        with gzip.open(file, "rt") as lines:
            for run in map(json.loads, lines):
                sweeps.setdefault((run["testproblem"], run["optimizer"]), []).append(run)
    found = []
    for (problem, optimizer), runs in sweeps.items():
        best = _best_rate(runs, by)
        for run in runs:
            log = _first_half(run, with_accuracy=by == "test_accuracies")
            found.append(HalfRun(problem, optimizer, log, truth_of(run["learning_rate"], best)))
    return found


def without_start(log: Log) -> Log:
    """As most tools write it: the first value belongs to the end of the first epoch."""
    return Log(log.name, log.unit, {name: Series(one.at[1:], one.values[1:]) for name, one in log.series.items()})


def is_right(run: HalfRun) -> bool:
    judged = judged_rate(run.log)
    return judged is not None and judged.judgement == run.truth


def rates() -> None:
    """DeepOBS's sweeps: whether the first half of a run tells on which side of the best rate it lies."""
    for by, of in BY.items():
        runs = half_runs(by)
        right = np.array([is_right(run) for run in runs])
        print(f"DeepOBS, the rate from the first half, best by {of}: {right.mean():.3f} of {len(right)} (.85)")
        for groups in (np.array([run.problem for run in runs]), np.array([run.optimizer for run in runs])):
            print("  " + ", ".join(f"{name} {right[groups == name].mean():.2f}" for name in np.unique(groups)))
        later = np.mean([is_right(run._replace(log=without_start(run.log))) for run in runs])
        print(f"  from logs that begin after the first epoch: {later:.3f}")


def _best_rate(runs: list[dict[str, Any]], by: str) -> float:
    """The rate with the best mean result after the last epoch, over seeds."""
    ends: dict[float, list[float]] = {}
    for run in runs:
        loss = -values(run, by)[-1] if by in run and by != "test_losses" else values(run, "test_losses")[-1]
        ends.setdefault(run["learning_rate"], []).append(loss if np.isfinite(loss) else np.inf)
    return min(ends, key=lambda rate: float(np.mean(ends[rate])))


def truth_of(rate: float, best: float) -> str:
    """On which side of the best rate one lies."""
    decades = np.log10(rate / best)
    return "about right" if abs(decades) <= HALF_A_DECADE else "too high" if decades > 0 else "too low"


def _first_half(run: dict[str, Any], *, with_accuracy: bool) -> Log:
    series = {"train_loss": values(run, "train_losses"), "validation_loss": values(run, "test_losses")}
    if with_accuracy and "test_accuracies" in run:
        series["validation_accuracy"] = values(run, "test_accuracies")
    return log_of(**series).until(len(series["train_loss"]) // 2)


def values(run: dict[str, Any], name: str) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in run[name]], dtype=np.float64)


def main() -> None:
    curves = list(taskset())
    divergences(curves)
    overfittings(curves)
    healthy_curves()
    rates()


if __name__ == "__main__":
    main()
