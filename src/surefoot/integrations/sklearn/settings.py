"""From an estimator's parameters to a recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from surefoot.batching import default_batch_size
from surefoot.errors import RecipeError
from surefoot.recipe import Recipe, as_recipe

__all__ = ["KEYS", "recipe_of", "usual_epochs"]

# The levers that have a parameter of their own, and what a recipe calls them.
KEYS = {
    "optimizer": "optimizer.name",
    "learning_rate": "optimizer.learning_rate",
    "weight_decay": "optimizer.weight_decay",
    "schedule": "schedule.name",
    "batch_size": "batch.size",
}
# An epoch of a small table is a handful of steps: as many epochs as reach FEW_STEPS, at least LEAST and at most MOST.
FEW_STEPS, LEAST, MOST = 300, 20, 60


def recipe_of(recipe: Any, parameters: Mapping[str, Any], settings: Mapping[str, Any] | None) -> Recipe:
    """The recipe that an estimator's parameters describe.

    Args:
        recipe: a Recipe, its sections as a mapping, the path of a TOML file, or None.
        parameters: those in ``KEYS``, None where they are left to the recipe.
        settings: any other recipe key, as ``{"section.key": value}``.

    >>> recipe_of({"batch": {"size": 64}}, {"learning_rate": 0.1}, {"stopping.patience": 0.2}).to_dict()
    {'optimizer': {'learning_rate': 0.1}, 'batch': {'size': 64}, 'stopping': {'patience': 0.2}}
    """
    given = {KEYS[name]: _plain(value) for name, value in parameters.items() if value is not None}
    if settings is not None and not isinstance(settings, Mapping):
        raise RecipeError(f'settings must be a mapping such as {{"optimizer.momentum": 0.9}}, not {settings!r}')
    others = {key: _plain(value) for key, value in (settings or {}).items()}
    for name, key in KEYS.items():
        if key in given and key in others:
            raise RecipeError(f'{name} and settings["{key}"] are the same lever: give one of the two')
    return as_recipe(recipe).with_changes({**given, **others})


def usual_epochs(recipe: Recipe, num_rows: int) -> int:
    """The epochs of one training when nobody says: 20, and more where an epoch is only a few steps.

    >>> usual_epochs(Recipe(), 150), usual_epochs(Recipe(), 5000)
    (30, 20)
    """
    size = recipe.batch.size or default_batch_size(num_rows)
    steps = math.ceil(num_rows / min(size, num_rows))
    return max(LEAST, min(MOST, math.ceil(FEW_STEPS / steps)))


def _plain(value: Any) -> Any:
    """A NumPy number, as a parameter grid has them, as Python's own."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value
