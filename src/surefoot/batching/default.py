"""The batch size to start from when nothing was measured."""

from __future__ import annotations

import math

__all__ = ["default_batch_size"]

SMALLEST, LARGEST = 16, 256


def default_batch_size(num_rows: int) -> int:
    """The power of two at or below √rows, held inside [16, 256] and never above the rows.

    The batch up to which training scales well grows with the amount of data and hardly with the size of the model:
    as D^0.47 in Zhang et al. 2024 (arXiv:2410.21676), which is close enough to the root to use the root.

    Args:
        num_rows: rows of the training data, at least 1.

    >>> [default_batch_size(rows) for rows in (10, 150, 1_100, 10_000, 1_000_000)]
    [10, 16, 32, 64, 256]
    """
    if num_rows < 1:
        raise ValueError(f"num_rows must be at least 1, not {num_rows!r}")
    power_of_two: int = 2 ** int(math.log2(math.sqrt(num_rows)))
    return min(max(power_of_two, SMALLEST), LARGEST, num_rows)
