"""Running out of memory: what counts as that, and making room."""

from __future__ import annotations

import gc

import torch

__all__ = ["OutOfRoom", "is_out_of_memory", "make_room"]


class OutOfRoom(Exception):  # noqa: N818 - an outcome that the run turns into a result
    """A step that does not fit in memory, however it is cut."""


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA and MPS raise a type of their own; the CPU's allocator only a message, which depends on the system."""
    texts = ("not enough memory", "can't allocate memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(text in str(error) for text in texts)


def make_room() -> None:
    """Let go of what nothing refers to any more; call it outside the except block, whose traceback refers to much."""
    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call] # torch leaves it unannotated
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
