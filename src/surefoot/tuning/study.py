"""Drives a study: asks the searcher, runs the candidate, writes it into the ledger, until the searcher is content."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from surefoot.callbacks import Callback
from surefoot.protocols import Candidate, Observer, Silent, Split, Trainable, TrainableFactory
from surefoot.recipe import Recipe
from surefoot.records import Evaluation, Run
from surefoot.training import Conditions, never, train
from surefoot.tuning.ledger import Ledger

__all__ = ["Outcome", "Searcher", "best_of", "climb"]

WEIGHTS, CHECKPOINT = "model.safetensors", "checkpoint"
CHECKPOINT_SECONDS = 5.0


class Searcher(Protocol):
    """A pure function of the recorded runs."""

    def propose(self, runs: Sequence[Run]) -> Candidate | None:
        """The next run to make, or None when the search is over."""
        ...


@dataclass(frozen=True)
class Outcome:
    """What a study came to.

    Attributes:
        runs: every run that took at least one step, an interrupted one last.
        best: the run whose weights are the result, None when no run reached a usable model.
        trainable: holds those weights.
        stopped: whether ``should_stop`` ended it.
    """

    runs: tuple[Run, ...]
    best: Run | None
    trainable: Trainable | None
    stopped: bool


@dataclass(frozen=True)
class Supervision:
    """What surrounds a study.

    Attributes:
        spent: samples spent before the first run, by probes.
        observer: hears what happens.
        should_stop: asked before every step.
        looks_at: the parts of the data that every look measures.
        callbacks: asked after every look.
        checkpoint_seconds: the shortest time between two checkpoints of a run.
    """

    spent: int = 0
    observer: Observer = field(default_factory=Silent)
    should_stop: Callable[[], bool] = never
    looks_at: tuple[Split, ...] = ("validation",)
    callbacks: tuple[Callback, ...] = ()
    checkpoint_seconds: float = field(default_factory=lambda: CHECKPOINT_SECONDS)


def climb(factory: TrainableFactory, searcher: Searcher, ledger: Ledger, supervision: Supervision) -> Outcome:
    """Run what the searcher proposes until it is content or somebody asks to stop; the best run is the result."""
    runs = list(ledger.runs)
    best, trainable = best_of(runs), None
    stopped = False
    while not stopped and (candidate := searcher.propose(runs)) is not None:
        if supervision.should_stop():
            stopped = True
            break
        spent = supervision.spent + sum(run.samples for run in runs)
        challenger = factory.create(candidate.recipe, seed=candidate.seed, share=candidate.share)
        run = _run(challenger, candidate, factory, ledger, replace(supervision, spent=spent))
        stopped = run.status == "interrupted"
        runs.append(run)
        if best_of(runs) is run:
            best, trainable = run, challenger
        if not stopped:
            _record(run, challenger, ledger, best=best)
        total = (spent + run.samples) / factory.training_samples
        supervision.observer.finished(run, spent=total)
    if best is not None and trainable is None:
        trainable = _from_ledger(factory, best, ledger)
    return Outcome(tuple(run for run in runs if run.steps or run.reason), best, trainable, stopped)


def best_of(runs: Sequence[Run]) -> Run | None:
    """The run with the best value of the objective; the earlier one of two equals."""
    best: Run | None = None
    for run in runs:
        if run.best is not None and (best is None or run.objective.is_better(run.value, best.value)):
            best = run
    return best


def _run(
    challenger: Trainable,
    candidate: Candidate,
    factory: TrainableFactory,
    ledger: Ledger,
    supervision: Supervision,
) -> Run:
    ledger.begin(candidate)
    folder = ledger.folder(candidate.number)
    conditions = Conditions(
        rows=factory.num_rows,
        training_samples=factory.training_samples,
        objective=factory.objective,
        spent=supervision.spent,
        observer=supervision.observer,
        report=partial(_report, candidate=candidate, ledger=ledger, factory=factory, horizon=challenger.horizon),
        should_stop=supervision.should_stop,
        looks_at=supervision.looks_at,
        callbacks=supervision.callbacks,
        directory=None if folder is None else folder / CHECKPOINT,
        checkpoint_seconds=supervision.checkpoint_seconds,
    )
    return train(challenger, candidate, conditions)


def _report(
    evaluation: Evaluation, *, candidate: Candidate, ledger: Ledger, factory: TrainableFactory, horizon: int
) -> None:
    """Write about ten of a run's looks into the ledger: each costs milliseconds."""
    tenth = max(1, horizon // 10)
    if evaluation.samples // tenth > (evaluation.samples - factory.num_rows) // tenth or horizon <= factory.num_rows:
        ledger.report(candidate, evaluation, factory.objective)


def _record(run: Run, trainable: Trainable, ledger: Ledger, *, best: Run | None) -> None:
    """Put a finished run into the ledger; its weights, if it is the best so far, before it and the old ones' after."""
    folder = ledger.folder(run.number)
    if folder is None:
        ledger.finish(run)
        return
    if best is run:
        trainable.save_weights(folder / WEIGHTS)
    ledger.finish(run)
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    for other in ledger.runs if best is run else ():
        old = ledger.folder(other.number)
        if other is not run and old is not None:
            (old / WEIGHTS).unlink(missing_ok=True)


def _from_ledger(factory: TrainableFactory, run: Run, ledger: Ledger) -> Trainable:
    """The best run of an earlier process, its weights read back."""
    folder = ledger.folder(run.number)
    assert folder is not None, "a study in memory holds its best run"
    trainable = factory.create(Recipe(**run.recipe), seed=run.seed, share=run.share)
    trainable.load_weights(folder / WEIGHTS)
    return trainable
