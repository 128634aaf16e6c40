"""Makes the runs of a wave in worker processes on this machine."""

from __future__ import annotations

import queue
import shutil
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from surefoot.callbacks import ask
from surefoot.protocols import Candidate, KeepsRuns, Silent, Supervision, TrainableFactory, Trained
from surefoot.protocols.search import never
from surefoot.records import Run
from surefoot.training import horizon_of
from surefoot.tuning.executor import CHECKPOINT, WEIGHTS, InProcess, conditions_of
from surefoot.tuning.process import Inbox, WorkerProcess, how_it_ended
from surefoot.tuning.worker import Job, identity_of

__all__ = ["Workers"]

TICK = 0.05  # seconds between two questions whether to stop
MOST_DEATHS = 2  # of workers over one run, before the run is blamed


class Workers:
    """Worker processes, each with one thread: started with the first wave, ended with the block.

    A run whose worker is killed is made again, once; killed again, it counts as one that does not fit. Where no worker
    can open the task, the runs are made in this process, and ``notes`` says why.

    Args:
        count: how many processes at most.
        opener: ``package.module:function`` that opens the task in a worker.
        arguments: its arguments.
    """

    def __init__(self, count: int, opener: str, arguments: tuple[Any, ...]) -> None:
        self._count, self._greeting = count, (opener, arguments, list(sys.path))
        self._inbox: Inbox = queue.Queue()
        self._workers: list[WorkerProcess] = []
        self._folder: Path | None = None
        self.notes: tuple[str, ...] = ()

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def execute(
        self, wave: Sequence[Candidate], factory: TrainableFactory, *, ledger: KeepsRuns, supervision: Supervision
    ) -> Iterator[Trained]:
        """Each run as it ends; where workers are of no use, each as it ends in this process."""
        left = {candidate.number: candidate for candidate in wave}
        if not self.notes:
            made = _Wave(wave, factory, ledger, supervision, self)
            try:
                for trained in made.run():
                    del left[trained.run.number]
                    yield trained
                return
            except _UnableError as error:
                self.notes = (f"the runs were made one by one, not by {self._count} workers: {error}",)
                self._end()
            except BaseException:
                self._end()
                raise
            supervision = replace(supervision, spent=made.spent)
        yield from InProcess().execute(list(left.values()), factory, ledger=ledger, supervision=supervision)

    def folder_of(self, candidate: Candidate, ledger: KeepsRuns) -> Path:
        """Where a run keeps its files: with the study, or until the study ends."""
        kept = ledger.folder(candidate.number)
        if kept is None:
            self._folder = self._folder or Path(tempfile.mkdtemp(prefix="surefoot-"))
            kept = self._folder / f"{candidate.number:03d}"
        return kept

    def idle(self, wanted: int) -> WorkerProcess | None:
        """A worker without a run, or None; started where there are fewer than ``wanted``."""
        while len(self._workers) < min(self._count, wanted):
            self._workers.append(WorkerProcess(self._inbox, self._greeting))
        return next((worker for worker in self._workers if worker.is_ready and worker.candidate is None), None)

    def heard(self) -> tuple[WorkerProcess, str, Any] | None:
        """What a worker says; None when none says anything for a moment."""
        try:
            worker, kind, content = self._inbox.get(timeout=TICK)
        except queue.Empty:
            return None
        if kind == "ended":
            worker.end()
            self._workers = [other for other in self._workers if other is not worker]
        return worker, kind, content

    def _end(self) -> None:
        """End the processes; nothing of them is left when this returns."""
        for worker in self._workers:
            worker.end()
        for worker in self._workers:
            worker.reap()
        self._workers = []


class _UnableError(Exception):
    """No worker can open the task; the text says why."""


