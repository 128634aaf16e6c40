"""Offset and scale of columns: learned from rows, and taken out of others; sparse rows stay sparse."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.sparsefuncs import mean_variance_axis

from surefoot.sparse import is_sparse
from surefoot.tasks.preparation import unit_of

__all__ = ["in_units", "units_of"]


def units_of(rows: Any, weights: npt.NDArray[Any]) -> tuple[Any, Any]:
    """Mean and standard deviation of every column, by weight; 1 where a column never changes.

    Sparse rows have no offset, which would fill their zeros: as with ``StandardScaler(with_mean=False)``.

    >>> units_of(np.array([[0.0, 1.0], [4.0, 1.0]]), np.ones(2))
    (array([2., 1.]), array([2., 1.]))
    """
    if is_sparse(rows):
        variance = mean_variance_axis(rows, axis=0, weights=weights)[1]
        return 0.0, _scale(np.sqrt(variance))
    if (weights == 1.0).all():
        return unit_of(rows)
    mean = np.average(rows, axis=0, weights=weights)
    return mean, _scale(np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=weights)))


def in_units(rows: Any, offset: Any, scale: Any) -> Any:
    """Rows less an offset, divided by a scale, in single precision; sparse ones are filled where there is an offset."""
    if not is_sparse(rows):
        return ((rows - offset) / scale).astype(np.float32)
    if np.any(offset):
        return in_units(rows.toarray(), offset, scale)
    scaled = rows.astype(np.float32)
    scaled.data /= np.broadcast_to(scale, scaled.shape[1])[scaled.indices].astype(np.float32)
    return scaled


def _scale(deviations: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.where(deviations > 0, deviations, 1.0)
