"""What a split promises and what the future keeps: ratings of movies, held out at random, by user and by time.

``python -m benchmarks.leakage [--seeds 3]``. The newest fifth of the ratings is the future. Of the others a quarter is
held out in each of three ways; the rest trains the same model, and its loss on what was held out is what somebody would
expect of the future.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np

import surefoot as sf
from benchmarks.probe_tasks import factors_of, rated_movies


def main() -> int:
    """Print the losses: mean over seeds and, in brackets, their standard deviation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    found = rated_movies()
    if found is None:
        print("the ratings are not here: set SUREFOOT_DATA")
        return 0
    codes, ratings, when = found
    order = np.argsort(when, kind="stable")
    past, future = np.split(order, [round(0.8 * len(order))])
    known = np.isin(codes[future], np.unique(codes[past, 0]))[:, 0].mean()
    print(f"{len(past):,} ratings, then {len(future):,}, {known:.0%} of them by users known before\n")
    print("| held out | mean squared error on it | and on the future | the future is worse by |\n|---|---|---|---|")
    ways: dict[str, dict[str, Any]] = {
        "at random": {}, "whole users": {"groups": codes[past, 0]}, "the latest": {"times": when[past]},
    }  # fmt: skip
    for name, way in ways.items():
        losses = []
        for seed in range(arguments.seeds):
            task = sf.Task(
                factors_of(codes), (codes[past], ratings[past]), validation=0.25, test=(codes[future], ratings[future]),
                loss="mean_squared_error", epochs=3, **way,
            )  # fmt: skip
            metrics = sf.fit(task, seed=seed).metrics
            losses.append((metrics["validation_loss"], metrics["test_loss"]))
        held, kept = np.array(losses).T
        cells = [f"{values.mean():.3f} ({values.std(ddof=1):.3f})" for values in (held, kept)]
        print(f"| {name} | {cells[0]} | {cells[1]} | {kept.mean() / held.mean() - 1:.0%} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
