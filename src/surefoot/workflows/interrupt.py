"""Ctrl-C as a request: the first asks a training to stop at its next step, the second stops it at once."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

__all__ = ["interruptible"]


@contextlib.contextmanager
def interruptible(*, seconds: float | None = None) -> Iterator[Callable[[], bool]]:
    """A block with a question to ask before every step: should it stop?

    The block holds the writing of the result too: a Ctrl-C that comes too late to stop anything must not lose it.
    The answer is yes after one Ctrl-C or, with ``seconds``, when that time has passed. Outside the main thread, where
    Python delivers no signals, only time counts.

    >>> with interruptible() as should_stop:
    ...     should_stop()
    False
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    asked = threading.Event()

    def should_stop() -> bool:
        return asked.is_set() or (deadline is not None and time.monotonic() >= deadline)

    if threading.current_thread() is not threading.main_thread():
        yield should_stop
        return

    before = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: FrameType | None) -> None:
        del number, frame
        asked.set()
        signal.signal(signal.SIGINT, before)  # a second Ctrl-C does what it did before this block

    signal.signal(signal.SIGINT, ask)
    try:
        yield should_stop
    finally:
        signal.signal(signal.SIGINT, before)
