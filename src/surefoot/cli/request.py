"""What a command is asked for, from the words that were typed: the task, the recipe, the folder, who watches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surefoot.protocols import Observer
    from surefoot.recipe import Recipe
    from surefoot.tasks import Task
    from surefoot.workflows.output import NewFolder

__all__ = ["observers_of", "place_of", "recipe_of", "task_of"]


def task_of(
    target: str,
    column: str | None,
    kind: Any,
    weights: str | None,
    epochs: float | None,
    *,
    groups: str | None = None,
    time: str | None = None,
) -> Task:
    """The task that TARGET and its options name."""
    from surefoot import tasks

    return tasks.resolve(target, column=column, kind=kind, epochs=epochs, weights=weights, groups=groups, time=time)


def recipe_of(path: Path | None, changes: list[str] | None) -> Recipe:
    """The recipe of a file, or an empty one, with the keys of ``--set`` in it."""
    from surefoot.errors import RecipeError
    from surefoot.recipe import Recipe, parse_value

    recipe = Recipe() if path is None else Recipe.from_file(path)
    pairs = [change.partition("=") for change in changes or []]
    for key, mark, value in pairs:
        if not mark or not value:
            raise RecipeError(f'--set takes KEY=VALUE, such as batch.size=64, not "{key}{mark}{value}"')
    return recipe.with_changes({key.strip(): parse_value(value) for key, _, value in pairs})


def observers_of(observer: Observer, tensorboard: Path | None) -> Observer:
    """The terminal's observer, and the one that writes for TensorBoard where it is asked for."""
    from surefoot.protocols import Together
    from surefoot.workflows.backend import engine

    return Together(observer, None if tensorboard is None else engine().TensorBoardWriter(tensorboard))


def place_of(out: Path | None, task: Task) -> Path | NewFolder:
    """The folder for the result: the one asked for, or a new one under runs/."""
    from surefoot.workflows.output import NewFolder

    return NewFolder(Path("runs"), task.name) if out is None else out
