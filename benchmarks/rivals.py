"""The rivals' half of "price of two": test loss of each tuner's best model by validation, against what it paid.

``python -m benchmarks.rivals [--tasks a,b] [--methods x,y] [--seeds 0-7] [--most-price P]`` runs every study that is
not stored in ``benchmarks/results/price_of_two`` and prints a line for each. Every rival drives the same engine on the
same space, so that only the choice of what to train next differs. ``pip install surefoot[bench]`` brings the tools.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from benchmarks.price_store import Record, Store, incumbent
from benchmarks.price_tasks import TASKS
from benchmarks.price_trials import Study, bench

__all__ = ["METHODS", "Method"]


@dataclass(frozen=True)
class Method:
    """A rival: the function that runs it, the package whose version its results belong to, how far it goes."""

    function: str
    package: str
    price: float

    @property
    def run(self) -> Callable[[Study], None]:
        """The function, its tool imported now."""
        module, _, name = self.function.partition(":")
        found: Callable[[Study], None] = getattr(importlib.import_module(f"benchmarks.{module}"), name)
        return found

    def key(self, seed: int) -> str:
        """Under what a study is stored."""
        return f"{self.package} {importlib.metadata.version(self.package)}/{seed}"


METHODS = {
    "optuna_tpe_hyperband": Method("rival_optuna:tpe_hyperband", "optuna", 40),
    "optuna_gp": Method("rival_optuna:gaussian_process", "optuna", 40),
    "random_halving": Method("rival_optuna:random_halving", "optuna", 40),
    "ray_asha": Method("rival_ray:asha", "ray", 10),
    "keras_tuner_hyperband": Method("rival_keras_tuner:hyperband", "keras-tuner", 10),
    "schedule_free_adamw": Method("rival_untuned:schedule_free_adamw", "schedulefree", 1),
    "prodigy": Method("rival_untuned:prodigy", "prodigyopt", 1),
}


def main(tasks: Iterable[str], methods: Iterable[str], seeds: Iterable[int], *, most_price: float | None) -> None:
    """Run what is missing, all tasks and methods at one seed before the next."""
    torch.set_num_threads(1)
    for seed in seeds:
        for task in tasks:
            for name in methods:
                record, is_new = study(task, name, seed, most_price=most_price)
                print(_line(task, name, seed, record, is_new=is_new), flush=True)


def study(task: str, name: str, seed: int, *, most_price: float | None = None) -> tuple[Record | None, bool]:
    """A study as stored, or run now and stored, and whether it is new; None where the task's data is not here."""
    method, ground = METHODS[name], bench(task, seed)
    if ground is None:
        return None, False
    limit = method.price if most_price is None else min(most_price, method.price)
    store, key = Store(task, name), method.key(seed)
    found = store.find(key, most_price=limit, training_samples=ground.factory.training_samples)
    if found is not None:
        return found, False
    at_work = Study(ground, seed=seed, most_price=limit)
    method.run(at_work)
    store.add(key, at_work.record)
    return at_work.record, True


def _line(task: str, method: str, seed: int, record: Record | None, *, is_new: bool) -> str:
    head = f"{task:<16}{method:<22}{seed:>2}"
    if record is None:
        return f"{head}  its data is not here"
    prices = [price for price in (1, 2, 5, 10, 20, 40) if price <= record.most_price]
    tests = "  ".join(f"{price}: {incumbent(record, price)[1]:.4f}" for price in prices)
    seconds = record.trials[-1].seconds if record.trials else 0.0
    return f"{head} {len(record.trials):>4} trials {seconds:>6.1f} s{'' if is_new else ' (stored)'}  test at {tests}"


def _names(text: str, known: Iterable[str]) -> list[str]:
    chosen, known = text.split(","), list(known)
    strange = [name for name in chosen if name not in known]
    if strange:
        raise SystemExit(f'there is no "{strange[0]}"; choose from {", ".join(known)}')
    return chosen


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals", description=__doc__)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seeds", default="0-7", type=_seeds)
    parser.add_argument("--most-price", type=float)
    given = parser.parse_args()
    main(_names(given.tasks, TASKS), _names(given.methods, METHODS), given.seeds, most_price=given.most_price)
