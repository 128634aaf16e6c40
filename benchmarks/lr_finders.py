"""Learning-rate finders against ground truth: a full training at what each of them picks, beside the best of a grid.

``python -m benchmarks.lr_finders [TASK ...]`` probes with ours and with every rule of ``surefoot.curves.FINDERS`` on
its own sweep, trains in full at each picked rate (stored with the grid, so that it is done once), and prints one table.
A pick is good when the training ends within 10 % of the grid's best validation loss, or within one seed deviation of it
where that is more. Rivals sweep at the training's batch size, as their users do.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

import surefoot as sf
from benchmarks.probe_tasks import TASKS
from benchmarks.rate_grids import RATES, Case, Grid, recipe_of
from surefoot.curves import FINDERS, Finder
from surefoot.engine import TorchRun

FOLDER = Path(__file__).parent / "results" / "lr_finders"
OURS = "surefoot"
WITHIN, FURTHER = 0.10, 0.30


@dataclass(frozen=True)
class Pick:
    """What a finder said: a rate, its interval where it gives one, and its price in trainings."""

    value: float | None
    low: float | None
    high: float | None
    price: float
    seconds: float


def ours(grid: Grid, case: Case, seed: int) -> Pick:
    """What ``sf.probe`` suggests."""
    task = TASKS[grid.task]()
    assert task is not None
    found = sf.probe(task, recipe_of(case, 1e-3), seed=seed)
    rate = found.learning_rate
    return Pick(rate.value, rate.low, rate.high, found.trainings, found.record.seconds)


def rival(finder: Finder, grid: Grid, case: Case, seed: int) -> Pick:
    """What a rule suggests after its own sweep."""
    factory = grid.factory
    assert factory is not None
    recipe = recipe_of(case, 1e-3).complete(factory.num_rows)
    run: TorchRun = factory.create(recipe, seed=seed)
    losses: list[float] = []
    for rate in finder.rates:
        losses.append(run.step_at(rate, batch_size=case.batch))
        if finder.is_over(losses):
            break
    value = finder.suggest(finder.rates[: len(losses)], losses)
    usable = value is not None and math.isfinite(value) and value > 0
    price = len(losses) * min(case.batch, factory.num_rows) / factory.training_samples
    return Pick(value if usable else None, None, None, price, math.nan)


class Picks:
    """What every finder said, stored."""

    def __init__(self, task: str) -> None:
        self.path = FOLDER / f"{task}.json"
        self._found = json.loads(self.path.read_text()) if self.path.is_file() else {}

    def pick(self, finder: str, grid: Grid, case: Case, seed: int) -> Pick:
        """A finder's pick, made now if it is not stored."""
        key = f"{finder}/{case.optimizer}/b{case.batch}/s{seed}"
        if key not in self._found:
            made = ours(grid, case, seed) if finder == OURS else rival(FINDERS[finder], grid, case, seed)
            values = asdict(made).items()
            self._found[key] = {name: None if value is None or math.isnan(value) else value for name, value in values}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(self._found, indent=0, sort_keys=True) + "\n")
        return Pick(**self._found[key])


@dataclass(frozen=True)
class Verdict:
    """One finder on one case, means over seeds.

    Attributes:
        ratio: loss over the grid's best, infinite where a training diverged or there was no rate.
        is_good: within 10 % or one seed deviation.
        diverged: trainings that did.
        missing: seeds without a rate.
        width: of the interval in decades, not-a-number without one.
        meets: the interval holds a rate that ties with the best.
        price: in trainings.
    """

    ratio: float
    is_good: bool
    diverged: int
    missing: int
    width: float
    meets: bool
    price: float


def judge(finder: str, grid: Grid, picks: Picks, case: Case, kind: str) -> Verdict:
    """Train at what the finder picked and compare."""
    losses = grid.losses(case, kind=kind)
    means = np.where(np.isfinite(losses).all(axis=1), losses.mean(axis=1), math.inf)
    best = int(np.argmin(means))
    deviation = float(losses[best].std(ddof=1) / means[best]) if losses.shape[1] > 1 else 0.0
    tolerance = 1.0 + max(WITHIN, deviation)
    ties = [rate for rate, mean in zip(RATES[case.optimizer], means, strict=True) if mean <= tolerance * means[best]]
    found = [(seed, picks.pick(finder, grid, case, seed)) for seed in grid.seeds]
    ended, diverged, widths, meets = [], 0, [], []
    for seed, pick in found:
        if pick.value is None:
            ended.append(math.inf)
            meets.append(False)
            continue
        outcome = grid.outcome(case, pick.value, seed)
        ended.append(getattr(outcome, kind))
        diverged += outcome.has_diverged
        if pick.low is not None and pick.high is not None:
            widths.append(math.log10(pick.high / pick.low))
            meets.append(any(pick.low <= rate <= pick.high for rate in ties))
    ratio = float(np.mean(ended) / means[best])
    missing = sum(pick.value is None for _, pick in found)
    width = max(widths, default=math.nan)
    price = statistics.mean(pick.price for _, pick in found)
    is_met = bool(meets) and sum(meets) * 2 > len(meets)
    return Verdict(ratio, ratio <= tolerance, diverged, missing, width, is_met, price)


def interval_of(differences: list[float]) -> tuple[float, float]:
    """A paired bootstrap interval of a mean, 95 %."""
    random = np.random.default_rng(0)
    draws = random.choice(np.array(differences), size=(4000, len(differences))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def main(names: list[str]) -> None:
    """Print a line a case, then a line a finder, by the loss at the end and by the best weights'."""
    torch.set_num_threads(1)
    finders = [OURS, *FINDERS]
    verdicts: dict[str, dict[str, dict[str, Verdict]]] = {"last": {}, "best": {}}
    for name in names:
        grid, picks = Grid(name), Picks(name)
        for case in grid.cases:
            for kind, found in verdicts.items():
                found[case.name] = {finder: judge(finder, grid, picks, case, kind) for finder in finders}
            line = " ".join(f"{verdicts['last'][case.name][finder].ratio:9.2f}" for finder in finders)
            print(f"{case.name:<34}{line}", flush=True)
    print("\ncolumns: " + ", ".join(finders))
    for kind, found in verdicts.items():
        print(f"\nby the {kind} loss of a training, {len(found)} cases")
        print("| finder | within 10 % | within 30 % | diverged | no rate | worse than ours by, 95 % | price |")
        print("|---|---|---|---|---|---|---|")
        for finder in finders:
            own = [by_finder[finder] for by_finder in found.values()]
            good, fair = sum(one.is_good for one in own), sum(one.ratio <= 1.0 + FURTHER or one.is_good for one in own)
            gaps = [
                math.log(min(by_finder[finder].ratio, 10.0) / min(by_finder[OURS].ratio, 10.0))
                for by_finder in found.values()
            ]
            low, high = interval_of(gaps)
            gap = "-" if finder == OURS else f"{math.exp(low):.2f} to {math.exp(high):.2f}"
            price = statistics.mean(one.price for one in own)
            print(
                f"| {finder} | {good} ({good / len(own):.0%}) | {fair} ({fair / len(own):.0%}) "
                f"| {sum(one.diverged for one in own)} | {sum(one.missing for one in own)} | {gap} | {price:.3f} |"
            )
        mine = [by_finder[OURS] for by_finder in found.values()]
        widths = [one.width for one in mine if not math.isnan(one.width)]
        print(
            f"our interval: at most {max(widths):.2f} decades, meets the best in {np.mean([m.meets for m in mine]):.0%}"
        )


if __name__ == "__main__":
    main(sys.argv[1:] or list(TASKS))
