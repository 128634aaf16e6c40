"""Looks at the noise in the gradients: of a batch's parts, or of its single rows where that costs next to nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from surefoot.batching import NoiseSample, from_examples, from_micro_gradients

__all__ = [
    "PartNorms",
    "RowNorms",
    "has_batch_statistics",
    "has_dense_gradients",
    "sample_of_parts",
    "squared_norm",
]


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
        self._norms.append(squared_norm(list(found.values())))
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
        *norms, whole = torch.stack([*self._norms, squared_norm(list(self._total.values()))]).tolist()
        products = torch.stack([_dot(part, self._total) for part in self._parts]).tolist() if self._wants_dots else None
        return sample_of_parts(
            norms,
            self._sizes,
            whole=whole,
            products=products,
            num_rows=num_rows,
            weight=weight,
            loss_scale=loss_scale,
        )


def sample_of_parts(
    norms: Sequence[float],
    sizes: Sequence[int],
    *,
    whole: float,
    products: Sequence[float] | None,
    num_rows: int,
    weight: float,
    loss_scale: float = 1.0,
) -> NoiseSample:
    """The look at a batch whose parts' gradients, each the sum of its rows' or its mean times its weight, were seen.

    Args:
        norms: ‖·‖² of each part's.
        sizes: rows of each.
        whole: ‖·‖² of the sum of all.
        products: of each part's with that sum, where the noise along the gradient is wanted.
        num_rows: of the training data.
        weight: what the sum is divided by for the mean.
        loss_scale: what the loss was multiplied by.
    """
    count = sum(sizes)
    shares = [weight * rows / count for rows in sizes]
    dots = None
    if products is not None:
        dots = [product / (share * weight) for product, share in zip(products, shares, strict=True)]
    return from_micro_gradients(
        [norm / share**2 for norm, share in zip(norms, shares, strict=True)],
        sizes=sizes,
        mean_squared_norm=whole / weight**2,
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
        if layer in self._inputs or not _is_matrix(inputs[0]) or not output.requires_grad:
            self._is_plain = False  # used twice, more than once a row, or by sparse rows
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
        norms = self.squared_norms(count) if count > 1 else None
        if norms is None:
            return None
        # under a mean a row's own gradient is the number of rows times what it put in
        own, whole = (1.0, 1.0 / count) if is_sum else (float(count), 1.0)
        return from_examples(
            (norms * own**2).tolist(),
            mean_squared_norm=self.whole() * whole**2,
            dots=(self.dots() * (own * whole)).tolist() if self._wants_dots else None,
            num_rows=num_rows,
            loss_scale=loss_scale,
        )

    def squared_norms(self, count: int) -> Tensor | None:
        """‖·‖² of what each of ``count`` rows put into the gradient; None where the formula does not hold."""
        if not self._is_plain or len(self._errors) != len(self._layers):
            return None
        if any(len(error) != count for error in self._errors.values()):
            return None  # a layer that sees more than one line a row
        errors = _row_norms(list(self._errors.values()))
        inputs = _row_norms([self._inputs[layer] for layer in self._errors])
        if all(layer.bias is not None for layer in self._errors):
            inputs += 1.0
        else:
            inputs += torch.tensor([[float(layer.bias is not None)] for layer in self._errors]).to(inputs)
        return (errors * inputs).sum(0)

    def whole(self) -> float:
        """‖·‖² of the gradient of all rows, as it lies in ``.grad``."""
        found = [value.grad for layer in self._errors for value in layer.parameters() if value.grad is not None]
        return float(squared_norm(found))

    def dots(self) -> Tensor:
        """What each row put into the gradient, times what now lies in ``.grad``."""
        dots: Any = 0.0
        for layer, error in self._errors.items():
            if layer.weight.grad is not None:
                dots = dots + (error * (self._inputs[layer] @ layer.weight.grad.T)).sum(1)
            if layer.bias is not None and layer.bias.grad is not None:
                dots = dots + error @ layer.bias.grad
        found: Tensor = dots
        return found


def _is_matrix(values: Tensor) -> bool:
    return values.ndim == 2 and values.layout == torch.strided


def _row_norms(values: list[Tensor]) -> Tensor:
    """‖row‖² of each matrix, one line a matrix."""
    return torch.stack([torch.linalg.vector_norm(value, dim=1) for value in values]).square_()


def squared_norm(values: list[Tensor]) -> Tensor:
    """‖·‖² of tensors taken as one vector."""
    return torch.stack(torch._foreach_norm(values)).square().sum() if values else torch.zeros(())


def _dot(left: dict[int, Tensor], right: dict[int, Tensor]) -> Tensor:
    products = [(value * right[index]).sum() for index, value in left.items()]
    return torch.stack(products).sum() if products else torch.zeros(())  # nothing in the part has a weight
