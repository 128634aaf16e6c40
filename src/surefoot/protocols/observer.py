"""Who hears what happens while it happens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from surefoot.recipe import Recipe
from surefoot.records import Evaluation, RangeTest, Run

__all__ = ["Candidate", "Observer", "Silent", "Together"]


@dataclass(frozen=True)
class Candidate:
    """A run to be made: a complete recipe at a share of the horizon.

    Attributes:
        number: its place in the study, from 0.
        name: what reports call it.
        stage: the step of the ladder it belongs to, or "fit".
        share: of the task's horizon, above 0; a last run may be longer than 1.
        recipe: complete, with nothing left to a default.
        seed: of everything random in the run.
        coordinates: where the search believes it to be: optimizer, rate, decay.
    """

    number: int
    name: str
    stage: str
    share: float
    recipe: Recipe
    seed: int
    coordinates: dict[str, Any] = field(default_factory=dict)

    def record(self, **outcome: Any) -> Run:
        """The record of the run that was made of this: what was wanted stands here, how it went is ``outcome``."""
        return Run(
            name=self.name,
            number=self.number,
            stage=self.stage,
            share=self.share,
            recipe=self.recipe.to_dict(),
            coordinates=self.coordinates,
            seed=self.seed,
            **outcome,
        )


class Observer(Protocol):
    """Hears what happens while it happens; it decides nothing."""

    def probing(self, optimizer: str) -> None:
        """A range test starts."""
        ...

    def probed(self, test: RangeTest, *, spent: float) -> None:
        """A range test ended; ``spent`` is the price so far in trainings."""
        ...

    def started(self, candidate: Candidate, *, samples: int, horizon: int) -> None:
        """A run starts, or goes on from ``samples``."""
        ...

    def evaluated(self, candidate: Candidate, evaluation: Evaluation, *, spent: float) -> None:
        """A run was looked at; ``spent`` is the price so far in trainings."""
        ...

    def finished(self, run: Run, *, spent: float) -> None:
        """A run ended."""
        ...


class Silent:
    """An observer that says nothing; a base for one of your own that hears only some of it."""

    def probing(self, optimizer: str) -> None:
        """Say nothing."""

    def probed(self, test: RangeTest, *, spent: float) -> None:
        """Say nothing."""

    def started(self, candidate: Candidate, *, samples: int, horizon: int) -> None:
        """Say nothing."""

    def evaluated(self, candidate: Candidate, evaluation: Evaluation, *, spent: float) -> None:
        """Say nothing."""

    def finished(self, run: Run, *, spent: float) -> None:
        """Say nothing."""


class Together:
    """Several observers as one: each hears everything, in their order.

    Args:
        observers: those that there are; None is left out.
    """

    def __init__(self, *observers: Observer | None) -> None:
        self._observers = [observer for observer in observers if observer is not None]

    def probing(self, optimizer: str) -> None:
        """A range test starts."""
        for observer in self._observers:
            observer.probing(optimizer)

    def probed(self, test: RangeTest, *, spent: float) -> None:
        """A range test ended."""
        for observer in self._observers:
            observer.probed(test, spent=spent)

    def started(self, candidate: Candidate, *, samples: int, horizon: int) -> None:
        """A run starts, or goes on from ``samples``."""
        for observer in self._observers:
            observer.started(candidate, samples=samples, horizon=horizon)

    def evaluated(self, candidate: Candidate, evaluation: Evaluation, *, spent: float) -> None:
        """A run was looked at."""
        for observer in self._observers:
            observer.evaluated(candidate, evaluation, spent=spent)

    def finished(self, run: Run, *, spent: float) -> None:
        """A run ended."""
        for observer in self._observers:
            observer.finished(run, spent=spent)
