"""Rows that are nearly all zeros: SciPy's CSR where an array of rows is expected."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import numpy.typing as npt

from surefoot.errors import TaskError

__all__ = ["CsrRows", "is_sparse"]


class CsrRows:
    """A SciPy CSR matrix with what its users need of an array: a length, a shape, rows taken by their numbers.

    SciPy refuses ``len`` because it could mean entries. Values are float32, columns are in order and each is there
    once a row, so that two matrices of the same values are the same rows.

    Args:
        name: of what holds it, for messages.
        matrix: any of SciPy's sparse formats, of two dimensions.

    Raises:
        TaskError: it is no matrix of numbers.
    """

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, name: str, matrix: Any) -> None:
        if "torch" in type(matrix).__module__:
            raise TaskError(f"{name} are a sparse tensor, whose rows PyTorch cannot take; give scipy.sparse.csr_array")
        if len(matrix.shape) != 2:
            raise TaskError(f"{name} are sparse with {len(matrix.shape)} dimensions; a row and a column are needed")
        if matrix.dtype.kind not in "fiub":
            raise TaskError(f"{name} hold values of type {matrix.dtype}; encode text and categories as numbers first")
        self.matrix = matrix.tocsr().astype(np.float32, copy=False)
        if not self.matrix.has_canonical_format:
            self.matrix = self.matrix.copy()
            self.matrix.sum_duplicates()

    @classmethod
    def of(cls, name: str, values: Any) -> CsrRows:
        """Sparse values as such rows, themselves where they are."""
        return values if isinstance(values, CsrRows) else cls(name, values)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.matrix.shape
        return int(rows), int(columns)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> CsrRows:
        return CsrRows("rows", self.matrix[rows])

    def above(self, other: CsrRows) -> CsrRows:
        """These rows, and the other ones after them."""
        scipy = importlib.import_module("scipy.sparse")  # it is loaded: the rows are its
        return CsrRows("rows", scipy.vstack([self.matrix, other.matrix], format="csr"))

    def toarray(self) -> npt.NDArray[np.float32]:
        """The rows with their zeros: for a few of them."""
        dense: npt.NDArray[np.float32] = self.matrix.toarray()
        return dense

    @property
    def num_not_finite(self) -> int:
        """Rows that hold an infinite value or none."""
        places = np.flatnonzero(~np.isfinite(self.matrix.data))
        return len(np.unique(np.searchsorted(self.matrix.indptr, places, side="right")))


def is_sparse(values: Any) -> bool:
    """Whether these are rows without their zeros: SciPy's, ours or PyTorch's."""
    if isinstance(values, CsrRows) or type(values).__module__.startswith("scipy.sparse"):
        return True
    return hasattr(values, "detach") and str(getattr(values, "layout", "torch.strided")) != "torch.strided"
