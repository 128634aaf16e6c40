"""A worker process: makes one run after the other for the process that started it, and ends when that one does.

It is started with ``python -c "from surefoot.tuning.worker import main; main()"`` and speaks in pickled tuples over its
standard input and output; what the task's own code prints goes to standard error.
"""

from __future__ import annotations

import importlib
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

from surefoot.callbacks import Callback, Event
from surefoot.protocols import Candidate, Silent, TrainableFactory
from surefoot.records import Evaluation, Run
from surefoot.training import Conditions, train

__all__ = ["IS_WORKER", "Job", "identity_of", "main"]

IS_WORKER = "SUREFOOT_WORKER"
"""The environment variable that tells a worker from a process that a person started."""


@dataclass(frozen=True)
class Job:
    """A run to be made.

    Attributes:
        candidate: of the search.
        conditions: what surrounds it, without what only the main process has.
        callbacks: names of those of the main process that are asked after every look.
        weights: receives the best weights.
    """

    candidate: Candidate
    conditions: Conditions
    callbacks: tuple[str, ...]
    weights: Path


def main() -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the main process's to answer
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    line = _Line(sys.stdin.buffer, out)
    opener, arguments, paths = line.jobs.get()
    sys.path[:] = paths
    try:
        factory: TrainableFactory = _found(opener)(*arguments)
        line.send("ready", identity_of(factory))
    except Exception as error:  # noqa: BLE001 - whatever it is, the main process has to hear it
        line.send("unable", _portable(error))
        return
    while True:
        job: Job = line.jobs.get()
        line.stopped = False
        try:
            line.send("finished", _made(job, factory, line))
        except Exception as error:  # noqa: BLE001 - likewise
            line.send("failed", _portable(error))


def identity_of(factory: TrainableFactory) -> tuple[Any, ...]:
    """What must be the same in two processes that make runs of one study."""
    return factory.num_rows, factory.training_samples, factory.fingerprint, factory.objective


class _Line:
    """The connection to the main process; its end ends this process at once, whatever it is doing."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self.jobs: queue.Queue[Any] = queue.Queue()
        self.answers: queue.Queue[str] = queue.Queue()
        self.stopped = False
        self._incoming, self._outgoing, self._lock = incoming, outgoing, threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                kind, content = pickle.load(self._incoming)  # noqa: S301 - from the process that started this one
            except BaseException:  # noqa: BLE001 - nobody is there any more
                os._exit(0)
            if kind == "stop":
                self.stopped = True
            else:
                (self.answers if kind == "answer" else self.jobs).put(content)

    def send(self, kind: str, content: Any) -> None:
        """Tell the main process something."""
        with self._lock:
            self._outgoing.write(pickle.dumps((kind, content)))

    def ask(self, callback: int, event: Event) -> str:
        """What a callback of the main process says."""
        self.send("asked", (callback, event))
        return self.answers.get()


class _Relay(Silent):
    """An observer that tells the main process."""

    def __init__(self, line: _Line) -> None:
        self._line = line

    def started(self, candidate: Candidate, *, samples: int, horizon: int) -> None:
        """A run starts, or goes on."""
        del candidate  # the main process knows what it sent
        self._line.send("started", (samples, horizon))

    def evaluated(self, candidate: Candidate, evaluation: Evaluation, *, spent: float) -> None:
        """A run was looked at."""
        del candidate, spent
        self._line.send("evaluated", evaluation)


def _made(job: Job, factory: TrainableFactory, line: _Line) -> Run:
    """The record of the job's run, after its weights were written."""
    candidate = job.candidate
    conditions = replace(
        job.conditions,
        observer=_Relay(line),
        should_stop=lambda: line.stopped,
        callbacks=tuple(_asking(line, place, name) for place, name in enumerate(job.callbacks)),
    )
    trainable = factory.create(candidate.recipe, seed=candidate.seed, share=candidate.share)
    run = train(trainable, candidate, conditions)
    if run.best is not None:
        trainable.save_weights(job.weights)
    return run


def _asking(line: _Line, place: int, name: str) -> Callback:
    """A callback that asks the one of the main process, with everything but the model."""

    def asked(event: Event) -> Literal["stop"] | None:
        content = {key: value for key, value in vars(event).items() if key != "model"}
        return "stop" if line.ask(place, Event(**content, model=None)) else None

    asked.__name__ = name
    return asked


def _found(reference: str) -> Callable[..., Any]:
    module, _, name = reference.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def _portable(error: Exception) -> Exception:
    """The error itself where it can be sent, else its text."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:  # noqa: BLE001 - whatever it holds
        return RuntimeError("".join(traceback.format_exception(error)))
    return error
