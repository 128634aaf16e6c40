"""Where range tests find their minimum: one sweep a task, optimizer and seed, as the tuner runs them.

``python -m benchmarks.sweeps`` prints the rate at the minimum of each, and their medians beside the tuner's priors.
"""

from __future__ import annotations

import statistics
from collections import defaultdict

from benchmarks.tasks import HEAVY
from surefoot import tasks
from surefoot.curves.sweep import BELOW_MINIMUM
from surefoot.engine import TorchFactory
from surefoot.recipe import Recipe
from surefoot.workflows.measuring import measure

SEEDS = range(3)


def main() -> None:
    """Print a line a task, then the medians."""
    found: dict[str, list[float]] = defaultdict(list)
    for name in [*tasks.BUILTIN, *HEAVY]:
        task = HEAVY[name]() if name in HEAVY else tasks.builtin(name)
        if task is None:
            continue
        factory = TorchFactory(task)
        recipes = [Recipe(optimizer={"name": key}).complete(factory.num_rows) for key in ("adamw", "sgd")]
        line = []
        for seed in SEEDS:
            for test in measure(factory, recipes, seed=seed):
                edge = None if test.value is None else BELOW_MINIMUM * test.value
                found[test.optimizer] += [] if edge is None else [edge]
                line.append(f"{test.optimizer} {'-' if edge is None else f'{edge:.3f}'}")
        print(f"{name:<18} {'  '.join(line)}", flush=True)
    for name, edges in found.items():
        print(f"{name}: {min(edges):.3g} to {max(edges):.3g}, median {statistics.median(edges):.3g} of {len(edges)}")


if __name__ == "__main__":
    main()
