"""SurefootSampler and SurefootPruner against TPE and random search on the same objectives, epoch by epoch.

``python -m benchmarks.optuna_door [--seeds 5] [--only digits]``. Every contender has as many epochs as eight whole
trainings take, and after 1, 2, 4 and 8 of them stands for the test loss of the best look so far, chosen by validation
loss: the model that somebody who stopped then would have. A seed draws the split, the initial weights and the sampler;
within a seed contenders take turns, each time another one first. Ratios to ours are paired by seed, their 95 % interval
by Student's t over logarithms. An objective is what a user writes: a constant rate, wide ranges, one report an epoch.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import fmean, median, stdev
from typing import Any

import numpy as np
import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from benchmarks.sklearn_search import adult as adult_split
from benchmarks.tasks import data_folder, fashion_mnist_10k
from surefoot.integrations.optuna import SurefootPruner, SurefootSampler

MARKS = (1, 2, 4, 8)
Looks = Iterator[tuple[float, float]]
Contender = Callable[[int, int], tuple[BaseSampler, BasePruner]]
CONTENDERS: dict[str, Contender] = {
    "ours": lambda seed, epochs: (SurefootSampler(seed=seed), SurefootPruner(num_steps=epochs)),
    "TPE, MedianPruner": lambda seed, _: (TPESampler(seed=seed), MedianPruner()),
    "TPE, HyperbandPruner": lambda seed, epochs: (TPESampler(seed=seed), HyperbandPruner(max_resource=epochs)),
    "RandomSampler": lambda seed, _: (RandomSampler(seed=seed), NopPruner()),
}


@dataclass(frozen=True)
class Case:
    """``prepare(seed)`` gives the training of a trial: its validation and its test loss after every epoch."""

    epochs: int
    prepare: Callable[[int], Callable[[optuna.Trial], Looks]]


def digits(seed: int) -> Callable[[optuna.Trial], Looks]:
    rows, labels = load_digits(return_X_y=True)
    parts = _split(rows / 16, labels, seed)

    def train(trial: optuna.Trial) -> Looks:
        model = MLPClassifier(
            (trial.suggest_int("width", 16, 128, log=True),),
            learning_rate_init=trial.suggest_float("lr", 1e-5, 1.0, log=True),
            batch_size=trial.suggest_categorical("batch_size", [8, 16, 32, 64, 128, 256]),
            alpha=trial.suggest_float("alpha", 1e-6, 1e-1, log=True),
            random_state=seed,
        )
        return _fitted(model, parts, epochs=20)

    return train


def adult(seed: int) -> Callable[[optuna.Trial], Looks]:
    whole, known, test, asked = adult_split(seed)
    some, labels = whole[:8000], known[:8000]
    inner = train_test_split(some, labels, test_size=0.25, stratify=labels, random_state=seed)
    parts = (inner[0], inner[2], inner[1], inner[3], test, asked)

    def train(trial: optuna.Trial) -> Looks:
        model = SGDClassifier(
            loss="log_loss",
            learning_rate="constant",
            eta0=trial.suggest_float("eta0", 1e-6, 1.0, log=True),
            alpha=trial.suggest_float("alpha", 1e-7, 1e-1, log=True),
            penalty=trial.suggest_categorical("penalty", ["l2", "l1", "elasticnet"]),
            random_state=seed,
        )
        return _fitted(model, parts, epochs=10)

    return train


def fashion(seed: int) -> Callable[[optuna.Trial], Looks]:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    task = fashion_mnist_10k()
    assert task is not None
    inputs, targets = (torch.as_tensor(np.asarray(part)) for part in task.train)
    inputs = inputs.flatten(1).float()
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(seed))[:6000]
    train_rows, held_out, test = order[:2000], order[2000:4000], order[4000:]
    criterion = nn.CrossEntropyLoss()

    def train(trial: optuna.Trial) -> Looks:
        torch.manual_seed(seed)
        width = trial.suggest_int("hidden", 16, 128, log=True)
        model = nn.Sequential(nn.Linear(inputs.shape[1], width), nn.ReLU(), nn.Linear(width, 10))
        kind = trial.suggest_categorical("optimizer", ["sgd", "adam"])
        rate = trial.suggest_float("learning_rate", 1e-5, 1.0, log=True)
        decay = trial.suggest_float("weight_decay", 1e-6, 1e-1, log=True)
        size = trial.suggest_categorical("batch_size", [16, 32, 64, 128, 256])
        optimizer: Any = torch.optim.AdamW(model.parameters(), rate, weight_decay=decay)
        if kind == "sgd":
            optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9, weight_decay=decay)
        for _ in range(10):
            for batch in train_rows[torch.randperm(len(train_rows))].split(size):
                optimizer.zero_grad()
                criterion(model(inputs[batch]), targets[batch]).backward()
                optimizer.step()
            with torch.no_grad():
                yield tuple(float(criterion(model(inputs[rows]), targets[rows])) for rows in (held_out, test))  # type: ignore[misc] # two of them

    return train


CASES = {
    "MLPClassifier on digits, 20 epochs": Case(20, digits),
    "SGDClassifier on 6,000 rows of adult, 10 epochs": Case(10, adult),
    "PyTorch on 2,000 rows of Fashion-MNIST, 10 epochs": Case(10, fashion),
}


def _split(rows: Any, labels: Any, seed: int) -> tuple[Any, ...]:
    """60, 20 and 20 %."""
    rest, test, known, asked = train_test_split(rows, labels, test_size=0.2, stratify=labels, random_state=seed)
    train, held_out, first, second = train_test_split(rest, known, test_size=0.25, stratify=known, random_state=seed)
    return train, first, held_out, second, test, asked


def _fitted(model: Any, parts: tuple[Any, ...], *, epochs: int) -> Looks:
    train, known, *looked_at = parts
    for _ in range(epochs):
        try:
            model.partial_fit(train, known, classes=np.unique(known))
        except ValueError:  # weights that are no numbers any more
            yield math.nan, math.nan
            return
        losses = []
        for rows, labels in zip(looked_at[::2], looked_at[1::2], strict=True):
            chances = model.predict_proba(rows)
            losses.append(log_loss(labels, chances) if np.isfinite(chances).all() else math.nan)
        yield losses[0], losses[1]


def search(case: Case, contender: Contender, seed: int) -> list[float]:
    """The test loss at every mark."""
    train, marks = case.prepare(seed), [mark * case.epochs for mark in MARKS]
    sampler, pruner = contender(seed, case.epochs)
    study = optuna.create_study(sampler=sampler, pruner=pruner)
    best, history = (math.inf, math.inf), list[float]()

    def objective(trial: optuna.Trial) -> float:
        nonlocal best
        value = math.nan
        for epoch, (value, test) in enumerate(train(trial)):
            best = min(best, (value, test)) if math.isfinite(value) else best
            history.append(best[1])
            if len(history) == marks[-1]:
                study.stop()
                break
            trial.report(value if math.isfinite(value) else 1e3, epoch)  # Optuna's own pruners warn of not-a-number
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    study.optimize(objective)
    return [history[mark - 1] for mark in marks]


def compare(name: str, case: Case, seeds: int, first: int) -> list[str]:
    """Rows of the table."""
    found: dict[str, list[list[float]]] = {who: [] for who in CONTENDERS}
    for seed in range(first, first + seeds):
        order = list(CONTENDERS)
        for who in order[seed % len(order) :] + order[: seed % len(order)]:
            started = time.process_time()
            found[who].append(search(case, CONTENDERS[who], seed))
            took, losses = time.process_time() - started, " ".join(f"{loss:.4f}" for loss in found[who][-1])
            print(f"  {name}, seed {seed}, {who}: {losses} in {took:.0f} s", flush=True)
    rows = []
    for who, losses in found.items():
        cells = [f"{median(column):.4f}" for column in zip(*losses, strict=True)]
        if who != "ours":
            cells += [_ratio(losses, found["ours"], mark, mark) for mark in (1, 2)]
            cells += [_ratio(losses, found["ours"], 3, 2), _ratio(losses, found["ours"], 3, 3)]
        rows.append("| " + " | ".join([name, who, *cells]) + " |")
    return rows


def _ratio(theirs: list[list[float]], ours: list[list[float]], their_mark: int, our_mark: int) -> str:
    """Theirs over ours, above 1 where ours is better."""
    logs = [math.log(one[their_mark] / other[our_mark]) for one, other in zip(theirs, ours, strict=True)]
    half = float(stats.t.ppf(0.975, len(logs) - 1)) * stdev(logs) / math.sqrt(len(logs))
    return f"{math.exp(fmean(logs)):.2f} ({math.exp(fmean(logs) - half):.2f} to {math.exp(fmean(logs) + half):.2f})"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--only", default="", help="a part of a case's name")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # networks that have not converged
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    rows = []
    for name, case in CASES.items():
        if given.only in name and ("digits" in name or data_folder("adult") is not None):
            rows += compare(name, case, given.seeds, given.seed)
    print("| objective | contender | test loss @1 | @2 | @4 | @8 | ratio @2 | @4 | theirs @8, ours @4 | @8 |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    print("\n".join(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
