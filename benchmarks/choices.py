"""The ladder's own constants, one changed at a time: mean test loss over splits and seeds.

``python -m benchmarks.choices`` measures it as it is, ``python -m benchmarks.choices DECAY=3.0`` with a change.
"""

from __future__ import annotations

import ast
import statistics
import sys

import surefoot as sf
from benchmarks.tasks import HEAVY
from surefoot import tasks
from surefoot.tuning import ladder

SEEDS, SPLITS = range(2), range(5)


def main(changes: list[str]) -> None:
    """Print a line a task."""
    for change in changes:
        name, _, value = change.partition("=")
        if not hasattr(ladder, name):
            sys.exit(f"the ladder has no constant {name}")
        setattr(ladder, name, ast.literal_eval(value))
    makers = {name: [(lambda s=split, n=name: tasks.builtin(n, split=s)) for split in SPLITS] for name in tasks.BUILTIN}
    for name, makes in {**makers, **{name: [make] for name, make in HEAVY.items()}}.items():
        problems = [task for make in makes if (task := make()) is not None]
        losses = [sf.tune(task, seed=seed).metrics["test_loss"] for task in problems for seed in SEEDS]
        if losses:
            print(f"{name:<18} mean {statistics.mean(losses):.4f}  median {statistics.median(losses):.4f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
