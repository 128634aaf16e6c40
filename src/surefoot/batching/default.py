"""The batch size to start from when nothing was measured."""

from __future__ import annotations

import math

from surefoot.batching.checks import require_count

__all__ = ["batch_size_for_steps", "default_batch_size"]

SMALLEST, LARGEST = 16, 256
ENOUGH_STEPS = 2000
# Bytes a parameter: itself, its gradient and Adam's two moments in single precision.
BYTES_A_PARAMETER = 16
# What may be filled: allocators fragment, and the largest sample is larger than the average one.
MEMORY_SHARE = 0.8


def default_batch_size(
    num_rows: int,
    *,
    rarest_class_rows: int | None = None,
    num_parameters: int = 0,
    bytes_per_row: int = 0,
    memory_bytes: int | None = None,
) -> int:
    """The power of two at or below √rows, held inside [16, 256] and never above the rows.

    The batch up to which training scales well grows with the amount of data and hardly with the size of the model:
    as D^0.47 in Zhang et al. 2024 (arXiv:2410.21676), which is close enough to the root to use the root. The model
    enters through memory only. A rare class raises the batch, up to 256, until one of its rows is expected in each.

    Args:
        num_rows: rows of the training data, at least 1.
        rarest_class_rows: rows of the rarest class; None where there are no classes or nobody counted.
        num_parameters: of the model; needed together with ``memory_bytes``.
        bytes_per_row: what the activations of one row take, forward and backward.
        memory_bytes: of the device; None where nothing is known.

    >>> [default_batch_size(rows) for rows in (10, 150, 1_100, 10_000, 1_000_000)]
    [10, 16, 32, 64, 256]
    >>> default_batch_size(10_000, rarest_class_rows=100)
    128
    >>> default_batch_size(1_000_000, num_parameters=10**9, bytes_per_row=10**8, memory_bytes=24 * 10**9)
    32
    """
    require_count("num_rows", num_rows)
    size = _power_of_two(math.sqrt(num_rows))
    if rarest_class_rows is not None:
        require_count("rarest_class_rows", rarest_class_rows)
        wanted = math.ceil(num_rows / rarest_class_rows)
        size = max(size, 2 * _power_of_two(wanted - 1) if wanted > 1 else 1)
    size = min(max(size, SMALLEST), LARGEST, num_rows)
    if memory_bytes is None or not bytes_per_row:
        return size
    room = MEMORY_SHARE * memory_bytes - BYTES_A_PARAMETER * num_parameters
    if room < bytes_per_row:
        raise ValueError(
            f"memory_bytes is {memory_bytes}: not one row fits beside a model of {num_parameters} parameters; "
            "use a smaller model or a larger device"
        )
    return min(size, _power_of_two(room / bytes_per_row))


def batch_size_for_steps(size: int, *, samples: int, steps: int = ENOUGH_STEPS) -> int:
    """``size`` halved until a training over ``samples`` has at least ``steps`` steps, but not below 16.

    A training of few steps is bound by their number, so smaller batches buy quality there, and its seconds are few
    either way (measured: docs/log.md, 2026-11-21).

    Args:
        size: the batch size to start from, at least 1.
        samples: of the whole training.
        steps: that are enough.

    >>> [batch_size_for_steps(64, samples=samples) for samples in (10_000, 100_000, 1_000_000)]
    [16, 32, 64]
    """
    require_count("size", size)
    while size // 2 >= SMALLEST and samples / size < steps:
        size //= 2
    return size


def _power_of_two(limit: float) -> int:
    """The largest power of two at or below ``limit``, which is at least 1."""
    return int(2 ** int(math.log2(limit)))
