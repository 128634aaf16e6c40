"""What the validation rows add: a training that chose by them, and its refits on all rows, test loss over five splits.

``python -m benchmarks.refit`` prints a line a task; the third column is a refit whose weight decay does not follow the
rows, the fourth one where looks of the first training decide nothing (its end, not its best look, is refitted).
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import surefoot as sf
from surefoot import tasks
from surefoot.tasks.union import without_validation

TASKS = ("digits", "breast_cancer", "wine", "diabetes")
SPLITS = 5
# Rates and decay near the medians of what studies of these tasks ended with (benchmarks/results/price_of_two).
RECIPE = sf.Recipe(optimizer={"name": "adamw", "learning_rate": 0.01, "weight_decay": 0.1}, batch={"size": 32})


def compared(name: str, split: int) -> tuple[float, float, float, float]:
    """Test losses: chosen by validation, refitted, refitted with the same weight decay, refitted to the end."""
    task = tasks.builtin(name, split=split)
    chosen = sf.fit(task, RECIPE, seed=split)
    refitted = sf.refit(chosen, task, seed=split)
    assert refitted.recipe is not None
    plain = refitted.recipe.with_changes({"optimizer.weight_decay": RECIPE.optimizer.weight_decay})
    same = _blind(task, plain, split)
    whole = sf.refit(RECIPE, task, seed=split)
    return tuple(result.metrics["test_loss"] for result in (chosen, refitted, same, whole))  # type: ignore[return-value]


def _blind(task: tasks.Task, recipe: sf.Recipe, seed: int) -> sf.Result:
    """A training on all rows with a recipe as it is."""
    from surefoot.protocols import Silent
    from surefoot.workflows.fit import fit_looking_at

    return fit_looking_at(
        (), without_validation(task), recipe, seed=seed, name="same decay", directory=None, resume=False,
        overwrite=False, callbacks=(), observer=Silent(),
    )  # fmt: skip


def line(name: str, losses: Sequence[tuple[float, float, float, float]]) -> str:
    """Means, and how each refit differs from the chosen one, paired by split."""
    means = [statistics.mean(column) for column in zip(*losses, strict=True)]
    cells = [f"{name:<14}{means[0]:>9.4f}"]
    for column in (1, 2, 3):
        changes = [row[column] - row[0] for row in losses]
        better = sum(change < 0 for change in changes)
        change = f"{statistics.mean(changes):+.4f} ± {statistics.stdev(changes):.4f}"
        cells.append(f"{means[column]:>9.4f} {change}, {better} of {SPLITS}")
    return "   ".join(cells)


def main() -> None:
    """Print the table: the change is in test loss, and how many splits became better."""
    print(f"{'task':<14}{'chosen':>9}   {'refit':>9}{'':<29}{'same decay':>9}{'':<29}{'to the end':>9}")
    for name in TASKS:
        print(line(name, [compared(name, split) for split in range(SPLITS)]), flush=True)


if __name__ == "__main__":
    main()
