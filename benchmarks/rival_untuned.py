"""Optimizers that ask for no tuning, each trained once with the recipe's defaults."""

from __future__ import annotations

from benchmarks.price_trials import Study
from surefoot.recipe import Recipe

__all__ = ["prodigy", "schedule_free_adamw"]


def schedule_free_adamw(study: Study) -> None:
    """Schedule-Free AdamW."""
    _train_once(study, "schedule_free_adamw")


def prodigy(study: Study) -> None:
    """Prodigy under a cosine."""
    _train_once(study, "prodigy")


def _train_once(study: Study, optimizer: str) -> None:
    recipe = Recipe(optimizer={"name": optimizer})
    trial = study.begin(recipe)
    while not trial.is_over:
        trial.look()
    size = recipe.complete(study.bench.factory.num_rows).batch.size
    study.finish(trial.outcome, status=trial.status, about=f"{optimizer} b{size}")
