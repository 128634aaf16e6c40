"""Sparse rows on their way to a batch: SciPy gathers them, PyTorch's CSR tensors carry them, never with their zeros."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from surefoot.sparse import CsrRows

__all__ = ["SparseInputs", "SparseRows", "csr_part"]


@dataclass(frozen=True)
class SparseInputs:
    """CSR rows that give tensors when they are taken by their numbers."""

    rows: CsrRows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Any) -> Tensor:
        matrix = self.rows.matrix[rows.numpy() if isinstance(rows, Tensor) else rows]
        indptr, indices, data = (torch.from_numpy(values) for values in (matrix.indptr, matrix.indices, matrix.data))
        return _csr(indptr.long(), indices.long(), data, tuple(matrix.shape))


@dataclass(frozen=True)
class SparseRows:
    """Sparse inputs in memory, with dense targets and, where there are any, sample weights."""

    inputs: SparseInputs
    targets: Tensor
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: slice | Tensor) -> tuple[Tensor, ...]:
        """A batch of the rows with these numbers."""
        dense = (self.targets,) if self.weights is None else (self.targets, self.weights)
        return (self.inputs[rows], *(values[rows] for values in dense))

    def part(self, rows: slice | Tensor) -> SparseRows:
        """The rows with these numbers, as rows."""
        places = rows.numpy() if isinstance(rows, Tensor) else rows
        weights = None if self.weights is None else self.weights[rows]
        return SparseRows(SparseInputs(self.inputs.rows[places]), self.targets[rows], weights)


def csr_part(batch: Tensor, start: int, stop: int) -> Tensor:
    """Rows ``start`` to ``stop`` of a CSR tensor, which PyTorch does not slice."""
    ends = batch.crow_indices()
    low, high = int(ends[start]), int(ends[stop])
    inside = slice(low, high)
    return _csr(
        ends[start : stop + 1] - low,
        batch.col_indices()[inside],
        batch.values()[inside],
        (stop - start, batch.shape[1]),
    )


def _csr(ends: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    _hush()
    return torch.sparse_csr_tensor(ends, columns, values, shape, check_invariants=False)


@functools.cache
def _hush() -> None:
    """Let PyTorch say, once a process and unheard, that its CSR tensors are in beta."""
    nothing = torch.zeros(0, dtype=torch.long)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        torch.sparse_csr_tensor(
            torch.zeros(1, dtype=torch.long), nothing, nothing.float(), (0, 0), check_invariants=False
        )
