"""Recipes side by side on one task."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surefoot import reports
from surefoot.errors import OutputError, RecipeError
from surefoot.protocols import Observer
from surefoot.recipe import Recipe
from surefoot.tasks import Task
from surefoot.workflows import output
from surefoot.workflows.backend import open_task, require_recipe
from surefoot.workflows.fit import fit
from surefoot.workflows.result import Result

__all__ = ["compare", "expand_grid"]


def compare(
    task: Task,
    recipes: Mapping[str, Recipe],
    *,
    seed: int = 0,
    directory: str | Path | output.NewFolder | None = None,
    overwrite: bool = False,
    observer: Observer | None = None,
) -> dict[str, Result]:
    """Train every recipe on the whole horizon, with the same seed and the same order of rows.

    Args:
        task: what to train on.
        recipes: by name.
        seed: the same for all.
        directory: receives a folder a recipe and one page with all curves; None leaves nothing on disk.
        overwrite: remove earlier results from ``directory`` first.
        observer: hears what happens while it happens.

    Returns:
        The results by name; an interruption ends the comparison after the recipe it fell into.
    """
    if not isinstance(recipes, Mapping):
        raise RecipeError(f"recipes must be a mapping from name to Recipe, not {type(recipes).__name__}")
    if not recipes:
        raise RecipeError("there is nothing to compare: give at least one recipe")
    folders = {name: _folder(name) for name in recipes}
    if len(set(folders.values())) < len(folders):
        raise RecipeError(f"two recipes would share a folder: {', '.join(folders)}; give them names that differ more")
    for recipe in recipes.values():
        open_task(task, require_recipe(recipe))
    place = output.claim(directory, resume=False, overwrite=overwrite)
    results: dict[str, Result] = {}
    for name, recipe in recipes.items():
        own = None if place is None else place / folders[name]
        results[name] = fit(task, recipe, seed=seed, name=name, directory=own, overwrite=overwrite, observer=observer)
        if results[name].status == "interrupted":
            break
    if place is not None:
        reports.write_comparison({name: result.study for name, result in results.items()}, place)
    return results


def expand_grid(base: Recipe, axes: Mapping[str, Sequence[Any]]) -> dict[str, Recipe]:
    """Every combination of values as a recipe, named after what varies.

    >>> sorted(expand_grid(Recipe(), {"batch.size": [16, 32]}))
    ['batch.size=16', 'batch.size=32']
    """
    found = {}
    for values in itertools.product(*axes.values()):
        changes = dict(zip(axes, values, strict=True))
        found[", ".join(f"{key}={value}" for key, value in changes.items())] = base.with_changes(changes)
    return found


def _folder(name: str) -> str:
    folder = re.sub(r"[^\w.=+-]+", "_", name).strip("._")
    if not folder:
        raise OutputError(f"{name!r} cannot name a recipe: use letters and digits")
    return folder
