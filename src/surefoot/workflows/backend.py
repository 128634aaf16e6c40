"""Finds the framework by name, when it is needed and not before."""

from __future__ import annotations

import importlib
from typing import Any

from surefoot.errors import MissingExtraError, TaskError
from surefoot.protocols import TrainableFactory
from surefoot.recipe import Recipe
from surefoot.tasks import Task

__all__ = ["engine", "open_task"]


def engine() -> Any:
    """The PyTorch backend.

    Raises:
        MissingExtraError: PyTorch is not installed.
    """
    try:
        return importlib.import_module("surefoot.engine")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtraError("training needs PyTorch; install it with: pip install 'surefoot[torch]'") from None


def open_task(task: Task, recipe: Recipe) -> tuple[TrainableFactory, Recipe]:
    """The factory of a task's runs and the complete recipe, after the task was tried once at the door.

    Raises:
        TaskError: the task cannot be trained with this recipe.
    """
    if not isinstance(task, Task):
        raise TaskError(f"task must be a surefoot.Task, not {type(task).__name__}")
    factory = engine().TorchFactory(task)
    factory.check(recipe)
    return factory, recipe.complete(factory.num_rows)
