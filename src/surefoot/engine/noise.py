"""Looks at the noise in the gradients: of a batch's parts, or of its single rows where that costs next to nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from surefoot.batching import NoiseSample, from_examples, from_micro_gradients

__all__ = ["PartNorms", "RowNorms", "has_batch_statistics", "has_dense_gradients"]


def has_batch_statistics(model: nn.Module) -> bool:
    """Whether the rows of a batch meet in its statistics, so that its parts compute something else than the whole."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())


def has_dense_gradients(model: nn.Module) -> bool:
    """Whether every gradient is an ordinary tensor; embeddings can ask for sparse ones, which have no norm here."""
    return not any(getattr(module, "sparse", False) for module in model.modules())


class PartNorms:
    """Norms of the gradients of two or more disjoint parts of a batch, read while they add up in ``.grad``.

    Args:
        parameters: whose gradients count.
        wants_dots: also take g_kᵀḡ.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], *, wants_dots: bool) -> None:
        self._parameters, self._wants_dots = parameters, wants_dots
        self._before: list[Tensor] | None = None
        self._parts: list[list[Tensor]] = []
        self._norms: list[Tensor] = []
        self._sizes: list[int] = []

    def add(self, rows: int, *, is_last: bool = False) -> None:
        """Look at what the newest part added."""
        total = _gradients(self._parameters)
        last = total if self._before is None else list(torch._foreach_sub(total, self._before))
        if not is_last:
            self._before = list(torch._foreach_mul(total, 1.0))
            last = self._before if last is total else last
        self._norms.append(_squared_norm(last))
        self._sizes.append(rows)
        if self._wants_dots:
            self._parts.append(last)

    def sample(self, num_rows: int, *, weight: float) -> NoiseSample:
        """The look, where ``.grad`` holds the sum of all parts.

        Args:
            num_rows: of the training data.
            weight: what the sum is divided by for the mean: all weight of the batch, or its rows. A part's share of it
                is counted as if every row weighed the same, which is what makes the sum of parts the mean's.
        """
        count, total = sum(self._sizes), _gradients(self._parameters)
        shares = [weight * rows / count for rows in self._sizes]
        dots = None
        if self._wants_dots:
            products = [_dot(part, total) / (share * weight) for part, share in zip(self._parts, shares, strict=True)]
            dots = torch.stack(products).tolist()
        norms = torch.stack(self._norms).tolist()
        return from_micro_gradients(
            [norm / share**2 for norm, share in zip(norms, shares, strict=True)],
            sizes=self._sizes,
            mean_squared_norm=float(_squared_norm(total)) / weight**2,
            dots=dots,
            num_rows=num_rows,
        )


class RowNorms:
    """Norms of the gradients of single rows, for networks whose parameters all belong to dense layers.

    For z = Wa + b a row's gradient is δaᵀ and δ, so ‖g_i‖² = ‖δ_i‖²(‖a_i‖² + 1) falls out of one ordinary backward pass
    (Goodfellow 2015, arXiv:1510.01799).

    Args:
        model: the network.
        wants_dots: also take g_iᵀḡ.
    """

    def __init__(self, model: nn.Module, *, wants_dots: bool) -> None:
        self._layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
        self._wants_dots = wants_dots
        self._inputs: dict[nn.Linear, Tensor] = {}
        self._errors: dict[nn.Linear, Tensor] = {}
        self._is_plain = True

    @staticmethod
    def suits(model: nn.Module) -> bool:
        """Whether all that trains lies in dense layers that nothing else shares, and rows do not meet in between."""
        owners = [module for module in model.modules() if any(True for _ in module.parameters(recurse=False))]
        held = [parameter for module in owners for parameter in module.parameters(recurse=False)]
        is_dense = all(type(module) is nn.Linear for module in owners) and not has_batch_statistics(model)
        return is_dense and len(held) == len(list(model.parameters())) and all(value.requires_grad for value in held)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """A block in which every dense layer's inputs and errors are kept."""
        self._inputs, self._errors, self._is_plain = {}, {}, True
        handles = [layer.register_forward_hook(self._keep) for layer in self._layers]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _keep(self, layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        assert isinstance(layer, nn.Linear)
        if layer in self._inputs or inputs[0].ndim != 2 or not output.requires_grad:
            self._is_plain = False  # used twice, or more than once a row: the formula does not hold
            return
        self._inputs[layer] = inputs[0].detach()
        output.register_hook(self._keeper(layer))  # type: ignore[no-untyped-call] # torch leaves it unannotated

    def _keeper(self, layer: nn.Linear) -> Callable[[Tensor], None]:
        def keep(error: Tensor) -> None:
            self._errors[layer] = error

        return keep

    def sample(self, num_rows: int, *, count: int, is_sum: bool = False) -> NoiseSample | None:
        """The look, from a backward pass in the block; None where the formula does not hold.

        Args:
            num_rows: of the training data.
            count: rows of the batch.
            is_sum: the loss is a sum over the batch, not a mean.
        """
        if not self._is_plain or len(self._errors) != len(self._layers):
            return None
        if count < 2 or any(len(error) != count for error in self._errors.values()):
            return None  # a layer that sees more than one line a row
        layers = list(self._errors)
        errors = _row_norms([self._errors[layer] for layer in layers])
        inputs = _row_norms([self._inputs[layer] for layer in layers])
        for index, layer in enumerate(layers):
            if layer.bias is not None:
                inputs[index] += 1.0
        found = [value.grad for layer in layers for value in layer.parameters() if value.grad is not None]
        total, mean = (errors * inputs).sum(0), _squared_norm(found)
        # under a mean a row's own gradient is the number of rows times what it put in
        own, whole = (1.0, 1.0 / count) if is_sum else (float(count), 1.0)
        return from_examples(
            (total * own**2).tolist(),
            mean_squared_norm=float(mean) * whole**2,
            dots=(self._dots() * (own * whole)).tolist() if self._wants_dots else None,
            num_rows=num_rows,
        )

    def _dots(self) -> Tensor:
        """What each row put into the mean gradient, times that gradient."""
        dots: Any = 0.0
        for layer, error in self._errors.items():
            if layer.weight.grad is not None:
                dots = dots + (error * (self._inputs[layer] @ layer.weight.grad.T)).sum(1)
            if layer.bias is not None and layer.bias.grad is not None:
                dots = dots + error @ layer.bias.grad
        found: Tensor = dots
        return found


def _row_norms(values: list[Tensor]) -> Tensor:
    """‖row‖² of each matrix, one line a matrix."""
    return torch.stack([torch.linalg.vector_norm(value, dim=1) for value in values]).square_()


def _gradients(parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    return [torch.zeros_like(value) if value.grad is None else value.grad for value in parameters]


def _squared_norm(values: list[Tensor]) -> Tensor:
    return torch.stack(torch._foreach_norm(values)).square().sum()


def _dot(left: list[Tensor], right: list[Tensor]) -> Tensor:
    return torch.stack([(a * b).sum() for a, b in zip(left, right, strict=True)]).sum()
