"""Dropout that belongs to the sample: the same masks however a batch is cut into micro-batches.

Every mask is drawn for the whole batch, from the stream where the whole batch would draw it, and each part takes its
rows. On the CPU the masks are bit for bit those of an uncut batch.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["whole_batch_masks"]

_DROPOUTS = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
_SHIFTING = {"alpha_dropout", "feature_alpha_dropout"}  # they add where they drop
_ATTENTION = "scaled_dot_product_attention"


@dataclass(frozen=True)
class _Part:
    """Rows ``start`` to ``stop`` of a batch of ``count``, and the thread that trains on them."""

    start: int
    stop: int
    count: int
    thread: int

    def whole(self, shape: torch.Size) -> tuple[tuple[int, ...], int, slice] | None:
        """What ``shape`` is for the whole batch, in which dimension the rows lie, and where; None when in none.

        Rows come first, or second behind a sequence, or first with several entries each (attention heads).
        """
        rows = self.stop - self.start
        for axis in range(min(2, len(shape))):
            if shape[axis] == rows:
                return (*shape[:axis], self.count, *shape[axis + 1 :]), axis, slice(self.start, self.stop)
        if len(shape) and shape[0] % rows == 0:
            each = shape[0] // rows
            return (self.count * each, *shape[1:]), 0, slice(self.start * each, self.stop * each)
        return None


@contextlib.contextmanager
def whole_batch_masks(start: int, stop: int, *, count: int) -> Iterator[None]:
    """A block in which PyTorch's dropout takes rows ``start`` to ``stop`` of the masks of ``count`` rows.

    It holds for ``torch.nn.functional`` and the modules built on it, in this thread. Dropout between the layers of
    ``nn.LSTM`` and ``nn.GRU`` is drawn inside PyTorch and stays per part.
    """
    part = _Part(start, stop, count, threading.get_ident())
    before = {name: getattr(functional, name) for name in (*_DROPOUTS, _ATTENTION)}
    for name in _DROPOUTS:
        setattr(functional, name, _keyed(before[name], part, shifts=name in _SHIFTING))
    setattr(functional, _ATTENTION, _keyed_attention(before[_ATTENTION], part))
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(functional, name, function)


def _keyed(original: Callable[..., Tensor], part: _Part, *, shifts: bool) -> Callable[..., Tensor]:
    """A dropout whose mask is the part's share of the whole batch's."""

    def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:  # noqa: A002 - PyTorch's name
        whole = part.whole(input.shape) if training and p > 0.0 and part.thread == threading.get_ident() else None
        if whole is None:
            return original(input, p, training, inplace)
        shape, axis, rows = whole
        # a mask is drawn in the order of the memory, which a transposed input keeps
        strides = input.stride()
        layout = sorted(range(input.ndim), key=lambda at: (-strides[at], -input.shape[at]))
        ones = torch.empty_permuted(shape, layout, dtype=input.dtype, device=input.device).fill_(1.0)
        with torch.no_grad():
            shift: Tensor | float = 0.0
            if shifts:  # x -> scale · x + shift, both read off two draws of the same mask
                with torch.random.fork_rng([input.device] if input.is_cuda else []):
                    shift = original(torch.zeros_like(ones), p, True)
            scale = original(ones, p, True) - shift
        at = (slice(None),) * axis + (rows,)
        found = input * scale[at]
        return found + shift[at] if isinstance(shift, Tensor) else found

    return dropout


def _keyed_attention(original: Callable[..., Tensor], part: _Part) -> Callable[..., Tensor]:
    """Attention whose dropout is the part's share; written out, since the fused kernels draw their own masks."""

    def attention(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        **options: Any,
    ) -> Tensor:
        if dropout_p == 0.0 or part.thread != threading.get_ident() or options.get("enable_gqa"):
            return original(query, key, value, attn_mask, dropout_p, is_causal, **options)
        scale = options.get("scale") or 1.0 / math.sqrt(query.shape[-1])
        scores = query @ key.transpose(-2, -1) * scale
        if is_causal:
            attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            scores = scores.masked_fill(~attn_mask, -math.inf)
        elif attn_mask is not None:
            scores = scores + attn_mask
        return functional.dropout(torch.softmax(scores, dim=-1), dropout_p) @ value

    return attention