class _Wave:
    """The runs of a wave on their way through the workers."""

    def __init__(
        self,
        wave: Sequence[Candidate],
        factory: TrainableFactory,
        ledger: KeepsRuns,
        supervision: Supervision,
        workers: Workers,
    ) -> None:
        self._waiting, self._factory, self._ledger = deque(wave), factory, ledger
        self._supervision, self._workers = supervision, workers
        self._busy: dict[int, WorkerProcess] = {}
        self._lost: dict[int, list[int]] = {}
        self.spent = supervision.spent

    def run(self) -> Iterator[Trained]:
        """Each run as it ends."""
        is_stopped = False
        while self._waiting or self._busy:
            if not is_stopped and self._supervision.should_stop():
                is_stopped = True
                self._waiting.clear()
                for worker in self._busy.values():
                    worker.send("stop")
            self._assign()
            heard = self._workers.heard()
            trained = self._take(*heard, is_stopped=is_stopped) if heard is not None else None
            if trained is not None:
                self.spent += trained.run.samples
                yield trained

    def _assign(self) -> None:
        wanted = len(self._waiting) + len(self._busy)
        while self._waiting and (worker := self._workers.idle(wanted)) is not None:
            candidate = self._waiting.popleft()
            self._ledger.begin(candidate)
            self._busy[candidate.number] = worker
            worker.candidate, worker.samples = candidate, 0
            worker.horizon = horizon_of(candidate.share, self._factory.training_samples)
            worker.send("job", self._job(candidate, worker.horizon))

    def _job(self, candidate: Candidate, horizon: int) -> Job:
        folder = self._workers.folder_of(candidate, self._ledger)
        conditions = conditions_of(
            candidate, self._factory, ledger=self._ledger, supervision=self._supervision, horizon=horizon
        )
        names = tuple(getattr(callback, "__name__", type(callback).__name__) for callback in conditions.callbacks)
        portable = replace(
            conditions, observer=Silent(), report=None, should_stop=never, callbacks=(), directory=folder / CHECKPOINT
        )
        return Job(candidate, portable, names, folder / WEIGHTS)

    def _take(self, worker: WorkerProcess, kind: str, content: Any, *, is_stopped: bool) -> Trained | None:
        """Act on what a worker says; a run where one ended."""
        if kind == "ready":
            if content != identity_of(self._factory):
                raise _UnableError("the task that they find is another one; its data or its length differ")
            worker.is_ready = True
        elif kind == "unable":
            raise _UnableError(" ".join(str(content).split()))
        elif kind == "failed":
            raise content
        elif kind == "ended":
            return self._bury(worker, content, is_stopped=is_stopped)
        elif worker.candidate is not None:
            return self._hear(worker, worker.candidate, kind, content)
        return None

    def _hear(self, worker: WorkerProcess, candidate: Candidate, kind: str, content: Any) -> Trained | None:
        observer = self._supervision.observer
        if kind == "started":
            samples, horizon = content
            observer.started(candidate, samples=samples, horizon=horizon)
        elif kind == "evaluated":
            worker.samples = content.samples
            spent = self.spent + sum(other.samples for other in self._busy.values())
            observer.evaluated(candidate, content, spent=spent / self._factory.training_samples)
            self._ledger.report(candidate, content, horizon=worker.horizon)
        elif kind == "asked":
            place, event = content
            worker.send("answer", ask(self._supervision.callbacks[place : place + 1], **vars(event)))
        elif kind == "finished":
            del self._busy[candidate.number]
            worker.candidate = None
            weights = self._workers.folder_of(candidate, self._ledger) / WEIGHTS
            return Trained(content, weights=weights if content.best is not None else None)
        return None

    def _bury(self, worker: WorkerProcess, code: int, *, is_stopped: bool) -> Trained | None:
        """What a worker's death means: its run is made again, once."""
        if not worker.is_ready:
            raise _UnableError(f"a worker {how_it_ended(code)} before it had opened the task")
        candidate = worker.candidate
        if candidate is None:
            return None
        del self._busy[candidate.number]
        lost = self._lost.setdefault(candidate.number, [])
        lost.append(worker.samples)
        if is_stopped:
            return None  # it goes on from its checkpoint when the study is resumed
        if len(lost) < MOST_DEATHS:
            self._waiting.appendleft(candidate)
            return None
        return Trained(_fatal(candidate, code, samples=sum(lost), horizon=worker.horizon, factory=self._factory))


def _fatal(candidate: Candidate, code: int, *, samples: int, horizon: int, factory: TrainableFactory) -> Run:
    """The record of a run that killed every worker that made it."""
    return candidate.record(
        horizon=horizon,
        status="out_of_memory" if code == -signal.SIGKILL else "diverged",
        reason=f"its worker process {how_it_ended(code)}, {MOST_DEATHS} times",
        samples=samples,
        steps=0,
        seconds=0.0,
        evaluations=(),
        objective=factory.objective,
    )
