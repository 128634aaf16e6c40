"""The recipe for another batch size: what else must change, and why."""

from __future__ import annotations

from typing import Any

from surefoot.batching import Knobs, couple, scaled_arguments
from surefoot.errors import RecipeError
from surefoot.recipe import Recipe

__all__ = ["rescale"]

# Goyal et al. 2017 (arXiv:1706.02677) warm up for 5 of 90 epochs when the batch grows; from a doubling on they find
# that without it training starts badly.
JUMP, JUMP_WARMUP = 2.0, 0.05


def rescale(
    recipe: Recipe,
    *,
    batch_size: int,
    noise_scale: float | None = None,
    learning_rate_limit: float | None = None,
    coupling: str | None = None,
    num_rows: int | None = None,
) -> tuple[Recipe, list[str]]:
    """The recipe that trains as this one does, at another batch size: each change with its reason.

    The horizon and the schedule are counted in samples and stay. What moves is the rate (linear for SGD, square root
    for Adam's family), with it the moments' memory, epsilon and the weight decay, and the warmup after a large jump.

    Args:
        recipe: the one that works now; a rate it leaves out is its optimizer's default.
        batch_size: rows a step from now on, at least 1. Ramps and ranges are scaled as a whole.
        noise_scale: the measured gradient noise scale, in samples; the rate follows the batch up to it.
        learning_rate_limit: the highest rate known to be stable, such as where a range test's loss was lowest.
        coupling: "none", "linear", "sqrt" or "adascale"; None is the optimizer's usual rule.
        num_rows: of the training data; needed when the recipe leaves its batch size out.

    Returns:
        The new recipe, and a sentence for everything that changed or should be known.

    Raises:
        RecipeError: the batch size, the rule or a measurement is not allowed, or the old batch size is not known.

    >>> from surefoot.recipe import Recipe
    >>> small = Recipe(optimizer={"name": "sgd", "learning_rate": 0.1}, batch={"size": 32})
    >>> large, reasons = rescale(small, batch_size=128, noise_scale=64)
    >>> large.optimizer.learning_rate, large.batch.size
    (0.2, 128)
    >>> reasons[0]
    'optimizer.learning_rate 0.1 → 0.2: linear rule for a batch 4 times as large, counted up to the noise scale of 64'
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise RecipeError(f"batch_size must be a whole number of at least 1, not {batch_size!r}")
    before = _batch_size(recipe, num_rows)
    if num_rows is not None and batch_size > num_rows:
        raise RecipeError(f"batch_size is {batch_size}, but there are {num_rows} training rows")
    settings = recipe.optimizer.complete()
    assert settings.learning_rate is not None, "complete() writes a rate"
    knobs = Knobs(settings.learning_rate, settings.weight_decay, settings.beta1, settings.beta2, settings.epsilon)
    try:
        _, moved = couple(
            knobs,
            optimizer=settings.name,
            batch_size=before,
            new_batch_size=batch_size,
            coupling=coupling,
            noise_scale=noise_scale,
            learning_rate_limit=learning_rate_limit,
        )
    except ValueError as error:
        raise RecipeError(str(error)) from None
    changes = {f"optimizer.{change.name}": change.after for change in moved}
    reasons = [f"optimizer.{change.name} {change.before:.4g} → {change.after:.4g}: {change.reason}" for change in moved]
    if batch_size >= JUMP * before and recipe.schedule.warmup < JUMP_WARMUP and "optimizer.learning_rate" in changes:
        changes["schedule.warmup"] = JUMP_WARMUP
        reasons.append(
            f"schedule.warmup {recipe.schedule.warmup:g} → {JUMP_WARMUP:g}: a large batch begins from a small rate"
        )
    found = Recipe(**{**recipe.with_changes(changes).to_dict(), "batch": _batch(recipe, before, batch_size)})
    return found, reasons + _remarks(before, batch_size, noise_scale, "optimizer.learning_rate" in changes)


def _batch_size(recipe: Recipe, num_rows: int | None) -> int:
    """The batch size now."""
    if recipe.batch.policy == "full":
        raise RecipeError('batch.policy is "full": it has no size to rescale; name a fixed batch.size first')
    if recipe.batch.policy == "single":
        return 1
    if recipe.batch.size is not None:
        return recipe.batch.size
    if num_rows is None:
        raise RecipeError("the recipe leaves batch.size out: add it, or say num_rows, which decides its default")
    size = recipe.batch.complete(num_rows).size
    assert size is not None, "complete() writes a size"
    return size


def _batch(recipe: Recipe, before: int, batch_size: int) -> dict[str, Any]:
    """The section for the new size; one sample a step becomes a fixed batch."""
    given = recipe.batch.model_dump(exclude_none=True, exclude_unset=True)
    if recipe.batch.policy == "single" and batch_size > 1:
        given["policy"] = "fixed"
    return {**scaled_arguments(given, batch_size / before), "size": batch_size}


def _remarks(before: int, batch_size: int, noise_scale: float | None, moved: bool) -> list[str]:
    """What should be known beside the changes."""
    if batch_size == before:
        return ["the batch size stays; nothing moves"] if not moved else []
    if noise_scale is None:
        if batch_size < before:
            return []
        return ["no noise scale was given: the rule holds only while the batch stays below it; measure it, or check"]
    samples = (1 + batch_size / noise_scale) / (1 + before / noise_scale)
    steps = samples * before / batch_size
    return [
        f"at a noise scale of {noise_scale:.4g}, the same loss takes {samples:.2f} times the samples "
        f"and {steps:.2f} times the steps"
    ]
