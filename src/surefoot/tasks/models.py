"""The built-in tasks' networks. Imports torch: loaded when a model is built, not before."""

from __future__ import annotations

import itertools

from torch import nn

from surefoot.engine.sparse_linear import SparseLinear

__all__ = ["mlp"]


def mlp(
    *, inputs: int, outputs: int, hidden: int = 64, depth: int = 2, dropout: float = 0.0, sparse: bool = False
) -> nn.Sequential:
    """A multilayer perceptron with ReLU between its layers.

    Args:
        inputs: features a row.
        outputs: classes, or 1 for a number.
        hidden: units a hidden layer.
        depth: hidden layers; 0 is a linear model.
        dropout: the share of units switched off in training, in [0, 1).
        sparse: the first layer reads only the columns of a sparse row that are there.
    """
    widths = [inputs, *[hidden] * depth, outputs]
    layers: list[nn.Module] = []
    for place, (width, following) in enumerate(itertools.pairwise(widths)):
        layers.append((SparseLinear if sparse and not place else nn.Linear)(width, following))
        if place < depth:
            layers += [nn.ReLU(), nn.Dropout(dropout)] if dropout else [nn.ReLU()]
    return nn.Sequential(*layers)
