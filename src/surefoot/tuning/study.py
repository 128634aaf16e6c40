"""Drives a study: asks the searcher, has the wave run, writes it into the ledger, until the searcher is content."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace

from surefoot.protocols import Executor, Searcher, Supervision, Trainable, TrainableFactory, Trained
from surefoot.recipe import Recipe
from surefoot.records import Run
from surefoot.tuning.executor import CHECKPOINT, WEIGHTS, InProcess
from surefoot.tuning.ledger import Ledger

__all__ = ["Outcome", "best_of", "climb"]


@dataclass(frozen=True)
class Outcome:
    """What a study came to.

    Attributes:
        runs: every run that took at least one step, interrupted ones last.
        best: the run whose weights are the result, None when no run reached a usable model.
        trainable: holds those weights.
        stopped: whether ``should_stop`` ended it.
    """

    runs: tuple[Run, ...]
    best: Run | None
    trainable: Trainable | None
    stopped: bool


def climb(
    factory: TrainableFactory,
    searcher: Searcher,
    ledger: Ledger,
    supervision: Supervision,
    *,
    executor: Executor | None = None,
) -> Outcome:
    """Run what the searcher proposes until it is content or somebody asks to stop; the best run is the result."""
    executor = executor or InProcess()
    study = _Standing(factory, ledger, supervision.spent)
    while wave := searcher.propose(ledger.runs):
        if supervision.should_stop():
            return study.outcome(stopped=True)
        supervision = replace(supervision, spent=study.spent)
        for trained in executor.execute(wave, factory, ledger=ledger, supervision=supervision):
            study.take(trained)
            supervision.observer.finished(trained.run, spent=study.spent / factory.training_samples)
        if study.interrupted:
            return study.outcome(stopped=True)
    return study.outcome(stopped=False)


def best_of(runs: Sequence[Run]) -> Run | None:
    """The run with the best value of the objective; the one with the lower number of two equals."""
    best: Run | None = None
    for run in runs:
        best = run if _is_better(run, best) else best
    return best


def _is_better(run: Run, best: Run | None) -> bool:
    if run.best is None or best is None:
        return run.best is not None
    return run.objective.is_better(run.value, best.value) or (run.value == best.value and run.number < best.number)


class _Standing:
    """How a study stands: what it spent, and who holds the weights of the best run."""

    def __init__(self, factory: TrainableFactory, ledger: Ledger, spent: int) -> None:
        self._factory, self._ledger = factory, ledger
        self.spent = spent + sum(run.samples for run in ledger.runs)
        self.interrupted: list[Trained] = []
        best = best_of(ledger.runs)
        self._best = Trained(best) if best is not None else None
        for run in ledger.runs:
            if run is not best:
                self._forget(Trained(run))  # a killed process may have been about to

    def take(self, trained: Trained) -> None:
        """Put a run into the ledger; its weights, if it is the best so far, before it and the old ones' after."""
        run, before = trained.run, self._best
        self.spent += run.samples
        if run.status == "interrupted":
            self.interrupted.append(trained)  # it goes on when the study is resumed
            return
        is_best = _is_better(run, before.run if before is not None else None)
        folder = self._ledger.folder(run.number)
        if is_best and folder is not None and trained.trainable is not None:
            trained.trainable.save_weights(folder / WEIGHTS)
        self._ledger.finish(run)
        if is_best:
            self._best = trained
        if folder is not None:
            shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
        loser = before if is_best else trained
        if loser is not None:
            self._forget(loser)

    def _forget(self, trained: Trained) -> None:
        """Remove the weights of a finished run that is not the best."""
        folder = self._ledger.folder(trained.run.number)
        for path in (trained.weights, None if folder is None else folder / WEIGHTS):
            if path is not None:
                path.unlink(missing_ok=True)

    def outcome(self, *, stopped: bool) -> Outcome:
        """What the study came to; an interrupted run may be the best one."""
        best = self._best
        for trained in self.interrupted:
            best = trained if _is_better(trained.run, best.run if best is not None else None) else best
        runs = (*self._ledger.runs, *sorted((other.run for other in self.interrupted), key=lambda run: run.number))
        took_part = tuple(run for run in runs if run.steps or run.reason)
        if best is None:
            return Outcome(took_part, None, None, stopped)
        return Outcome(took_part, best.run, self._holder(best), stopped)

    def _holder(self, trained: Trained) -> Trainable:
        """Whoever holds a run's best weights, read back where they lie in a file."""
        if trained.trainable is not None:
            return trained.trainable
        run, folder = trained.run, self._ledger.folder(trained.run.number)
        path = folder / WEIGHTS if trained.weights is None and folder is not None else trained.weights
        assert path is not None, "a study in memory holds its best run"
        trainable = self._factory.create(Recipe(**run.recipe), seed=run.seed, share=run.share)
        trainable.load_weights(path)
        return trainable
