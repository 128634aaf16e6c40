"""Plain chains of layers, run on stacked tensors themselves in place of ``torch.func.vmap``, which doubles their time.

Plain is what is exactly one of PyTorch's own classes, with no hook on it; anything else goes the general way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from surefoot.engine.stacking.masks import StackedMasks

__all__ = ["Chain", "plain_chain"]

# Given all members' parameters by name, and inputs (members, batch, ...).
Chain = Callable[[Mapping[str, Tensor], Tensor], Tensor]
# What works element by element means the same whatever the dimensions.
_ELEMENTWISE = frozenset(
    {
        nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Sigmoid, nn.Softplus,
        nn.Hardtanh, nn.Identity,
    }
)  # fmt: skip


def plain_chain(model: nn.Module, masks: StackedMasks) -> Chain | None:
    """How a plain chain runs, stacked; None where the model is something else.

    Args:
        model: one of the members'.
        masks: of all members' dropout.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    steps = _steps(model, names, masks)
    if steps is None:
        return None

    def run(state: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        for step in steps:
            inputs = step(state, inputs)
        return inputs

    return run


def _steps(module: nn.Module, names: Mapping[int, str], masks: StackedMasks) -> list[Chain] | None:
    """What a module does, one thing after the other; None where it is not plain."""
    kind = type(module)
    if "forward" in vars(module) or any(hooks for name, hooks in vars(module).items() if "forward" in name):
        return None
    if kind is nn.Sequential:
        parts = [_steps(child, names, masks) for child in module]  # type: ignore[attr-defined] # it is iterable
        return None if None in parts else [step for part in parts for step in part or ()]
    if kind is nn.Linear:
        bias = None if module.bias is None else names[id(module.bias)]
        return [partial(_linear, names[id(module.weight)], bias)]
    if kind is nn.Dropout:
        return [partial(_dropped, module, masks)]
    if isinstance(module, nn.Flatten) and kind is nn.Flatten and (module.start_dim, module.end_dim) == (1, -1):
        return [lambda _, inputs: inputs.flatten(2)]
    return [lambda _, inputs: module(inputs)] if kind in _ELEMENTWISE else None


def _linear(weight: str, bias: str | None, state: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
    rows = inputs.reshape(len(inputs), -1, inputs.shape[-1])
    output: Tensor = _Linear.apply(rows, state[weight], None if bias is None else state[bias])  # type: ignore[no-untyped-call]
    return output.view(*inputs.shape[:-1], -1)


def _dropped(module: nn.Module, masks: StackedMasks, _: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
    if not module.training or not module.p:
        return inputs
    draw = partial(functional.dropout, p=float(module.p), training=True)  # type: ignore[arg-type] # a number
    with torch.no_grad():
        scale, _shift = masks.of_members(draw, inputs.detach(), shifts=False)
    return inputs * scale


class _Linear(torch.autograd.Function):
    """xWᵀ + b for every member; its own backward, since PyTorch's makes the gradient of Wᵀ, to be copied once more."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        ctx.has_bias = bias is not None
        if bias is None:
            return torch.bmm(inputs, weight.mT)
        return torch.baddbmm(bias.unsqueeze(1), inputs, weight.mT)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        inputs, weight = ctx.saved_tensors
        of_inputs = torch.bmm(gradient, weight) if ctx.needs_input_grad[0] else None
        of_weight = torch.bmm(gradient.mT, inputs) if ctx.needs_input_grad[1] else None
        return of_inputs, of_weight, gradient.sum(dim=1) if ctx.has_bias and ctx.needs_input_grad[2] else None
