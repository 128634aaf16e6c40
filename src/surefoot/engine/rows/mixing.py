"""Two rows in one: mixup and cutmix, and the batch that they make."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

__all__ = ["Mixed", "cut_mixed", "mixed"]


class Mixed(NamedTuple):
    """A batch each of whose inputs is made of two rows; part of it is the same of every tensor in it.

    Attributes:
        inputs: (rows, ...).
        target: of the first row, likewise ``weights``; None where rows have none.
        other_target: of the second row, likewise ``other_weights``.
        share: λ in [0, 1], what the first row counts.
    """

    inputs: Tensor
    target: Tensor
    weights: Tensor | None
    other_target: Tensor
    other_weights: Tensor | None
    share: float


def mixed(batch: tuple[Tensor, ...], alpha: float, stream: np.random.Generator) -> Mixed:
    """λx_a + (1 − λ)x_b, the second row being another of the same batch, λ of Beta(α, α) once for all of it.

    Zhang et al. 2018 (arXiv:1710.09412), equation 1, one λ a batch as in section 3.
    """
    share = float(stream.beta(alpha, alpha))
    others = _others(batch, stream)
    inputs = batch[0]
    return _both(batch, others, torch.lerp(inputs.index_select(0, others), inputs, share), share)


def cut_mixed(batch: tuple[Tensor, ...], alpha: float, stream: np.random.Generator) -> Mixed:
    """A rectangle of 1 − λ of the picture comes from another row; λ is then what is really left of the first.

    Its centre is anywhere, so that it may reach over the edge. Yun et al. 2019 (arXiv:1905.04899), equations 1 and 2.
    """
    height, width = batch[0].shape[-2:]
    cut = np.sqrt(1.0 - stream.beta(alpha, alpha))
    top, bottom = _span(height, cut, stream)
    left, right = _span(width, cut, stream)
    others = _others(batch, stream)
    inputs = batch[0].clone()
    inputs[..., top:bottom, left:right] = batch[0].index_select(0, others)[..., top:bottom, left:right]
    return _both(batch, others, inputs, 1.0 - (bottom - top) * (right - left) / (height * width))


def _others(batch: tuple[Tensor, ...], stream: np.random.Generator) -> Tensor:
    """Which row stands beside each: a random order of the batch, in which a row may keep its place."""
    return torch.from_numpy(stream.permutation(len(batch[0]))).to(batch[0].device)


def _span(length: int, cut: Any, stream: np.random.Generator) -> tuple[int, int]:
    """From where to where a side of the rectangle reaches."""
    middle, size = int(stream.integers(length)), int(length * cut)
    return max(0, middle - size // 2), min(length, middle + (size + 1) // 2)


def _both(batch: tuple[Tensor, ...], others: Tensor, inputs: Tensor, share: float) -> Mixed:
    target, *given = batch[1:]
    weights = given[0] if given else None
    other_weights = None if weights is None else weights.index_select(0, others)
    return Mixed(inputs, target, weights, target.index_select(0, others), other_weights, share)
