"""What a model looks like on the rows that chose it, and on rows that did not."""

from __future__ import annotations

import numpy as np
import torch

import surefoot as sf
from benchmarks.corrections.tables import markdown, spread
from surefoot import tasks

__all__ = ["by_test_rows"]

MODELS, ROWS = 40, 60


def by_test_rows() -> str:
    """The best of forty equally good models by sixty rows: its accuracy there, and on the other rows."""
    task = tasks.builtin("digits", split=1)
    inputs, labels = task.test
    recipe = sf.Recipe(optimizer={"learning_rate": 0.003}, batch={"size": 32})
    task.epochs = 5
    right = []
    for seed in range(MODELS):
        model = sf.fit(task, recipe, seed=seed).model
        with torch.no_grad():
            right.append(model(torch.as_tensor(inputs)).argmax(1).numpy() == labels)
    hits = np.array(right)
    seen, fresh = [], []
    for draw in range(200):
        order = np.random.default_rng(draw).permutation(len(labels))
        on_seen, on_fresh = hits[:, order[:ROWS]].mean(1), hits[:, order[ROWS:]].mean(1)
        best = int(on_seen.argmax())
        seen.append(float(on_seen[best]))
        fresh.append(float(on_fresh[best]))
    rows = [[f"the {ROWS} rows that it was chosen by", spread(seen)], [f"{len(labels) - ROWS} others", spread(fresh)]]
    text = markdown(["accuracy of the best of 40 on", "mean of 200 draws of the rows (deviation)"], rows)
    return f"{text}\n\nMean of all 40 on all rows: {hits.mean():.3f}; they differ by {hits.mean(1).std(ddof=1):.3f}."
