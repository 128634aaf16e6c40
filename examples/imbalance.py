"""A rare class, four ways: nothing, the threshold moved, class weights, oversampling.

    python examples/imbalance.py

Handwritten digits, to be told apart into eights and others, with eight eights in ten left out: some 2 % are left. What
to see: weights and oversampling find more eights than nothing does, and so does the plain model once it says "an eight"
above the share of eights in training, not above a half; and its probabilities stay near that share on average.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score, balanced_accuracy_score
from torch import nn

import surefoot as sf

WAYS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "class weights": {"loss": {"class_weights": "balanced"}},
    "oversample": {"data": {"balance": "oversample"}},
}


def build() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2))


def ranking(output: Any, target: Any) -> float:
    """How well eights are ranked before others: to choose by, since no threshold and no shift changes it."""
    return float(average_precision_score(target, output[:, 1] - output[:, 0])) if target.any() else 0.0


def main(*, epochs: int = 30) -> dict[str, float]:
    """Print and give back the balanced accuracy on test rows thinned alike, by way."""
    pixels, digits = load_digits(return_X_y=True)
    inputs, labels = (pixels / 16.0).astype(np.float32), (digits == 8).astype(int)
    eights = np.flatnonzero(labels)
    kept = np.setdiff1d(np.arange(len(labels)), eights[np.arange(len(eights)) % 10 > 1])
    test = np.arange(len(kept)) % 3 == 0
    train, test = kept[~test], kept[test]
    task = sf.Task(build, (inputs[train], labels[train]), epochs=epochs, objective=("ranking", ranking, "max"))
    share = float(labels[train].mean())
    print(f"{share:.1%} of {len(train)} training rows are eights, {labels[test].mean():.1%} of {len(test)} test rows\n")
    print(f"{'':<20}  balanced accuracy  mean probability of an eight")
    found: dict[str, float] = {}
    for name, sections in WAYS.items():
        model = sf.fit(task, sf.Recipe(**sections)).model
        with torch.no_grad():
            chance = model(torch.from_numpy(inputs[test])).softmax(1)[:, 1].numpy()
        levels = {name: 0.5, **({"threshold moved": share} if name == "nothing" else {})}
        for way, level in levels.items():
            found[way] = float(balanced_accuracy_score(labels[test], chance > level))
            print(f"{way:<20}  {found[way]:>17.3f}  {chance.mean():>28.3f}")
    return found


if __name__ == "__main__":
    main()
