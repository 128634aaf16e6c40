"""Recipes side by side on one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surefoot import reports
from surefoot.errors import RecipeError
from surefoot.protocols import Observer, Together
from surefoot.recipe import Recipe
from surefoot.tasks import Task
from surefoot.workflows import output
from surefoot.workflows.backend import open_task, require_recipe
from surefoot.workflows.company import require_one_process
from surefoot.workflows.fit import fit_looking_at
from surefoot.workflows.lesson import lesson, remarks
from surefoot.workflows.result import Result

__all__ = ["compare", "expand_grid"]


def compare(
    task: Task,
    recipes: Mapping[str, Recipe] | None = None,
    *,
    grid: Mapping[str, Sequence[Any]] | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
    directory: str | Path | output.NewFolder | None = None,
    overwrite: bool = False,
    verbose: bool = False,
    observer: Observer | None = None,
) -> dict[str, Result]:
    """Train every recipe on the whole horizon, with the same seed and the same order of rows.

    Every look measures the test part too, where the task has one, so that both curves can be drawn. Choose by the
    validation loss all the same.

    Args:
        task: what to train on.
        recipes: by name; without recipes and without a grid, those of the classic lesson: full batch, single sample,
            mini-batch, decay on plateau, L2.
        grid: instead of recipes, values of recipe keys, every combination of which is trained, such as
            ``{"optimizer.learning_rate": [0.01, 0.1], "batch.size": [16, 64]}``.
        recipe: what a grid leaves as it is; None is an empty one.
        seed: the same for all.
        directory: receives a folder a recipe and one page with all curves; None leaves nothing on disk.
        overwrite: remove earlier results from ``directory`` first.
        verbose: print a line an epoch, a line a run for a grid.
        observer: hears what happens while it happens.

    Returns:
        The results by name; an interruption ends the comparison after the recipe it fell into.
    """
    require_one_process("compare", "train each recipe with a surefoot fit of its own")
    see: dict[str, str] = {}
    if recipes is None and grid is None:
        if recipe is not None:
            raise RecipeError("recipe is what a grid starts from; to compare a recipe give it a name among recipes")
        recipes, see = lesson().recipes, lesson().see
    chosen = _chosen(recipes, grid, require_recipe(recipe))
    printer = reports.Printer(every_look=grid is None) if verbose else None
    place, results = _trained(
        task, chosen, seed=seed, directory=directory, overwrite=overwrite, observer=Together(printer, observer)
    )
    if place is not None:
        studies = {name: result.study for name, result in results.items()}
        drawn = None if grid is None else reports.Grid(grid)
        reports.write_comparison(studies, place, grid=drawn, remarks=remarks(see, studies))
    return results


def _chosen(
    recipes: Mapping[str, Recipe] | None, grid: Mapping[str, Sequence[Any]] | None, base: Recipe
) -> Mapping[str, Recipe]:
    """The recipes to train, by name."""
    if grid is not None:
        if recipes is not None:
            raise RecipeError("give recipes or a grid, not both")
        return expand_grid(base, grid)
    if not isinstance(recipes, Mapping):
        raise RecipeError(f"recipes must be a mapping from name to Recipe, not {type(recipes).__name__}")
    if not recipes:
        raise RecipeError("there is nothing to compare: give at least one recipe")
    return recipes


def _trained(
    task: Task,
    recipes: Mapping[str, Recipe],
    *,
    seed: int,
    directory: str | Path | output.NewFolder | None,
    overwrite: bool,
    observer: Observer,
) -> tuple[Path | None, dict[str, Result]]:
    """The folder and the results by name, one recipe after the other."""
    folders = {name: output.folder_name(name) for name in recipes}
    if len(set(folders.values())) < len(folders):
        raise RecipeError(f"two recipes would share a folder: {', '.join(folders)}; give them names that differ more")
    for recipe in recipes.values():
        open_task(task, require_recipe(recipe))
    place = output.claim(directory, resume=False, overwrite=overwrite)
    results: dict[str, Result] = {}
    for name, recipe in recipes.items():
        own = None if place is None else place / folders[name]
        results[name] = fit_looking_at(
            ("validation", "test"), task, recipe, seed=seed, name=name, directory=own, resume=False,
            overwrite=overwrite, callbacks=(), observer=observer,
        )  # fmt: skip
        if results[name].status == "interrupted":
            break
    return place, results


def expand_grid(base: Recipe, axes: Mapping[str, Sequence[Any]]) -> dict[str, Recipe]:
    """Every combination of values as a recipe, named after what varies.

    >>> sorted(expand_grid(Recipe(), {"batch.size": [16, 32]}))
    ['batch.size=16', 'batch.size=32']
    """
    for key, values in axes.items():
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise RecipeError(f"grid[{key!r}] must be a list of values, such as [16, 64], not {values!r}")
        if len(set(map(str, values))) < len(values):
            raise RecipeError(f"grid[{key!r}] names a value twice: {', '.join(map(str, values))}")
    drawn = reports.Grid(axes)
    return {name: base.with_changes(changes) for name, changes in zip(drawn.names(), drawn.changes(), strict=True)}
