"""RecipeSearchCV against HalvingRandomSearchCV: MLPClassifier on digits, SGDClassifier on adult; five splits each.

``python -m benchmarks.sklearn_search [--splits 5] [--seed 0]``. A split holds out a fifth of the rows for the test,
stratified; within a split the searches take turns, each time another one first, on one thread and one process. All
search rate, batch (networks), decay and schedule of an estimator that is otherwise scikit-learn's default; the rival
draws from the distributions in ``CASES`` and tries candidates until the rows are used up. By itself it judges a
candidate on five folds and ours on one part held out, so each is also run in the other's way: ``PAIRS`` has the
comparisons. Differences of test scores are paired, with a 95 % interval by Student's t.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import fmean, stdev
from typing import Any

import numpy as np
from scipy import stats
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - importing it is how one enables it
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import HalvingRandomSearchCV, StratifiedShuffleSplit, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.tasks import ADULT_COLUMNS, adult_rows, data_folder
from surefoot.integrations.sklearn import RecipeSearchCV

NUMBERS = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
Parts = tuple[Any, Any, Any, Any]
Measured = dict[str, list[float]]


@dataclass(frozen=True)
class Case:
    """An estimator, its rows of a split, and what the rival draws from."""

    estimator: Callable[[int], Any]
    rows: Callable[[int], Parts]
    num_classes: int
    distributions: dict[str, Any]


def digits(split: int) -> Parts:
    rows, labels = load_digits(return_X_y=True)
    train, test, known, asked = train_test_split(rows / 16, labels, test_size=0.2, stratify=labels, random_state=split)
    return train, known, test, asked


def adult(split: int) -> Parts:
    table = np.array(adult_rows("train"), dtype=object)
    labels = table[:, -1].astype(str)
    train, test, known, asked = train_test_split(
        table[:, :-1], labels, test_size=0.2, stratify=labels, random_state=split
    )
    numbers = [ADULT_COLUMNS.index(name) for name in NUMBERS]
    others = [place for place in range(len(ADULT_COLUMNS) - 1) if place not in numbers]
    encoder = ColumnTransformer(
        [
            ("numbers", StandardScaler(), numbers),
            ("words", OneHotEncoder(handle_unknown="ignore", sparse_output=False), others),
        ]
    )
    return encoder.fit_transform(train), known, encoder.transform(test), asked


CASES = {
    "MLPClassifier on digits": Case(
        lambda seed: MLPClassifier(random_state=seed),
        digits,
        10,
        {
            "learning_rate_init": stats.loguniform(1e-4, 1e-1),
            "batch_size": [16, 32, 64, 128, 200],
            "alpha": stats.loguniform(1e-6, 1e-1),
        },
    ),
    "SGDClassifier on adult": Case(
        lambda seed: SGDClassifier(random_state=seed),
        adult,
        2,
        {
            "eta0": stats.loguniform(1e-5, 1e-1),
            "alpha": stats.loguniform(1e-7, 1e-1),
            "learning_rate": ["optimal", "constant", "invscaling", "adaptive"],
        },
    ),
}


# What is held against what: both as they come, both on one part held out, both on five folds.
PAIRS = {
    "as they come": ("ours, a fifth", "halving, five folds"),
    "a fifth held out": ("ours, a fifth", "halving, a fifth"),
    "five folds": ("ours, five folds", "halving, five folds"),
}


def searches(case: Case, seed: int) -> dict[str, Any]:
    """Every search that a pair names."""
    fifth = StratifiedShuffleSplit(1, test_size=0.2, random_state=seed)
    halving = partial(HalvingRandomSearchCV, case.estimator(seed), case.distributions, random_state=seed)
    return {
        "ours, a fifth": RecipeSearchCV(case.estimator(seed), random_state=seed),
        "halving, five folds": halving(),
        "ours, five folds": RecipeSearchCV(case.estimator(seed), cv=5, random_state=seed),
        # it begins with as many candidates as on five folds: by itself it would take a fifth of these rows
        "halving, a fifth": halving(cv=fifth, min_resources=5 * 2 * case.num_classes),
    }


def measured(name: str, case: Case, splits: int, seed: int) -> tuple[Measured, Measured]:
    """Test scores and processor seconds of every search, a number a split."""
    scores: Measured = {}
    seconds: Measured = {}
    for split in range(splits):
        train, known, test, asked = case.rows(split)
        found = list(searches(case, seed + split).items())
        for who, search in found[split % len(found) :] + found[: split % len(found)]:
            started = time.process_time()
            search.fit(train, known)
            seconds.setdefault(who, []).append(time.process_time() - started)
            scores.setdefault(who, []).append(float(search.score(test, asked)))
            print(f"  {name}, split {split}, {who}: {scores[who][-1]:.4f} in {seconds[who][-1]:.1f} s", flush=True)
    return scores, seconds


def row(name: str, pair: str, scores: Measured, seconds: Measured) -> str:
    """A row of the table: scores, seconds and their paired difference."""
    ours, theirs = PAIRS[pair]
    gains = [one - other for one, other in zip(scores[ours], scores[theirs], strict=True)]
    half = stats.t.ppf(0.975, len(gains) - 1) * stdev(gains) / math.sqrt(len(gains))
    ratio = sum(seconds[ours]) / sum(seconds[theirs])
    reached = [f"{fmean(scores[who]):.4f} ± {stdev(scores[who]):.4f}" for who in (ours, theirs)]
    gain = f"{fmean(gains):+.4f} ({fmean(gains) - half:+.4f} to {fmean(gains) + half:+.4f})"
    took = [f"{fmean(seconds[who]):.1f}" for who in (ours, theirs)]
    return "| " + " | ".join([name, pair, *reached, gain, *took, f"{ratio:.2f}"]) + " |"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a part of a case's name")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # runs of the rival that have not converged
    rows = []
    for name, case in CASES.items():
        if given.only in name and ("adult" not in name or data_folder("adult") is not None):
            found = measured(name, case, given.splits, given.seed)
            rows += [row(name, pair, *found) for pair in PAIRS]
    print("| task | judged on | ours, test score | halving | gain, 95 % | ours, CPU seconds | halving | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
