"""Ctrl-C and SIGTERM as requests: the first asks a training to stop at its next step, the second stops it at once."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

__all__ = ["StopSignal", "ignored", "interruptible"]


class StopSignal:
    """The answer to whether a training should stop, and who wants it.

    Attributes:
        by_person: a Ctrl-C came, or a SIGTERM, with which a scheduler announces that it will take the machine.
    """

    def __init__(self, deadline: float | None) -> None:
        self._deadline = deadline
        self.by_person = False

    @property
    def by_time(self) -> bool:
        """Whether the time that was allowed has passed."""
        return self._deadline is not None and time.perf_counter() >= self._deadline

    def __call__(self) -> bool:
        """Whether to stop; asked before every step."""
        return self.by_person or self.by_time


@contextlib.contextmanager
def ignored() -> Iterator[None]:
    """A block in which Ctrl-C and SIGTERM are somebody else's to answer: of who leads this process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def interruptible(*, deadline: float | None = None) -> Iterator[StopSignal]:
    """A block with a question to ask before every step: should it stop?

    The block holds the writing of the result too: a signal that comes too late to stop anything must not lose it.
    The answer is yes after one Ctrl-C or SIGTERM or, with a ``deadline``, when ``time.perf_counter()`` has reached it.
    Outside the main thread, where Python delivers no signals, only time counts.

    >>> with interruptible() as stop:
    ...     stop(), stop.by_person
    (False, False)
    """
    stop = StopSignal(deadline)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        stop.by_person = True
        # a second one does what it did before this block
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
