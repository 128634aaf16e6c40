"""A recipe in whatever way a person gives it: a Recipe, its sections, the path of a TOML file, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surefoot.errors import RecipeError, nearest
from surefoot.recipe.recipe import Recipe

__all__ = ["as_recipe", "sections_of"]


def as_recipe(recipe: Any) -> Recipe:
    """A recipe from whatever it is given as; an empty one for None."""
    return recipe if isinstance(recipe, Recipe) else Recipe(**sections_of(recipe))


def sections_of(recipe: Any) -> dict[str, dict[str, Any]]:
    """What a recipe says, in whatever way it is given, before anything is checked but its sections.

    Raises:
        RecipeError: it is none of these, or has a section that does not exist.
    """
    if recipe is None:
        return {}
    if isinstance(recipe, str | Path):
        return Recipe.from_file(recipe).to_dict()
    if isinstance(recipe, Recipe):
        return recipe.to_dict()
    if not isinstance(recipe, Mapping):
        raise RecipeError(
            f"recipe must be a surefoot.Recipe, its sections or the path of a TOML file, not {type(recipe).__name__}"
        )
    for section, values in recipe.items():
        if section not in Recipe.model_fields:
            raise RecipeError(f'recipe has no section "{section}"; {nearest(section, Recipe.model_fields)}')
        if not isinstance(values, Mapping):
            raise RecipeError(f'recipe["{section}"] must be a mapping of its keys, not {values!r}')
    return {section: dict(values) for section, values in recipe.items()}
