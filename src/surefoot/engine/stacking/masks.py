"""Dropout of stacked models: every member's masks are those it would draw alone, from its own random stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from surefoot.engine.dropout import memory_like, set_stream, stream_of
from surefoot.engine.randomness import RandomState

__all__ = ["StackedMasks"]


class StackedMasks:
    """Draws the masks of all members inside ``torch.func.vmap``; to be used with ``dropout.masked_by``.

    Args:
        streams: of every member; its masks are drawn from PyTorch's, which moves.
        device: where the models are.
    """

    def __init__(self, streams: Sequence[RandomState], device: torch.device) -> None:
        self._streams, self._device = streams, device

    def drawn(self, draw: Callable[[Tensor], Tensor], like: Tensor, *, shifts: bool) -> tuple[Tensor, Tensor]:
        """A mask a member as (scale, shift), x -> scale · x + shift."""
        with torch.no_grad():
            scale, shift = _Drawing.apply(like.detach(), self, draw, shifts)  # type: ignore[no-untyped-call]
        return scale, shift

    def states(self) -> list[Tensor]:
        """Where the streams stand."""
        if self._device.type != "cuda":
            return [stream.torch_cpu for stream in self._streams]  # moving puts another one in its place
        return [stream.torch_cuda[self._at] for stream in self._streams]

    def put_back(self, states: Sequence[Tensor]) -> None:
        """Put the streams to where they stood."""
        for stream, state in zip(self._streams, states, strict=True):
            self._set(stream, state)

    def of_members(self, draw: Callable[[Tensor], Tensor], stacked: Tensor, *, shifts: bool) -> tuple[Tensor, Tensor]:
        """The masks for an input with the members in its first dimension."""
        ones = memory_like(stacked[0], stacked.shape[1:]).fill_(1.0)
        scales, shift_of = [], []
        for stream in self._streams:
            begin = self._of(stream)
            set_stream(self._device, begin[self._at])
            if shifts:  # both are read off two draws of the same mask
                shift_of.append(draw(torch.zeros_like(ones)))
                set_stream(self._device, begin[self._at])
            scales.append(draw(ones) - shift_of[-1] if shifts else draw(ones))
            self._set(stream, stream_of(self._device))
        return torch.stack(scales), torch.stack(shift_of) if shifts else torch.zeros((), device=stacked.device)

    @property
    def _at(self) -> int:
        return self._device.index or 0 if self._device.type == "cuda" else 0

    def _of(self, stream: RandomState) -> list[Tensor]:
        return stream.torch_cuda if self._device.type == "cuda" else [stream.torch_cpu]

    def _set(self, stream: RandomState, state: Tensor) -> None:
        if self._device.type == "cuda":
            stream.torch_cuda[self._at] = state
        else:
            stream.torch_cpu = state


class _Drawing(torch.autograd.Function):
    """The way out of ``vmap``: its rule is given the members' inputs together."""

    @staticmethod
    def forward(*_: Any) -> Any:
        raise RuntimeError("dropout of a tensor that does not depend on the model's parameters or inputs")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: masks have no gradient."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, like: Tensor, masks: StackedMasks, draw: Any, shifts: bool) -> Any:
        """All members' masks, the members first."""
        del info
        scale, shift = masks.of_members(draw, like.movedim(in_dims[0], 0), shifts=shifts)
        return (scale, shift), (0, 0 if shifts else None)
