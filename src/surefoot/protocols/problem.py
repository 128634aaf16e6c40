"""What is trained, and who makes the runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from surefoot.protocols.trainable import Trainable
from surefoot.recipe import Recipe
from surefoot.records import Objective

__all__ = ["Problem", "StacksRuns", "TrainableFactory"]


class Problem(Protocol):
    """What a framework needs to know of a task.

    A part is a pair of arrays (inputs, targets) of equal length, a triple with sample weights, or a map-style
    dataset of such pairs or triples.
    """

    @property
    def model(self) -> Callable[..., Any]:
        """``model(**arguments)`` builds a fresh model."""
        ...

    @property
    def train(self) -> Any:
        """The rows to learn from."""
        ...

    @property
    def validation(self) -> Any:
        """The rows to choose by."""
        ...

    @property
    def test(self) -> Any:
        """The rows to report on, looked at once; or None."""
        ...

    @property
    def loss(self) -> str | Callable[[Any, Any], Any] | None:
        """A name, ``loss(output, target) -> scalar``, or None where ``step`` stands."""
        ...

    @property
    def step(self) -> Callable[[Any, Any], Any] | None:
        """``step(model, batch) -> loss`` or ``(loss, weight)``, instead of a loss."""
        ...

    @property
    def epochs(self) -> float:
        """The horizon in passes over the training rows."""
        ...

    @property
    def objective(self) -> Objective:
        """What decides between two models."""
        ...

    @property
    def score(self) -> Callable[[Any, Any], Any] | None:
        """The user's own ``score(output, target)`` that the objective names, or None."""
        ...

    @property
    def score_name(self) -> str:
        """What metrics call the score; it means nothing without one."""
        ...

    @property
    def target_scale(self) -> float:
        """The unit of a standardised regression target, 1 otherwise."""
        ...

    def prepared(self, *, standardize: bool, missing: str) -> Problem:
        """The task with its inputs in other units, or with what is missing filled, fitted on the training part."""
        ...


class TrainableFactory(Protocol):
    """Makes runs of one task: the tuner's only way to a framework."""

    @property
    def num_rows(self) -> int:
        """Rows of the training part."""
        ...

    @property
    def training_samples(self) -> int:
        """Samples of one training: epochs × rows."""
        ...

    @property
    def fingerprint(self) -> str:
        """Something that differs for other training data."""
        ...

    @property
    def objective(self) -> Objective:
        """What decides between two models."""
        ...

    def create(self, recipe: Recipe, *, seed: int, share: float = 1.0) -> Trainable:
        """A fresh run of a complete recipe over ``share`` of the task's horizon."""
        ...


@runtime_checkable
class StacksRuns(Protocol):
    """A factory whose runs can train together, as one stacked model: many small ones in the time of few."""

    def stack(self, wanted: Sequence[tuple[Recipe, int]], *, share: float = 1.0) -> Sequence[Trainable]:
        """Fresh runs of complete recipes and seeds, in their order, over ``share`` of the task's horizon.

        They advance together: the first that is asked takes along all that stand at the same sample, and each of those
        tells what it was trained when it is asked itself. ``release`` takes one out. ``train_together`` drives them.

        Raises:
            UnsupportedError: they cannot be stacked; the message says why in one line.
        """
        ...
