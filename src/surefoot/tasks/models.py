"""The built-in tasks' networks. Imports torch: loaded when a model is built, not before."""

from __future__ import annotations

import itertools

from torch import nn

__all__ = ["mlp"]


def mlp(*, inputs: int, outputs: int, hidden: int = 64, depth: int = 2, dropout: float = 0.0) -> nn.Sequential:
    """A multilayer perceptron with ReLU between its layers.

    Args:
        inputs: features a row.
        outputs: classes, or 1 for a number.
        hidden: units a hidden layer.
        depth: hidden layers; 0 is a linear model.
        dropout: the share of units switched off in training, in [0, 1).
    """
    widths = [inputs, *[hidden] * depth]
    layers: list[nn.Module] = []
    for width, following in itertools.pairwise(widths):
        layers += [nn.Linear(width, following), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))
