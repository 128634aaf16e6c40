"""Dropout that belongs to the sample: the same masks however a batch is cut into micro-batches.

Every mask is drawn for the whole batch, from the stream where the whole batch would draw it, and each part takes its
rows. On the CPU the masks are bit for bit those of an uncut batch. Whatever else a model draws at random comes from the
ordinary stream and differs from part to part.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["MaskStream", "Masks", "masked_by", "memory_like", "set_stream", "stream_of"]

_DROPOUTS = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
_SHIFTING = {"alpha_dropout", "feature_alpha_dropout"}  # they add where they drop
_ATTENTION = "scaled_dot_product_attention"


class Masks(Protocol):
    """Where PyTorch's dropout gets its masks from, in place of its ordinary stream."""

    def drawn(self, draw: Callable[[Tensor], Tensor], like: Tensor, *, shifts: bool) -> tuple[Tensor, Tensor] | None:
        """A mask for an input like this as (scale, shift), x -> scale · x + shift; None for the ordinary stream."""
        ...


class MaskStream:
    """The masks of one batch: where the stream stood before it, and how far its masks have been drawn.

    It holds for ``torch.nn.functional`` and the modules built on it, in the thread that entered ``part``. Dropout
    between the layers of ``nn.LSTM`` and ``nn.GRU`` is drawn inside PyTorch and belongs to the part.

    Args:
        count: rows of the whole batch.
        device: where the model is.

    Attributes:
        begin: where the stream stood before the batch.
    """

    def __init__(self, count: int, device: torch.device) -> None:
        self._count, self._device = count, device
        self.begin = stream_of(device)
        self._drawn = self.begin
        self._start = self._stop = 0

    @contextlib.contextmanager
    def part(self, start: int, stop: int) -> Iterator[None]:
        """A block in which PyTorch's dropout takes rows ``start`` to ``stop`` of the batch's masks."""
        self._start, self._stop, self._drawn = start, stop, self.begin
        with masked_by(self):
            yield

    def finish(self) -> None:
        """Leave the ordinary stream where the uncut batch would have, if masks were all that was drawn."""
        if torch.equal(stream_of(self._device), self.begin):
            set_stream(self._device, self._drawn)

    def drawn(self, draw: Callable[[Tensor], Tensor], like: Tensor, *, shifts: bool) -> tuple[Tensor, Tensor] | None:
        """The part of a mask as (scale, shift), x -> scale · x + shift; None where no dimension holds the rows."""
        whole = self._whole(like.shape)
        if whole is None:
            return None
        shape, axis, rows = whole
        ones = memory_like(like, shape).fill_(1.0)
        ordinary = stream_of(self._device)
        try:
            with torch.no_grad():
                shift = torch.zeros((), dtype=like.dtype, device=like.device)
                if shifts:  # both are read off two draws of the same mask
                    set_stream(self._device, self._drawn)
                    shift = draw(torch.zeros_like(ones))
                set_stream(self._device, self._drawn)
                scale = draw(ones) - shift
                self._drawn = stream_of(self._device)
        finally:
            set_stream(self._device, ordinary)
        at = (slice(None),) * axis + (rows,)
        return scale[at], shift[at] if shift.ndim else shift

    def _whole(self, shape: torch.Size) -> tuple[tuple[int, ...], int, slice] | None:
        """What ``shape`` is for the whole batch, in which dimension the rows lie, and where; None when in none.

        Rows come first, or second behind a sequence, or first with several entries each (attention heads).
        """
        rows = self._stop - self._start
        for axis in range(min(2, len(shape))):
            if shape[axis] == rows:
                return (*shape[:axis], self._count, *shape[axis + 1 :]), axis, slice(self._start, self._stop)
        if len(shape) and shape[0] % rows == 0:
            each = shape[0] // rows
            return (self._count * each, *shape[1:]), 0, slice(self._start * each, self._stop * each)
        return None


def memory_like(like: Tensor, shape: Sequence[int]) -> Tensor:
    """Memory of a shape in the order of an input's: that is how a mask is drawn, and a transposed input keeps it."""
    strides = like.stride()
    layout = sorted(range(like.ndim), key=lambda at: (-strides[at], -like.shape[at]))
    return torch.empty_permuted(tuple(shape), layout, dtype=like.dtype, device=like.device)


@contextlib.contextmanager
def masked_by(masks: Masks) -> Iterator[None]:
    """A block in which PyTorch's dropout takes its masks from elsewhere, in this thread."""
    before = getattr(_HERE, "stream", None)
    _HERE.stream = masks
    _install()
    try:
        yield
    finally:
        _uninstall()
        _HERE.stream = before


# PyTorch's functions are replaced while any thread is inside such a block; each thread sees its own masks.
_HERE = threading.local()
_LOCK = threading.Lock()
_ORIGINALS: dict[str, Any] = {}
_inside = 0


def _install() -> None:
    global _inside
    with _LOCK:
        _inside += 1
        if _inside > 1:
            return
        _ORIGINALS.update({name: getattr(functional, name) for name in (*_DROPOUTS, _ATTENTION)})
        for name in _DROPOUTS:
            setattr(functional, name, _keyed(_ORIGINALS[name], shifts=name in _SHIFTING))
        setattr(functional, _ATTENTION, _keyed_attention(_ORIGINALS[_ATTENTION]))


def _uninstall() -> None:
    global _inside
    with _LOCK:
        _inside -= 1
        if not _inside:
            for name, function in _ORIGINALS.items():
                setattr(functional, name, function)


def _keyed(original: Callable[..., Tensor], *, shifts: bool) -> Callable[..., Tensor]:
    """A dropout whose mask is the part's share of the whole batch's."""

    def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:  # noqa: A002 - PyTorch's name
        stream: Masks | None = getattr(_HERE, "stream", None)
        if stream is not None and training and p > 0.0:
            found = stream.drawn(lambda ones: original(ones, p, True), input, shifts=shifts)
            if found is not None:
                scale, shift = found
                return input * scale + shift if shifts else input * scale
        return original(input, p, training, inplace)

    return dropout


def _keyed_attention(original: Callable[..., Tensor]) -> Callable[..., Tensor]:
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
        if dropout_p == 0.0 or getattr(_HERE, "stream", None) is None or options.get("enable_gqa"):
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


def stream_of(device: torch.device) -> Tensor:
    """The state of the stream that a model on ``device`` draws from."""
    if device.type == "mps":
        return torch.mps.get_rng_state()
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def set_stream(device: torch.device, state: Tensor) -> None:
    """Put that stream to a state."""
    if device.type == "mps":
        torch.mps.set_rng_state(state)
    elif device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
