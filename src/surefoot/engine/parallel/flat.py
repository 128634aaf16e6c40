"""Gradients of many parameters as one piece of memory, and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Flat", "Gradients"]

Gradients = list[Tensor | None]
"""One a parameter; None where it has none."""


class Flat:
    """Lays gradients behind each other, one row of numbers a type of numbers.

    Args:
        parameters: whose gradients they are.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = list(parameters)
        self._by_type: dict[torch.dtype, list[int]] = {}
        for index, parameter in enumerate(self._parameters):
            self._by_type.setdefault(parameter.dtype, []).append(index)

    def __len__(self) -> int:
        return len(self._parameters)

    def of(self, several: Sequence[Gradients | None]) -> list[Tensor]:
        """A matrix a type, with a row for each set of gradients; zeros where there are none."""
        rows = ([self._row(one, indices) for one in several] for indices in self._by_type.values())
        return [row[0].unsqueeze(0) if len(row) == 1 else torch.stack(row) for row in rows]

    def apart(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """The gradients that a row a type holds, in the order of the parameters and in their layout."""
        found: dict[int, Tensor] = {}
        for row, indices in zip(rows, self._by_type.values(), strict=True):
            pieces = torch.split(row, [self._parameters[index].numel() for index in indices])
            for index, piece in zip(indices, pieces, strict=True):
                found[index] = _like(piece, self._parameters[index])
        return [found[index] for index in range(len(self))]

    def _row(self, gradients: Gradients | None, indices: Sequence[int]) -> Tensor:
        values = [None if gradients is None else gradients[index] for index in indices]
        return torch.cat(
            [
                torch.zeros_like(self._parameters[index]).reshape(-1) if value is None else value.reshape(-1)
                for index, value in zip(indices, values, strict=True)
            ]
        ).detach()


def _like(values: Tensor, parameter: nn.Parameter) -> Tensor:
    shaped = values.view(parameter.shape)
    return shaped if parameter.is_contiguous() else torch.empty_like(parameter).copy_(shaped).detach()
