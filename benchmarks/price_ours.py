"""Our half of "price of two": what ``tune`` reaches at a few budgets on the rivals' tasks and seeds.

``python -m benchmarks.price_ours [--tasks a,b] [--budgets 2,1.25] [--seeds 0-7] [--again]`` tunes what is not stored in
``benchmarks/results/price_of_two`` and prints a line for each; ``--again`` tunes everything anew, as is due after the
search has changed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

import torch

import surefoot as sf
from benchmarks.price_store import Finished, Record, Store
from benchmarks.price_tasks import TASKS

__all__ = ["BUDGETS", "key_of", "method_of", "tuned"]

BUDGETS = (2.0, 1.25)


def method_of(budget: float) -> str:
    """How the store calls a budget."""
    return f"surefoot_{budget:g}"


def key_of(seed: int) -> str:
    """Under what a study is stored."""
    return f"surefoot {sf.__version__}/{seed}"


def tuned(task: str, budget: float, seed: int, *, again: bool = False) -> Record | None:
    """A study as stored, or tuned now and stored; None where the task's data is not here."""
    made = TASKS[task](seed)
    if made is None:
        return None
    store, samples = Store(task, method_of(budget)), round(made.epochs * len(made.train[0]))
    found = None if again else store.find(key_of(seed), most_price=budget, training_samples=samples)
    if found is not None:
        return found
    result = sf.tune(made, budget=budget, seed=seed)
    assert result.recipe is not None
    about = f"{result.recipe.optimizer.name} {result.recipe.optimizer.learning_rate:.3g} b{result.recipe.batch.size}"
    losses = result.metrics["validation_loss"], result.metrics["test_loss"]
    trial = Finished(result.cost.trainings, result.cost.seconds, *losses, "complete", about)
    record = Record(budget, samples, (trial,))
    store.add(key_of(seed), record)
    return record


def main(tasks: Iterable[str], budgets: Iterable[float], seeds: Iterable[int], *, again: bool) -> None:
    """Tune what is missing and print it."""
    torch.set_num_threads(1)
    for seed in seeds:
        for task in tasks:
            for budget in budgets:
                record = tuned(task, budget, seed, again=again)
                if record is None:
                    print(f"{task}: its data is not here")
                    continue
                trial = record.trials[0]
                print(
                    f"{task:<16} seed {seed}  budget {budget:<5g} price {trial.price:.3f}  test {trial.test:.4f}  "
                    f"validation {trial.validation:.4f}  {trial.seconds:.1f} s  {trial.about}",
                    flush=True,
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--budgets", default=",".join(f"{budget:g}" for budget in BUDGETS))
    parser.add_argument("--seeds", default="0-7")
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    first, _, last = given.seeds.partition("-")
    main(
        given.tasks.split(","),
        [float(budget) for budget in given.budgets.split(",")],
        range(int(first), int(last or first) + 1),
        again=given.again,
    )
