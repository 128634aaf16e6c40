"""Looks at the noise in the gradients: of a batch's parts, or of its single rows where that costs next to nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from surefoot.batching import NoiseSample, from_examples, from_micro_gradients

__all__ = ["PartNorms", "RowNorms", "has_batch_statistics", "has_dense_gradients"]


# Of the parameters must lie in dense layers before a look may leave the others out.
DENSE_SHARE = 0.9


def has_batch_statistics(model: nn.Module) -> bool:
    """Whether the rows of a batch meet in its statistics, so that its parts compute something else than the whole."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())


def has_dense_gradients(model: nn.Module) -> bool:
    """Whether every gradient is an ordinary tensor; embeddings can ask for sparse ones, which have no norm here."""
    return not any(getattr(module, "sparse", False) for module in model.modules())


class PartNorms:
    """Norms of the gradients of two or more disjoint parts of a batch, which it adds up.

    Args:
        parameters: whose gradients count.
        wants_dots: also take g_kᵀḡ, for which every part's gradient is kept.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], *, wants_dots: bool) -> None:
        self._parameters, self._wants_dots = parameters, wants_dots
        self._total: dict[int, Tensor] = {}
        self._parts: list[dict[int, Tensor]] = []
        self._norms: list[Tensor] = []
        self._sizes: list[int] = []

    def take(self, rows: int) -> None:
        """Take a part's gradient out of ``.grad``: the sum of its rows' or its mean times its weight."""
        found = {}
        for index, parameter in enumerate(self._parameters):
            if parameter.grad is not None:
                found[index], parameter.grad = parameter.grad, None
        self._norms.append(_squared_norm(list(found.values())))
        self._sizes.append(rows)
        if self._wants_dots:
            self._parts.append({index: value.clone() for index, value in found.items()})
        both = [index for index in found if index in self._total]
        if both:
            torch._foreach_add_([self._total[index] for index in both], [found[index] for index in both])
        self._total |= {index: value for index, value in found.items() if index not in self._total}

    def put_back(self) -> None:
        """Leave the sum of all parts in ``.grad``."""
        for index, value in self._total.items():
            self._parameters[index].grad = value

    def sample(self, num_rows: int, *, weight: float, loss_scale: float = 1.0) -> NoiseSample:
        """The look.

        Args:
            num_rows: of the training data.
            weight: what the sum is divided by for the mean: all weight of the batch, or its rows. A part's share of it
                is counted as if every row weighed the same, which is what makes the sum of parts the mean's.
            loss_scale: what the loss was multiplied by.
        """
        count = sum(self._sizes)
        shares = [weight * rows / count for rows in self._sizes]
        norms = torch.stack([*self._norms, _squared_norm(list(self._total.values()))]).tolist()
        dots = None
        if self._wants_dots:
            products = torch.stack([_dot(part, self._total) for part in self._parts]).tolist()
            dots = [product / (share * weight) for product, share in zip(products, shares, strict=True)]
        return from_micro_gradients(
            [norm / share**2 for norm, share in zip(norms, shares, strict=False)],
            sizes=self._sizes,
            mean_squared_norm=norms[-1] / weight**2,
            dots=dots,
            num_rows=num_rows,
            loss_scale=loss_scale,
        )


class RowNorms:
    """Norms of the gradients of single rows, for networks whose parameters belong to dense layers, nearly all of them.

    For z = Wa + b a row's gradient is δaᵀ and δ, so ‖g_i‖² = ‖δ_i‖²(‖a_i‖² + 1) falls out of one ordinary backward pass
    (Goodfellow 2015, arXiv:1510.01799). What lies outside the dense layers is left out of the look; the noise scale of
    part of a network follows that of the whole (Gray et al. 2024, arXiv:2411.00999, for normalisation layers).

    Args:
        model: the network.
        wants_dots: also take g_iᵀḡ.
    """

    def __init__(self, model: nn.Module, *, wants_dots: bool) -> None:
        self._layers = [module for module in model.modules() if type(module) is nn.Linear]
        self._wants_dots = wants_dots
        self._inputs: dict[nn.Linear, Tensor] = {}
        self._errors: dict[nn.Linear, Tensor] = {}
        self._is_plain = True

    @staticmethod
    def suits(model: nn.Module) -> bool:
        """Whether nearly all that trains lies in dense layers, nothing is shared, and rows do not meet in between."""
        modules = list(model.modules())
        held = [parameter for module in modules for parameter in module.parameters(recurse=False)]
        dense = [value for module in modules if type(module) is nn.Linear for value in module.parameters()]
        is_shared = len(held) != len(list(model.parameters()))
        if is_shared or has_batch_statistics(model) or not all(value.requires_grad for value in dense):
            return False
        trained = sum(value.numel() for value in held if value.requires_grad)
        return sum(value.numel() for value in dense) >= DENSE_SHARE * trained

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
        self._inputs[layer] = inputs[0].detach().to(layer.weight.dtype)  # squares of half precisions overflow
        output.register_hook(self._keeper(layer))  # type: ignore[no-untyped-call] # torch leaves it unannotated

    def _keeper(self, layer: nn.Linear) -> Callable[[Tensor], None]:
        def keep(error: Tensor) -> None:
            self._errors[layer] = error.to(layer.weight.dtype)

        return keep

    def sample(self, num_rows: int, *, count: int, is_sum: bool = False, loss_scale: float = 1.0) -> NoiseSample | None:
        """The look, from a backward pass in the block; None where the formula does not hold.

        Args:
            num_rows: of the training data.
            count: rows of the batch.
            is_sum: the loss is a sum over the batch, not a mean.
            loss_scale: what it was multiplied by.
        """
        if not self._is_plain or len(self._errors) != len(self._layers):
            return None
        if count < 2 or any(len(error) != count for error in self._errors.values()):
            return None  # a layer that sees more than one line a row
        errors = _row_norms(list(self._errors.values()))
        inputs = _row_norms([self._inputs[layer] for layer in self._errors])
        found = [value.grad for layer in self._errors for value in layer.parameters() if value.grad is not None]
        if all(layer.bias is not None for layer in self._errors):
            inputs += 1.0
        else:
            inputs += torch.tensor([[float(layer.bias is not None)] for layer in self._errors]).to(inputs)
        total, mean = (errors * inputs).sum(0), _squared_norm(found)
        # under a mean a row's own gradient is the number of rows times what it put in
        own, whole = (1.0, 1.0 / count) if is_sum else (float(count), 1.0)
        return from_examples(
            (total * own**2).tolist(),
            mean_squared_norm=float(mean) * whole**2,
            dots=(self._dots() * (own * whole)).tolist() if self._wants_dots else None,
            num_rows=num_rows,
            loss_scale=loss_scale,
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


def _squared_norm(values: list[Tensor]) -> Tensor:
    return torch.stack(torch._foreach_norm(values)).square().sum() if values else torch.zeros(())


def _dot(left: dict[int, Tensor], right: dict[int, Tensor]) -> Tensor:
    return torch.stack([(value * right[index]).sum() for index, value in left.items()]).sum()
