"""Three ways to a model for the same task, with several seeds: what many people type, our defaults, and tuned."""

from __future__ import annotations

from statistics import fmean, stdev

import surefoot as sf

BY_HABIT = sf.Recipe(
    optimizer={"name": "adam", "learning_rate": 1e-3},
    schedule={"name": "constant", "warmup": 0},
    batch={"size": 32},
)


def side_by_side(task: sf.Task, *, seeds: int, budget: float = 2.0, metric: str) -> dict[str, list[float]]:
    """Train in the three ways from each seed; print and give back a metric of the test rows."""
    found: dict[str, list[float]] = {"Adam 0.001, batch 32": [], "our defaults": [], "tuned": []}
    for seed in range(seeds):
        results = sf.fit(task, BY_HABIT, seed=seed), sf.fit(task, seed=seed), sf.tune(task, budget=budget, seed=seed)
        for name, result in zip(found, results, strict=True):
            found[name].append(result.metrics[metric])
    print(f"\n{metric} over {seeds} seeds")
    for name, values in found.items():
        spread = f" ± {stdev(values):.4f}" if seeds > 1 else ""
        print(f"  {name:<22}{fmean(values):.4f}{spread}   of {', '.join(f'{value:.4f}' for value in values)}")
    return found
