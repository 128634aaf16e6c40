"""Weight decay in its scale-free coordinate c = Σ ηλ over the steps of a run.

In raw λ the best decay moves by orders of magnitude with the rate, the batch and the horizon; in c it hardly moves
(Wang and Aitchison 2024, arXiv:2405.13698, call 1/(ηλ) the timescale of the average that AdamW's weights are).
"""

from __future__ import annotations

from surefoot.recipe import Recipe
from surefoot.schedules import mean_multiplier

__all__ = ["decay_coordinate", "with_decay_coordinate"]


def with_decay_coordinate(recipe: Recipe, decay: float, *, num_steps: float) -> Recipe:
    """The recipe whose weight decay gives c = ``decay`` over ``num_steps`` optimizer steps."""
    scale = _per_unit_of_decay(recipe, num_steps)
    return recipe.with_changes({"optimizer.weight_decay": decay / scale if scale > 0 else 0.0})


def decay_coordinate(recipe: Recipe, *, num_steps: float) -> float:
    """C = Σ ηλ over the steps, ÷ (1 − β) where momentum carries a decay that stands in the gradient."""
    return recipe.optimizer.weight_decay * _per_unit_of_decay(recipe, num_steps)


def _per_unit_of_decay(recipe: Recipe, num_steps: float) -> float:
    optimizer = recipe.optimizer.complete()
    assert optimizer.learning_rate is not None
    is_carried = not optimizer.is_schedule_free  # there momentum says where the gradient is taken, not what it sums to
    carried = 1.0 - (optimizer.momentum or 0.0) * is_carried
    return optimizer.learning_rate * mean_multiplier(recipe.effective_schedule.build()) * num_steps / carried
