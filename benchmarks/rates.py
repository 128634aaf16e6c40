"""Where the best learning rate and decay lie, by share of the horizon: every grid point trained.

``python -m benchmarks.rates digits iris ...`` prints, for each optimizer and share, the best test loss and in brackets
its rate and its decay coordinate c. Optimizers AdamW and SGD with Nesterov momentum 0.9; rates half a decade apart.
"""

from __future__ import annotations

import itertools
import math
import statistics
import sys

from benchmarks.tasks import HEAVY
from surefoot import tasks
from surefoot.engine import TorchFactory
from surefoot.protocols import Candidate
from surefoot.recipe import Recipe
from surefoot.training import Conditions, train
from surefoot.tuning.decay import with_decay_coordinate

RATES = {
    "adamw": (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    "sgd": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
}
DECAYS = (0.0, 0.5, 1.5, 5.0)
SHARES = (1 / 16, 1 / 4, 1.0)
SEEDS = (0, 1)


def test_loss(factory: TorchFactory, recipe: Recipe, *, share: float, seed: int) -> float:
    """The test loss of one training's best weights; infinite when it diverged."""
    run = factory.create(recipe, seed=seed, share=share)
    conditions = Conditions(factory.num_rows, factory.training_samples, factory.objective)
    record = train(run, Candidate(0, "run", "grid", share, recipe, seed), conditions)
    return run.evaluate("test")["loss"] if record.best is not None else math.inf


def best(factory: TorchFactory, optimizer: str, share: float) -> str:
    """The best cell of a grid."""
    found = []
    for rate, decay in itertools.product(RATES[optimizer], DECAYS):
        recipe = Recipe(optimizer={"name": optimizer, "learning_rate": rate}).complete(factory.num_rows)
        steps = share * factory.training_samples / (recipe.batch.size or 1)
        recipe = with_decay_coordinate(recipe, decay, num_steps=steps)
        losses = [test_loss(factory, recipe, share=share, seed=seed) for seed in SEEDS]
        found.append((statistics.mean(losses), rate, decay))
    loss, rate, decay = min(found)
    return f"{loss:.3f} ({rate:g}, {decay:g})"


def main(names: list[str]) -> None:
    """Print a table with a line a task and optimizer."""
    print("| task | optimizer | 1/16 | 1/4 | 1 |\n|---|---|---|---|---|")
    for name in names:
        task = HEAVY[name]() if name in HEAVY else tasks.builtin(name)
        if task is None:
            print(f"| {name} | its data is not here | | | |")
            continue
        factory = TorchFactory(task)
        for optimizer in RATES:
            cells = " | ".join(best(factory, optimizer, share) for share in SHARES)
            print(f"| {name} | {optimizer} | {cells} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or [*tasks.BUILTIN, *HEAVY])
