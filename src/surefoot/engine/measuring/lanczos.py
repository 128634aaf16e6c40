"""The largest eigenvalue of a symmetric matrix that is only ever multiplied with, in as few products as it takes.

The Lanczos process with full reorthogonalisation (Golub and Van Loan 2013, sections 10.1 and 10.3.5). It stops at the
product that settles the value and can be stopped at any; SciPy's ``eigsh`` multiplies twenty times before it first
asks, and gives nothing back when it is stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

__all__ = ["Ritz", "largest_eigenvalue"]


class Ritz(NamedTuple):
    """An eigenvalue as products show it.

    Attributes:
        value: never above the largest eigenvalue, but for rounding; not-a-number when a product was not finite.
        residual: ‖Av − value·v‖ for the unit vector v that belongs to it. An eigenvalue lies as near as that, the
            largest one unless a near one showed first.
        products: how many it took.
    """

    value: float
    residual: float
    products: int


def largest_eigenvalue(
    multiply: Callable[[Tensor], Tensor], start: Tensor, *, max_products: int, tolerance: float
) -> Ritz:
    """The largest eigenvalue of A, the most positive one, whatever the size of the negative ones.

    Every vector that was multiplied is kept: ``max_products`` times the memory of ``start``.

    Args:
        multiply: v -> Av of a symmetric A.
        start: of shape (n,), not 0; best random, since what is orthogonal to it is never seen.
        max_products: at least 1.
        tolerance: stop at a residual of so much of the value.
    """
    size = min(max_products, len(start))
    basis = start.new_empty((size, len(start)))
    basis[0] = start / torch.linalg.vector_norm(start)
    tridiagonal = np.zeros((size, size))
    rounding = 10.0 * torch.finfo(start.dtype).eps
    found = Ritz(math.nan, math.nan, 0)
    for index in range(size):
        vector = multiply(basis[index])
        tridiagonal[index, index] = float(vector @ basis[index])
        known = basis[: index + 1]
        for _ in range(2):  # once leaves rounding behind
            vector = vector - known.T @ (known @ vector)
        length = float(torch.linalg.vector_norm(vector))
        if not math.isfinite(tridiagonal[index, index] + length):
            return Ritz(math.nan, math.nan, index + 1)
        values, vectors = np.linalg.eigh(tridiagonal[: index + 1, : index + 1])
        found = Ritz(float(values[-1]), length * abs(float(vectors[-1, -1])), index + 1)
        if found.residual <= max(tolerance * abs(found.value), rounding * float(np.abs(values).max())):
            return found
        if index + 1 < size:
            basis[index + 1] = vector / length
            tridiagonal[index, index + 1] = tridiagonal[index + 1, index] = length
    return found
