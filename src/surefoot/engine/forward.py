"""How a training runs its model: cast to another precision, in another layout, compiled.

Only steps run that way. Whatever is looked at (validation, curvature, the model that is kept) is computed in float32 by
the plain module, so that every reported number is one that the finished model gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from surefoot.engine.hardware import AUTOCAST
from surefoot.errors import TaskError, raised_at
from surefoot.recipe import Recipe

__all__ = ["Forward", "widened"]

_HALVES = frozenset(AUTOCAST.values())


@dataclass(frozen=True)
class Forward:
    """The forward pass of a training step.

    Attributes:
        kind: of device.
        dtype: what ``torch.autocast`` casts to; None does not cast.
        is_channels_last: whether images are laid out channels last.
        compiled: the model as ``torch.compile`` made it, over the same weights; None runs the model itself.
    """

    kind: str
    dtype: torch.dtype | None = None
    is_channels_last: bool = False
    compiled: nn.Module | None = None

    @classmethod
    def of(cls, model: nn.Module, recipe: Recipe) -> Forward | None:
        """What a recipe asks for; None where it is the model's own forward pass."""
        hardware, dtype = recipe.hardware, AUTOCAST.get(recipe.precision.name)
        if dtype is None and not hardware.channels_last and not hardware.compile:
            return None
        compiled: Any = torch.compile(model) if hardware.compile else None
        return cls(next(model.parameters()).device.type, dtype, hardware.channels_last, compiled)

    @property
    def plain(self) -> Forward:
        """The same without the compiled model: hooks and functions that are put in place later reach this one only."""
        return replace(self, compiled=None)

    def output(self, model: nn.Module, inputs: Any) -> Any:
        """The model's output for inputs; what was cast is cast back, for a loss that is computed in float32."""
        if self.is_channels_last and isinstance(inputs, Tensor) and inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        return self._cast(lambda used: used(inputs), model)

    def step(self, step: Callable[[Any, Any], Any], model: nn.Module, batch: Any) -> Any:
        """What a task's own step gives, its loss in float32."""
        return self._cast(lambda used: step(used, batch), model)

    def _cast(self, call: Callable[[nn.Module], Any], model: nn.Module) -> Any:
        if self.dtype is None:
            return self._run(call, model)
        with torch.autocast(self.kind, dtype=self.dtype):
            return widened(self._run(call, model))

    def _run(self, call: Callable[[nn.Module], Any], model: nn.Module) -> Any:
        if self.compiled is None:
            return call(model)
        try:
            return call(self.compiled)
        except torch._dynamo.exc.TorchDynamoException as error:
            reason = raised_at(error)[:300]
            raise TaskError(f"the model cannot be compiled, leave hardware.compile out: {reason}") from error


def widened(value: Any) -> Any:
    """Tensors of a half precision as float32, in nested tuples, lists and mappings; everything else as it is."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype in _HALVES else value
    if isinstance(value, Mapping):
        wide = {key: widened(item) for key, item in value.items()}
        return wide if type(value) is dict else type(value)(wide)  # type: ignore[call-arg] # as UserDict takes it
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(widened(item) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(widened(item) for item in value)
    return value
