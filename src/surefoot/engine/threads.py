"""How many CPU threads a model deserves: small dense networks run on one.

A second thread gains nothing below about five million multiplications a step (measured: see docs/log.md), and when
other processes want the cores too, threads that wait for each other make a training many times slower.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from surefoot.engine.rows.data import Rows, TensorRows

__all__ = ["is_small", "limited_threads"]

SMALL_STEP = 5_000_000


def is_small(model: nn.Module, rows: Rows, batch_size: int) -> bool:
    """Whether a step of ``batch_size`` plain rows through a dense network is too small to share between threads.

    Anything that uses its weights more than once a row (convolutions, sequences) is left alone. The answer depends on
    shapes, never on a clock: the number of threads changes the last digits of a sum, and the same seed must give the
    same result.
    """
    if not isinstance(rows, TensorRows) or rows.inputs.ndim != 2 or not rows.inputs.is_floating_point():
        return False
    weights: list[Tensor] = list(model.parameters())
    dense = all(weight.ndim <= 2 for weight in weights)
    return dense and batch_size * sum(weight.numel() for weight in weights) < SMALL_STEP


@contextlib.contextmanager
def limited_threads(*, to_one: bool) -> Iterator[None]:
    """A block in which PyTorch uses one CPU thread, where that is wanted; then as many as before."""
    before = torch.get_num_threads()
    if not to_one or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
