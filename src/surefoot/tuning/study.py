"""Drives a study: asks the searcher, has the wave run, writes it into the ledger, until the searcher is content."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from surefoot.protocols import Executor, Searcher, Supervision, Trainable, TrainableFactory, Trained
from surefoot.recipe import Recipe
from surefoot.records import Run, is_preferred
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
    """Run what the searcher proposes until it is content or somebody asks to stop; the best run is the result.

    Args:
        factory: makes the runs.
        searcher: proposes them.
        ledger: keeps them; what it holds already counts.
        supervision: who is told, when to stop, what was spent before.
        executor: where they are made; None is one after the other, in this process.
    """
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
        study.settle()
    study.settle()
    return study.outcome(stopped=False)


def best_of(runs: Sequence[Run]) -> Run | None:
    """The run whose model is the result: see ``records.is_preferred``."""
    best: Run | None = None
    for run in sorted(runs, key=lambda run: run.number):
        best = run if is_preferred(run, best) else best
    return best


class _Standing:
    """How a study stands: what it spent, and who holds which weights.

    Runs of a wave may end in any order, and which is the best is told by all of them in the order of their numbers: so
    weights that lie in files stay there until the wave is whole, and a trainable is kept while its run is the best.
    """

    def __init__(self, factory: TrainableFactory, ledger: Ledger, spent: int) -> None:
        self._factory, self._ledger = factory, ledger
        self.spent = spent + sum(run.samples for run in ledger.runs)
        self.interrupted: list[Run] = []
        self._held: dict[int, Trained] = {}
        runs = None if ledger.directory is None else ledger.directory / "runs"
        self._files = set() if runs is None else set(runs.glob(f"*/{WEIGHTS}"))

    def take(self, trained: Trained) -> None:
        """Put a run into the ledger, its weights before it if it is the best so far."""
        run, folder = trained.run, self._ledger.folder(trained.run.number)
        is_interrupted = run.status == "interrupted"  # it goes on when the study is resumed
        self.spent += run.samples
        if trained.weights is not None or best_of([*self._ledger.runs, *self.interrupted, run]) is run:
            self._hold(trained)
            if trained.weights is not None:
                self._files.add(trained.weights)
            if folder is not None and trained.trainable is not None and not is_interrupted:
                trained.trainable.save_weights(folder / WEIGHTS)
                self._files.add(folder / WEIGHTS)
        if is_interrupted:
            self.interrupted.append(run)
            return
        self._ledger.finish(run)
        if folder is not None:
            shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)

    def settle(self) -> None:
        """After a wave: remove the weights of all finished runs but the best."""
        best = self._best(self._ledger.runs)
        kept = None if best is None else self._path(best)
        for path in [path for path in self._files if path != kept]:
            path.unlink(missing_ok=True)
            self._files.remove(path)
        self._held = {number: held for number, held in self._held.items() if best is not None and number == best.number}

    def outcome(self, *, stopped: bool) -> Outcome:
        """What the study came to; an interrupted run may be the best one."""
        runs = (*self._ledger.runs, *sorted(self.interrupted, key=lambda run: run.number))
        took_part = tuple(run for run in runs if run.steps or run.reason)
        best = self._best(runs)
        if best is None:
            return Outcome(took_part, None, None, stopped)
        return Outcome(took_part, best, self._holder(best), stopped)

    def _hold(self, trained: Trained) -> None:
        """Keep who has a run's weights; only one trainable is kept in memory."""
        for number, other in list(self._held.items()):
            if trained.trainable is not None and other.trainable is not None:
                del self._held[number]
        self._held[trained.run.number] = trained

    def _holder(self, run: Run) -> Trainable:
        """Whoever holds a run's best weights, read back where they lie in a file."""
        trained, path = self._held.get(run.number, Trained(run)), self._path(run)
        if trained.trainable is not None:
            return trained.trainable
        assert path is not None, "a run without weights is not the best one"
        trainable = self._factory.create(Recipe(**run.recipe), seed=run.seed, share=run.share)
        trainable.load_weights(path)
        return trainable

    def _best(self, runs: Sequence[Run]) -> Run | None:
        """The best run; of those that have weights, where it was not the best when it ended and has none.

        Preferring a longer run to a better shorter one is no order: who comes in between can change who wins.
        """
        best = best_of(runs)
        return best if best is None or self._has_weights(best) else best_of(list(filter(self._has_weights, runs)))

    def _has_weights(self, run: Run) -> bool:
        return run.number in self._held or self._path(run) is not None

    def _path(self, run: Run) -> Path | None:
        """Where a run's best weights lie, None where they lie in no file."""
        folder, trained = self._ledger.folder(run.number), self._held.get(run.number, Trained(run))
        path = trained.weights if trained.weights is not None or folder is None else folder / WEIGHTS
        return path if path in self._files else None
