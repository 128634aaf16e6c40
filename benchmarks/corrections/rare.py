"""A rare class by batch size, with and without class weights, each at its own rate.

The rows, the levers and what is measured are those of ``benchmarks.imbalance``, with another batch and fewer epochs.
"""

from __future__ import annotations

from statistics import fmean
from typing import Any

import numpy as np

import surefoot as sf
from benchmarks.corrections.tables import markdown, spread
from benchmarks.imbalance import COLUMNS, EVEN, LEVERS, measured, task_of
from benchmarks.tasks import data_folder

__all__ = ["by_batch"]

SEEDS = range(3)
SIZES = (16, 64, 256)
RATES = (0.001, 0.003, 0.01)
EPOCHS = 4
SHARE = 0.025  # of positives
SHOWN = ("balanced accuracy", "balanced accuracy, moved", "average precision")


def by_batch() -> str:
    """Incomes thinned to 2.5 % positive: what each lever finds at three batches, at its best rate by validation."""
    if data_folder("adult") is None:
        return "the table of incomes is not here: set SUREFOOT_DATA"
    parts = [task_of(SHARE, seed) for seed in SEEDS]
    for task, _, _ in parts:
        task.epochs = EPOCHS
    rows = []
    for size in SIZES:
        for lever in LEVERS:
            found = {rate: [_one(part, lever, size, rate, seed) for seed, part in enumerate(parts)] for rate in RATES}
            rate = max(found, key=lambda rate: fmean(held for held, _ in found[rate]))
            scores = np.array([score for _, score in found[rate]])
            cells = [spread(scores[:, COLUMNS.index(column)].tolist()) for column in SHOWN]
            rows.append([size, lever, f"{rate:g}", *cells])
    return markdown(["batch", "lever", "rate chosen", *SHOWN], rows)


def _one(part: tuple[Any, Any, Any], lever: str, size: int, rate: float, seed: int) -> tuple[float, list[float]]:
    """Average precision on the validation rows, and the columns on the test rows."""
    import torch

    task, inputs, labels = part
    recipe = sf.Recipe(optimizer={"learning_rate": rate}, batch={"size": size}, **LEVERS[lever])
    result = sf.fit(task, recipe, seed=seed)
    with torch.no_grad():
        chance = result.model(torch.from_numpy(inputs)).double().softmax(1)[:, 1].numpy()
    share = float(np.mean(task.train[1]))
    scores = measured(chance, labels, share=share, is_even=lever in EVEN)
    return result.metrics["validation_average_precision"], scores
