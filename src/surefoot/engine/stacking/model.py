"""Models of one architecture side by side: their parameters and buffers in tensors with a first dimension more.

Every model's own parameters become views of its row, so that it holds its current weights at any time and may be
evaluated, saved or given other weights like any model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.func import functional_call, vmap

from surefoot.engine.dropout import masked_by
from surefoot.engine.snapshot import training_modes
from surefoot.engine.stacking.layers import plain_chain
from surefoot.engine.stacking.masks import StackedMasks

__all__ = ["Columns", "StackedModel", "difference", "own_memory"]


class Columns:
    """Where each parameter lies in a member's row.

    Args:
        parameters: of one member, by name, in the order of the row.
    """

    def __init__(self, parameters: dict[str, Tensor]) -> None:
        self.places: dict[str, slice] = {}
        self.shapes = {name: value.shape for name, value in parameters.items()}
        start = 0
        for name, value in parameters.items():
            self.places[name] = slice(start, start + value.numel())
            start += value.numel()
        self.length = start

    def views(self, rows: Tensor) -> dict[str, Tensor]:
        """Each parameter of all members, (members, ...), as a view of the rows."""
        count = len(rows)
        return {name: rows[:, place].view(count, *self.shapes[name]) for name, place in self.places.items()}


class StackedModel:
    """Several models that run as one.

    Args:
        models: of one architecture, see ``difference``; they become views of the stack.
        columns: of their trainable parameters.
        masks: of their dropout.

    Attributes:
        weights: (members, parameters), the trainable ones.
        buffers: of all members, by name.
    """

    def __init__(self, models: Sequence[nn.Module], columns: Columns, masks: StackedMasks) -> None:
        self._template, self._masks = models[0], masks
        named = [dict(model.named_parameters()) for model in models]
        self.weights = torch.stack(
            [torch.cat([of[name].detach().flatten() for name in columns.places]) for of in named]
        )
        views = columns.views(self.weights)
        self._leaves = {name: value.detach().requires_grad_() for name, value in views.items()}
        frozen = [name for name in named[0] if name not in columns.places]
        self._frozen = {name: torch.stack([of[name].detach() for of in named]) for name in frozen}
        held = [dict(model.named_buffers()) for model in models]
        self.buffers = {name: torch.stack([of[name].detach() for of in held]) for name in held[0]}
        for index in range(len(models)):
            for name, value in (*views.items(), *self._frozen.items()):
                named[index][name].data = value[index]
            for name, value in self.buffers.items():
                held[index][name].data = value[index]
        self._gradient = torch.empty_like(self.weights)
        self._gradient_views = list(columns.views(self._gradient).values())
        self._padding = [
            (list(self._leaves).index(f"{name}.weight"), module.padding_idx)
            for name, module in models[0].named_modules()
            if isinstance(module, nn.Embedding) and module.padding_idx is not None and f"{name}.weight" in self._leaves
        ]
        self._mapped: Callable[..., Any] = vmap(self._one, randomness="error")
        self._looking: Callable[..., Any] = vmap(self._one, in_dims=(0, None), randomness="error")
        self._chain = plain_chain(models[0], masks)

    def __call__(self, inputs: Any) -> Any:
        """The members' outputs for inputs (members, batch, ...), in training mode."""
        self._template.train()
        if self._chain is not None:
            return self._chain(self._state, inputs)
        with masked_by(self._masks):
            return self._mapped(self._state, inputs)

    @torch.no_grad()
    def outputs(self, inputs: Tensor) -> Any:
        """The members' outputs for the same inputs (batch, ...), in evaluation mode."""
        modes = training_modes(self._template)
        try:
            self._template.eval()
            if self._chain is not None:
                return self._chain(self._state, inputs.expand(len(self.weights), *inputs.shape))
            return self._looking(self._state, inputs)
        finally:
            for module, mode in modes:
                module.training = mode

    def gradients(self, loss: Tensor) -> Tensor:
        """Of the sum of the members' losses, which is every member's of its own: rows that the next call overwrites."""
        found = torch.autograd.grad(loss, list(self._leaves.values()))
        for index, row in self._padding:
            found[index][:, row] = 0.0  # vmap remembers the padding of the first member only (PyTorch 2.13)
        torch._foreach_copy_(self._gradient_views, found)
        return self._gradient

    @property
    def _state(self) -> dict[str, Tensor]:
        return {**self._leaves, **self._frozen, **self.buffers}

    def _one(self, state: dict[str, Tensor], inputs: Any) -> Any:
        return functional_call(self._template, state, (inputs,))


def difference(first: nn.Module, other: nn.Module) -> str:
    """What keeps two models from being stacked, or ""."""
    for kind, named in (("parameter", nn.Module.named_parameters), ("buffer", nn.Module.named_buffers)):
        one, two = ({name: _make(value) for name, value in named(model)} for model in (first, other))
        if one != two:
            name = next(name for name in {**one, **two} if one.get(name) != two.get(name))
            return f'the {kind} "{name}" is not the same in all models'
    return "" if str(first) == str(other) else "the models are not built alike"


@torch.no_grad()
def own_memory(model: nn.Module, optimizer: optim.Optimizer) -> None:
    """Give a model, and what its optimizer remembers, memory of their own in place of views of a stack."""
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.clone()
    for state in optimizer.state.values():
        for name, value in state.items():
            if isinstance(value, Tensor):
                state[name] = value.clone()


def _make(value: Tensor) -> tuple[Any, ...]:
    return value.shape, value.dtype, value.device, value.requires_grad
