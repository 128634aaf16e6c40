"""What is left of the judgement of rates on problems and optimizers that had no part in choosing its thresholds.

    python -m benchmarks.held_out_rates

Of a coarse grid, the shares that agree best with DeepOBS's sweeps without one problem (or one optimizer) judge the runs
of that one; for logs that have the loss before the first step and for those that begin after the first epoch.
"""

from __future__ import annotations

import itertools

import numpy as np

from benchmarks.verdicts import BY, half_runs, is_right, without_start
from surefoot.diagnosis.learning_rate import Shares

GRIDS = {
    "with the start": (np.array([0.01, 0.02, 0.03, 0.05]), np.array([0.05, 0.1, 0.2]), np.array([0.3, 0.4, 0.5, 0.6])),
    "without it": (np.array([0.02, 0.05, 0.08, 0.12]), np.array([0.1, 0.5, 1.0]), np.array([0.1, 0.2, 0.3, 0.5])),
}


def main() -> None:
    runs = [(by, run) for by in BY for run in half_runs(by)]
    by = np.array([one for one, _ in runs])
    groups = {
        "problem": np.array([run.problem for _, run in runs]),
        "optimizer": np.array([run.optimizer for _, run in runs]),
    }
    for name, grid in GRIDS.items():
        logs = [run if name == "with the start" else run._replace(log=without_start(run.log)) for _, run in runs]
        tried = [Shares(*(float(value) for value in values)) for values in itertools.product(*grid)]
        right = np.array([[is_right(run, shares=shares) for run in logs] for shares in tried])
        best = right.mean(axis=1).argmax()
        print(f"{name}: {tried[best]}", told(right[best], by), flush=True)
        for kind, of in groups.items():
            held_out = np.zeros(len(runs), dtype=bool)
            for one in np.unique(of):
                chosen = right[:, of != one].mean(axis=1).argmax()
                held_out[of == one] = right[chosen][of == one]
            print(f"  each {kind} held out:", told(held_out, by), flush=True)


def told(right: np.ndarray, by: np.ndarray) -> str:
    return ", ".join(f"{right[by == name].mean():.3f} by {words}" for name, words in BY.items())


if __name__ == "__main__":
    main()
