"""Who decides what to run next, and who runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from surefoot.callbacks import Callback
from surefoot.protocols.observer import Candidate, Observer, Silent
from surefoot.protocols.problem import TrainableFactory
from surefoot.protocols.trainable import Split, Trainable
from surefoot.records import Evaluation, Run

__all__ = ["CHECKPOINT_SECONDS", "Executor", "KeepsRuns", "Searcher", "Supervision", "Trained", "never"]

CHECKPOINT_SECONDS = 5.0


class Searcher(Protocol):
    """Decides what to run next: a pure function of the finished runs."""

    def propose(self, runs: Sequence[Run]) -> tuple[Candidate, ...]:
        """The runs to make next, all independent of each other: a wave. An empty one ends the search.

        Numbers count from 0 without gaps, and a candidate keeps its number: asked again when some of a wave are
        finished, this gives the rest of that wave. ``runs`` may hold any part of a wave and come in any order.
        """
        ...


def never() -> bool:
    """The answer of whoever does not want a run to stop."""
    return False


@dataclass(frozen=True)
class Supervision:
    """What surrounds a study.

    Attributes:
        spent: samples spent before, by probes and earlier runs.
        observer: hears what happens.
        should_stop: asked before every step.
        looks_at: the parts of the data that every look measures.
        callbacks: asked after every look.
        checkpoint_seconds: the shortest time between two checkpoints of a run.
        is_cautious: looks are judged with the doubt that a small validation part leaves: see ``training.Conditions``.
    """

    spent: int = 0
    observer: Observer = field(default_factory=Silent)
    should_stop: Callable[[], bool] = never
    looks_at: tuple[Split, ...] = ("validation",)
    callbacks: tuple[Callback, ...] = ()
    checkpoint_seconds: float = field(default_factory=lambda: CHECKPOINT_SECONDS)
    is_cautious: bool = False


class KeepsRuns(Protocol):
    """Where runs are kept, as an executor sees it."""

    def begin(self, candidate: Candidate) -> None:
        """Hear that a run begins, or goes on; runs begin in the order of their numbers."""
        ...

    def folder(self, number: int) -> Path | None:
        """Where a run keeps its files; None when nothing should stay on disk."""
        ...

    def report(self, candidate: Candidate, evaluation: Evaluation, *, horizon: int) -> None:
        """Hear a look at a run of ``horizon`` samples; keep it or not."""
        ...


class Trained(NamedTuple):
    """A run that ended.

    Attributes:
        run: its record.
        trainable: holds the best weights; None where they lie in ``weights``.
        weights: a file with the best weights; None where the trainable holds them or nothing usable was reached.
    """

    run: Run
    trainable: Trainable | None = None
    weights: Path | None = None


class Executor(Protocol):
    """Makes the runs of a wave: one by one, stacked, or in other processes."""

    def execute(
        self, wave: Sequence[Candidate], factory: TrainableFactory, *, ledger: KeepsRuns, supervision: Supervision
    ) -> Iterator[Trained]:
        """Each run as it ends, in any order.

        Once ``supervision.should_stop`` says so, runs on their way end as "interrupted" and no other begins.
        """
        ...
