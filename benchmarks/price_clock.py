"""Wall time: ours to the quality that the strongest rival has at price 10, beside the rival's own, run in turn.

``python -m benchmarks.price_clock [TASK ...]`` runs, for one seed after the other, the rival to price 10 and ``tune``
at 1.25 and 2 trainings on the same machine, and prints the seconds of the cheapest of ours whose test loss is not
above the rival's. The rival is Optuna's TPE with Hyperband, the strongest one on most tasks.
"""

from __future__ import annotations

import sys
import time
from statistics import median

import torch

import surefoot as sf
from benchmarks.price_store import incumbent
from benchmarks.price_tasks import TASKS
from benchmarks.price_trials import Study, bench
from benchmarks.rival_optuna import tpe_hyperband

__all__ = ["main"]

SEEDS, PRICE, BUDGETS = range(3, 6), 10.0, (1.25, 2.0)


def main(names: list[str]) -> None:
    """A line a task and seed, then the median ratio."""
    torch.set_num_threads(1)
    ratios = []
    for name in names:
        for seed in SEEDS:
            ground = bench(name, seed)
            if ground is None:
                print(f"{name}: its data is not here")
                break
            study = Study(ground, seed=seed, most_price=PRICE)
            started = time.perf_counter()
            tpe_hyperband(study)
            seconds = time.perf_counter() - started
            wanted = incumbent(study.record, PRICE)[1]
            ours = [_tuned(name, budget, seed) for budget in BUDGETS]
            reached = next((spent for spent, loss in ours if loss <= wanted), None)
            text = " ".join(f"{loss:.4f} in {spent:.1f} s" for spent, loss in ours)
            ratio = f"{reached / seconds:.2f}" if reached is not None else "not reached"
            print(
                f"{name:<16} seed {seed}  rival {wanted:.4f} in {seconds:.1f} s  ours {text}  ratio {ratio}", flush=True
            )
            ratios.append(reached / seconds if reached is not None else float("inf"))
    if ratios:
        print(f"median ratio {median(ratios):.2f}; reached in {sum(r < float('inf') for r in ratios)} of {len(ratios)}")


def _tuned(name: str, budget: float, seed: int) -> tuple[float, float]:
    """Seconds and test loss."""
    task = TASKS[name](seed)
    assert task is not None
    started = time.perf_counter()
    result = sf.tune(task, budget=budget, seed=seed)
    return time.perf_counter() - started, result.metrics["test_loss"]


if __name__ == "__main__":
    main(sys.argv[1:] or list(TASKS))
