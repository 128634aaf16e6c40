"""Finds the framework by name, when it is needed and not before."""

from __future__ import annotations

import importlib
import operator
import os
from typing import Any, cast

from surefoot.errors import MissingExtraError, RecipeError, RequestError, TaskError
from surefoot.protocols import Backend, TrainableFactory
from surefoot.recipe import Recipe
from surefoot.tasks import Task
from surefoot.tuning.worker import IS_WORKER

__all__ = ["PYTORCH", "backend", "engine", "identity", "open_task", "require_recipe", "require_seed"]


PYTORCH = "surefoot.engine"
# What has to be installed for a backend: the package that is missing -> its name among people, the extra.
_EXTRAS = {
    "torch": ("PyTorch", "torch"),
    "keras": ("Keras", "keras"),
    "tensorflow": ("TensorFlow", "keras"),
    "sklearn": ("scikit-learn", "sklearn"),
}


def backend(name: str) -> Backend:
    """The room of a framework, by the name of its module.

    Raises:
        MissingExtraError: the framework is not installed.
    """
    try:
        return cast("Backend", importlib.import_module(name))
    except ModuleNotFoundError as error:
        if error.name not in _EXTRAS:
            raise
        package, extra = _EXTRAS[error.name]
        raise MissingExtraError(f"training needs {package}; install it with: pip install 'surefoot[{extra}]'") from None


def engine() -> Any:
    """The PyTorch backend, with all that it offers beside.

    Raises:
        MissingExtraError: PyTorch is not installed.
    """
    return backend(PYTORCH)


def open_task(task: Task, recipe: Recipe, factory: TrainableFactory | None = None) -> tuple[TrainableFactory, Recipe]:
    """The factory of a task's runs and the complete recipe, after the task was tried once at the door.

    Args:
        task: what to train on.
        recipe: what was left out takes its default.
        factory: of the task's runs; None makes one.

    Raises:
        TaskError: the task cannot be trained with this recipe.
    """
    if IS_WORKER in os.environ:
        raise RequestError(
            'this is a worker process that looks for the task: start work under if __name__ == "__main__"'
        )
    if not isinstance(task, Task):
        raise TaskError(f"task must be a surefoot.Task, not {type(task).__name__}")
    opened: Any = backend(task.backend).open_task(task) if factory is None else factory
    opened.check(recipe)
    return opened, recipe.complete(opened.num_rows)


def identity(task: Task, factory: TrainableFactory) -> dict[str, Any]:
    """What makes a task the same task when a study is resumed."""
    return {
        "task": task.name,
        "epochs": task.epochs,
        "loss": task.loss if isinstance(task.loss, str) else "custom",
        "objective": factory.objective.name,
        "data": factory.fingerprint,
    }


def require_recipe(recipe: Recipe | None) -> Recipe:
    """The recipe, an empty one for None; anything else is refused."""
    if recipe is not None and not isinstance(recipe, Recipe):
        raise RecipeError(f"recipe must be a surefoot.Recipe, not {type(recipe).__name__}; write sf.Recipe(**sections)")
    return recipe or Recipe()


def require_seed(seed: int) -> int:
    """The seed as Python's own whole number."""
    try:
        return operator.index(seed)
    except TypeError:
        raise RequestError(f"seed must be a whole number, not {seed!r}") from None
