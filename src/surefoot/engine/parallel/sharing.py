"""What several processes cannot train together, and what a person should know of what they can."""

from __future__ import annotations

from torch import nn

from surefoot.engine.noise import has_batch_statistics, has_dense_gradients
from surefoot.engine.parallel.processes import Processes
from surefoot.engine.parallel.shares import share_of
from surefoot.errors import RecipeError, TaskError
from surefoot.recipe import Recipe
from surefoot.steering import Steering

__all__ = ["note_parts", "require_shareable"]


def require_shareable(model: nn.Module, recipe: Recipe, processes: Processes) -> None:
    """Look at what is to be trained together.

    Raises:
        RecipeError: all processes would crowd onto one GPU.
        TaskError: gradients cannot be added up.
    """
    if processes.size > 1 and (recipe.hardware.device or "").startswith("cuda:"):
        raise RecipeError(
            f'hardware.device is "{recipe.hardware.device}", one GPU by its number for {processes.size} processes; '
            'set "cuda", which gives each its own'
        )
    if processes.size > 1 and not has_dense_gradients(model):
        raise TaskError(
            f"{processes.size} processes add up their gradients, and an embedding of this model makes sparse ones: "
            "build it with sparse=False, or train in one process"
        )


def note_parts(steering: Steering, model: nn.Module, *, micro_batch: int | None, processes: Processes) -> None:
    """Write down what batch normalisation sees, where that is not the batch."""
    if (micro_batch is None and processes.size == 1) or not has_batch_statistics(model):
        return
    size = steering.batch_size(0)
    start, stop = share_of(size, 0, processes.size, least=2)
    why = "as batch.micro_batch says" if micro_batch is not None else f"as {processes.size} processes share a batch"
    reason = f"{why}, and that is what batch normalisation sees"
    steering.note(0, "micro_batch", size, stop - start if micro_batch is None else micro_batch, reason)
