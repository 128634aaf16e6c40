"""fp16's loss scale: PyTorch's GradScaler, which also says whether a step was skipped, and survives JSON.

Gradients below 6e-8 are zero in fp16, so the loss is multiplied before the backward pass and the gradients are divided
again (Micikevicius et al. 2018, arXiv:1710.03740, section 3.2). Where one of them is not finite the step is skipped and
the scale halved; after 2,000 steps without it is doubled.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, optim

from surefoot.recipe import Recipe

__all__ = ["LossScale", "backward", "factor_of"]

# Below it the gradients themselves are beyond 6e7: nothing that a scale could mend.
LEAST = 2.0**-10


class LossScale:
    """Multiplies losses, divides gradients, and skips steps that would put something not finite into the weights.

    Args:
        device: where the model is.

    Attributes:
        factor: what losses are multiplied by now.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._scaler = self._made()
        self.factor = self._scaler.get_scale()
        self._is_open = False

    @classmethod
    def of(cls, recipe: Recipe, device: torch.device) -> LossScale | None:
        """The loss scale of a recipe; None where its precision needs none."""
        return cls(device) if recipe.precision.name == "fp16" else None

    def scaled(self, loss: Tensor) -> Tensor:
        """What to call ``backward`` of."""
        return self._scaler.scale(loss)

    def unscale(self, optimizer: optim.Optimizer) -> None:
        """Divide the gradients, and find out whether all of them are finite."""
        if self._is_open:  # a step was given up after this: it did not fit in memory
            self.load(self.state())
        self._is_open = any(value.grad is not None for group in optimizer.param_groups for value in group["params"])
        if self._is_open:  # a batch whose rows all weigh nothing has no gradient
            self._scaler.unscale_(optimizer)

    def step(self, optimizer: optim.Optimizer) -> None:
        """Let the optimizer step, unless a gradient is not finite; a fused one would be called all the same."""
        if self._is_open:
            self._scaler.step(optimizer)
        else:
            optimizer.step()

    def update(self) -> bool:
        """Halve the scale after a skipped step, double it after many good ones; whether the step was skipped."""
        if not self._is_open:
            return False
        before = self.factor
        self._scaler.update()
        self._is_open = False
        self.factor = self._scaler.get_scale()
        return self.factor < before

    @property
    def trouble(self) -> str:
        """What is wrong where no scale helps, or ""."""
        if self.factor >= LEAST:
            return ""
        return f"the gradients are not finite in fp16, even with a loss multiplied by {2.0 * self.factor:.3g}"

    def state(self) -> dict[str, Any]:
        """What goes into a checkpoint."""
        found: dict[str, Any] = self._scaler.state_dict()
        return found

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self._scaler = self._made()
        self._scaler.load_state_dict(state)
        self.factor = self._scaler.get_scale()
        self._is_open = False

    def _made(self) -> torch.amp.GradScaler:
        scaler = torch.amp.GradScaler(self._device.type)
        scaler.scale(torch.zeros((), device=self._device))  # it makes its scale with the first loss
        return scaler


def backward(loss: Tensor, scale: LossScale | None) -> None:
    """Add a loss's gradient to ``.grad``, times the loss scale where there is one."""
    scaled = loss if scale is None else scale.scaled(loss)
    scaled.backward()  # type: ignore[no-untyped-call] # torch leaves it unannotated


def factor_of(scale: LossScale | None) -> float:
    """What is in ``.grad`` before a step, beside the gradient."""
    return 1.0 if scale is None else scale.factor
