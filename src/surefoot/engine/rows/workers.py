"""Worker processes that read a dataset ahead: PyTorch's DataLoader, with a batch sampler that can change its mind.

PyTorch forbids another batch size on a built DataLoader, so the sampler is ours: it reads ahead by a plan, and when
something else is asked for, what is in flight is thrown away and reading starts again at the place that is asked for.
"""

from __future__ import annotations

import contextlib
import multiprocessing.connection
import signal
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.context import BaseContext
from typing import Any

import torch
from torch.utils.data import DataLoader

from surefoot.errors import TaskError, raised_at

__all__ = ["Workers"]

# Of what is fetched: a ``Request`` of a dataset's rows, or a ``Turn`` of a stream.
Requests = Callable[[int, int], Iterator[Any]]
LAST_WARNING = 5.0  # seconds that a killed worker has to end; PyTorch waits as long for one that may end by itself
REAPING = 5.0  # seconds from a broken connection to the exit code of whoever broke it


class Workers:
    """Processes that fetch batches ahead; started with the first batch, and again after ``close``.

    Args:
        fetching: what a worker does, by its ``__getitems__`` of a request.
        count: how many processes, at least 1.
        pin_memory: copy batches into memory that a GPU reads faster.
    """

    def __init__(self, fetching: Any, count: int, *, pin_memory: bool) -> None:
        self._fetching, self._count, self._pin_memory = fetching, count, pin_memory
        self._sampler = _Sampler()
        self._loader: DataLoader[Any] | None = None
        self._batches: Any = None

    def fetch(self, position: int, size: int, *, requests: Requests) -> Any:
        """The batch at ``position``; ``requests(position, size)`` begins with it and goes on as planned.

        Raises:
            TaskError: a worker cannot start, or dies.
        """
        for is_last in (False, True):
            try:
                if not self._sampler.is_next(position, size):
                    self._begin(requests(position, size))
                self._sampler.sent.popleft()
                return next(self._batches)
            except BaseException as error:
                codes = self._deaths(error)
                self.close()
                if not codes:
                    raise
                if is_last or -signal.SIGTERM not in codes:
                    what = f"a worker process that reads the data {_how_it_ended(codes)}"
                    raise TaskError(f"{what}; data.workers = 0 reads without any") from error
                # whoever asks the whole group to end means this process too, which ends in its own time
        raise AssertionError("unreachable")

    def _begin(self, requests: Iterator[Any]) -> None:
        """Read these requests from now on; what is in flight is waited for and dropped."""
        self._sampler.requests = requests
        if self._loader is not None:
            self._batches = iter(self._loader)  # persistent workers drop what they had and begin anew
            return
        self._loader = DataLoader(
            self._fetching,  # a dataset that is only read by __getitems__
            batch_sampler=self._sampler,  # a request is what a batch of indices is to PyTorch
            collate_fn=_as_it_is,
            num_workers=self._count,
            persistent_workers=True,
            worker_init_fn=_leave_signals,
            multiprocessing_context=_context(),
            pin_memory=self._pin_memory,
            generator=torch.Generator(),  # its own, or a draw from the caller's would differ from no workers
        )
        try:
            with _quiet_start():
                self._batches = iter(self._loader)
        except Exception as error:
            raise TaskError(
                f"the dataset cannot be sent to worker processes ({raised_at(error)}); define it in a module, "
                "not inside a function, or set data.workers = 0"
            ) from error

    def _deaths(self, error: BaseException) -> list[int]:
        """The exit codes of workers that died, which an error of any kind may be about."""
        if not isinstance(error, Exception):
            return []
        processes = self._processes()
        is_likely = isinstance(error, OSError | EOFError) or "DataLoader worker" in str(error)
        sentinels = [process.sentinel for process in processes]
        ended = multiprocessing.connection.wait(sentinels, timeout=REAPING if is_likely else 0.0)
        for process in processes:
            if process.sentinel in ended:
                process.join(REAPING)  # its files are closed a moment before it is gone
        return [process.exitcode for process in processes if process.exitcode is not None]

    def _processes(self) -> list[Any]:
        return list(getattr(self._batches, "_workers", ()))

    def close(self) -> None:
        """End the processes, kindly first; nothing of them is left when this returns."""
        processes, batches = self._processes(), self._batches
        self._loader = self._batches = None
        self._sampler = _Sampler()
        if batches is not None:
            batches._shutdown_workers()  # what its __del__ does, which an exception's traceback may put off
        for process in processes:
            if process.is_alive():
                process.kill()
                process.join(LAST_WARNING)


class _Sampler:
    """Hands requests to the DataLoader and remembers what is in flight."""

    def __init__(self) -> None:
        self.requests: Iterator[Any] = iter(())
        self.sent: deque[tuple[int, int]] = deque()

    def __iter__(self) -> Iterator[Any]:
        self.sent.clear()
        for request in self.requests:
            self.sent.append((request.position, len(request.indices)))
            yield request

    def is_next(self, position: int, size: int) -> bool:
        """Whether this batch is the next that arrives."""
        return bool(self.sent) and self.sent[0] == (position, size)


def _context() -> BaseContext:
    """How processes start: as the user chose; else by fork on Linux, and as Python chooses elsewhere.

    A fork starts in milliseconds, shares the dataset's memory, and takes what cannot be imported by name (a notebook's
    class, a script without a main guard). It is dangerous where another thread holds a lock that the worker needs;
    a worker runs the dataset's code only, on one PyTorch thread, and must not touch a GPU.
    """
    chosen = multiprocessing.get_start_method(allow_none=True)
    usual = "fork" if sys.platform == "linux" else None
    return multiprocessing.get_context(chosen or usual)


@contextlib.contextmanager
def _quiet_start() -> Iterator[None]:
    """A block in which processes start, after which the caller's handler of a child's death is back.

    PyTorch's raises out of whatever runs at that moment, the middle of a step or of a checkpoint; a worker's death is
    noticed anyway when its batch does not come. Python warns of every fork beside threads; see ``_context``.
    """
    number = getattr(signal, "SIGCHLD", None)
    is_ours = number is not None and threading.current_thread() is threading.main_thread()
    before = signal.getsignal(number) if is_ours and number is not None else None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*multi-threaded, use of fork", category=DeprecationWarning)
            yield
    finally:
        if before is not None and number is not None:
            signal.signal(number, before)


def _leave_signals(worker: int) -> None:
    """What a worker does first: a Ctrl-C is the main process's to answer, and a SIGTERM ends a worker at once."""
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _how_it_ended(codes: Sequence[int]) -> str:
    """What became of a worker, from the exit codes of those that ended.

    >>> _how_it_ended([1]), _how_it_ended([-9])
    ('ended with exit code 1', 'was killed by SIGKILL (out of memory?)')
    """
    code = codes[0]
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    hints = {"SIGKILL": " (out of memory?)", "SIGBUS": " (too little shared memory?)"}
    return f"was killed by {name}{hints.get(name, '')}"


def _as_it_is(batch: Any) -> Any:
    return batch
