"""An average of the weights along a training: exponential or equal, by samples and not by steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from surefoot.recipe import Network

__all__ = ["WeightAverage"]


class WeightAverage:
    """The average, and when it stands in for the weights.

    Both kinds are a ← d·a + (1 − d)·θ after every step, which is PyTorch's own ``get_ema_multi_avg_fn``: for "ema" d is
    2^(−samples of the step / half life), for "swa" it is 1 − samples of the step / all samples so far. So a batch that
    moves does not change what is averaged. Buffers are not averaged: batch statistics are measured anew.

    Args:
        model: whose trainable parameters are averaged.
        settings: complete, with an averaging.
        horizon: samples of the training.

    Attributes:
        is_in_model: the model was given weights to use, such as the best ones; there is nothing to put in.
    """

    def __init__(self, model: nn.Module, settings: Network, *, horizon: int) -> None:
        assert settings.averaging_start is not None, "the recipe is complete"
        self._parameters = {name: value for name, value in model.named_parameters() if value.requires_grad}
        self._start = settings.averaging_start * horizon
        self._half_life = settings.ema_half_life * horizon if settings.ema_half_life is not None else None
        self._average: list[Tensor] = []
        self._samples = 0.0
        self.is_in_model = False

    @property
    def stands_in(self) -> bool:
        """Whether the weights to use are the average, and not what the model holds."""
        return bool(self._average) and not self.is_in_model

    def stepped(self, clock: int, size: int) -> None:
        """Take in the weights after a step of ``size`` samples that ended at ``clock``."""
        counted = min(float(size), clock - self._start)
        if counted <= 0:
            return
        self._samples += counted
        if not self._average:
            self._average = [value.detach().clone() for value in self._parameters.values()]
            return
        decay = 1.0 - counted / self._samples if self._half_life is None else 2.0 ** (-counted / self._half_life)
        update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call] # torch leaves it unannotated
        update(self._average, list(self._parameters.values()), 0)

    @torch.no_grad()
    def put_in(self) -> None:
        """Write the average over the model's weights."""
        for parameter, average in zip(self._parameters.values(), self._average, strict=True):
            parameter.copy_(average)

    def multiply(self, masks: Mapping[str, Tensor]) -> None:
        """Set to zero what masks by the parameter's name have at zero."""
        for name, average in zip(self._parameters, self._average, strict=bool(self._average)):
            if name in masks:
                average.mul_(masks[name])

    def to_parts(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Copies of the average by parameter, and the rest as plain values."""
        tensors = {
            name: value.clone(memory_format=torch.contiguous_format)
            for name, value in zip(self._parameters, self._average, strict=bool(self._average))
        }
        return tensors, {"samples": self._samples, "is_in_model": self.is_in_model}

    def load_parts(self, tensors: dict[str, Tensor], rest: dict[str, Any]) -> None:
        """Take over what ``to_parts`` gave."""
        self._average = [
            torch.empty_like(parameter).detach().copy_(tensors[name])
            for name, parameter in self._parameters.items()
            if tensors
        ]
        self._samples, self.is_in_model = rest["samples"], rest["is_in_model"]
