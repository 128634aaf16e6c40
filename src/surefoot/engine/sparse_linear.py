"""A dense layer for sparse rows: what touches only the columns that are there."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["SparseLinear"]


class SparseLinear(nn.Module):
    """What ``nn.Linear`` computes, for rows of ``torch.sparse_csr``, reading only the columns that are there.

    The first layer of a model for SciPy's CSR rows, or for bags of words: y = xWᵀ + b as ``nn.EmbeddingBag`` sums
    embeddings, a column's times its value. ``nn.Linear`` takes such rows too, at about twice the time a step
    (measured: see docs/log.md, 2026-11-21). Dense rows are taken as well. The initial weights are those that
    ``nn.Linear`` draws.

    Args:
        in_features: columns.
        out_features: outputs a row.
        bias: add b.

    Attributes:
        weight: Wᵀ, (in_features, out_features).
        bias: (out_features,), or None.

    >>> layer = SparseLinear(4, 2)
    >>> layer(torch.eye(4)).shape
    torch.Size([4, 2])
    """

    def __init__(self, in_features: int, out_features: int, *, bias: bool = True) -> None:
        super().__init__()
        drawn = nn.Linear(in_features, out_features, bias=bias)
        self.in_features, self.out_features = in_features, out_features
        self.weight = nn.Parameter(drawn.weight.detach().T.contiguous())
        self.bias = drawn.bias

    def forward(self, rows: Tensor) -> Tensor:
        """Outputs (rows, out_features) for rows (rows, in_features)."""
        if rows.layout != torch.sparse_csr:
            return functional.linear(rows, self.weight.T, self.bias)
        ends, values = rows.crow_indices(), rows.values().to(self.weight.dtype)
        found = functional.embedding_bag(
            rows.col_indices(), self.weight, ends, mode="sum", per_sample_weights=values, include_last_offset=True
        )
        return found if self.bias is None else found + self.bias

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
