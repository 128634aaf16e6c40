"""A worker process as the process that started it sees it."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from surefoot.protocols import Candidate
from surefoot.tuning.worker import IS_WORKER

__all__ = ["Inbox", "WorkerProcess", "how_it_ended"]

LAST_WARNING = 5.0  # seconds that a worker has to end by itself
_COMMAND = "from surefoot.tuning.worker import main; main()"
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

Inbox = queue.Queue[tuple["WorkerProcess", str, Any]]


class WorkerProcess:
    """One worker: started at once, it says "ready" or "unable" when it has tried to open the task.

    It is a fresh Python that runs nothing of the program that starts it, in a process group of its own, so that a
    Ctrl-C in the terminal is answered by one process only. It ends when its standard input does: when ``end`` is
    called, and when the process that started it is gone, however that came.

    Args:
        inbox: receives what it says, and "ended" with its exit code.
        greeting: what it needs to open the task.
    """

    def __init__(self, inbox: Inbox, greeting: tuple[str, tuple[Any, ...], list[str]]) -> None:
        self.is_ready, self.candidate = False, None
        self.horizon, self.samples = 1, 0
        self.process = subprocess.Popen(  # noqa: S603 - our own Python and our own code
            [sys.executable, "-c", _COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(os.environ),
            **({"process_group": 0} if os.name == "posix" else {}),  # type: ignore[call-overload] # by platform
        )
        threading.Thread(target=self._listen, args=(inbox,), daemon=True).start()
        self.send("open", greeting)

    candidate: Candidate | None

    def send(self, kind: str, content: Any = None) -> None:
        """Tell the worker something; one that is dead says so by itself."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            pickle.dump((kind, content), self.process.stdin)
            self.process.stdin.flush()

    def end(self) -> None:
        """Ask the process to end, whatever it is doing."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def reap(self) -> None:
        """Wait until it is gone, not for long."""
        try:
            self.process.wait(LAST_WARNING)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _listen(self, inbox: Inbox) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as heard:
            while True:
                try:
                    kind, content = pickle.load(heard)  # noqa: S301 - from a process of our own
                except Exception:  # noqa: BLE001 - the end, or what a kill left of a message
                    break
                inbox.put((self, kind, content))
        inbox.put((self, "ended", self.process.wait()))


def _environment(outside: Mapping[str, str]) -> dict[str, str]:
    return {**outside, **_ONE_THREAD, IS_WORKER: "1", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def how_it_ended(code: int) -> str:
    """What became of a worker.

    >>> how_it_ended(1), how_it_ended(-9)
    ('ended with exit code 1', 'was killed by SIGKILL (out of memory?)')
    """
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    return f"was killed by {name}{' (out of memory?)' if name == 'SIGKILL' else ''}"
