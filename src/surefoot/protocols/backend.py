"""What a framework's room offers to the workflows, which find it by name when a task asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from surefoot.protocols.problem import Problem, TrainableFactory
from surefoot.recipe import Recipe

__all__ = ["Backend", "OpenedTask"]


class OpenedTask(TrainableFactory, Protocol):
    """A factory that can also try its task once."""

    def check(self, recipe: Recipe) -> None:
        """Try the task, a step and a look, and say in one line what is wrong with it.

        Raises:
            TaskError: it cannot be trained with this recipe.
        """
        ...


class Backend(Protocol):
    """A module: ``surefoot.engine`` for PyTorch, or another that a ``Task`` names as its ``backend``."""

    def open_task(self, problem: Problem) -> OpenedTask:
        """The factory of a task's runs."""
        ...

    def predict(self, model: Any, inputs: Any) -> Any:
        """The model's outputs for rows, as a NumPy array; for classes as scores, whose softmax gives probabilities."""
        ...

    def load_weights(self, model: Any, path: Path) -> None:
        """Read weights that a run of this backend wrote into a model of the same make, and make it ready for use."""
        ...
