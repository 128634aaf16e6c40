"""Whether runs can train as one stack, and why not, in one line."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from surefoot.batching import is_constant
from surefoot.engine.rows.data import Rows, TensorRows
from surefoot.engine.stacking.model import difference
from surefoot.errors import UnsupportedError
from surefoot.protocols import Problem
from surefoot.recipe import Recipe

__all__ = ["OPTIMIZERS", "require_alike", "require_stackable"]

OPTIMIZERS = ("sgd", "adam", "adamw")


def require_stackable(problem: Problem, rows: Rows, recipes: Sequence[Recipe]) -> None:
    """Look at what runs are asked for.

    Raises:
        UnsupportedError: they cannot be stacked.
    """
    first = recipes[0]
    for recipe in recipes:
        reason = _against_one(recipe) or _against_two(first, recipe)
        if reason:
            raise UnsupportedError(f"these runs cannot be stacked: {reason}")
    if problem.step is not None:
        raise UnsupportedError("these runs cannot be stacked: the task has a step of its own")
    if not isinstance(rows, TensorRows):
        raise UnsupportedError("these runs cannot be stacked: the training rows are no dense arrays in memory")


def require_alike(models: Sequence[nn.Module]) -> None:
    """Look at the models that were built.

    Raises:
        UnsupportedError: they cannot be stacked.
    """
    trained = [parameter for parameter in models[0].parameters() if parameter.requires_grad]
    reason = next(filter(None, (difference(models[0], model) for model in models)), "")
    if not reason and any(getattr(module, "sparse", False) for module in models[0].modules()):
        reason = "an embedding makes sparse gradients"
    if not reason and any(getattr(module, "max_norm", None) is not None for module in models[0].modules()):
        reason = "an embedding has a max_norm, which changes its weights while it reads them"
    if not reason and len({(parameter.dtype, parameter.device) for parameter in trained}) > 1:
        reason = "the parameters are not all of one type on one device"
    if reason:
        raise UnsupportedError(f"these models cannot be stacked: {reason}")


def _against_one(recipe: Recipe) -> str:
    """What about a recipe cannot be stacked, or ""."""
    name, batch = recipe.optimizer.name, recipe.batch
    if name not in OPTIMIZERS:
        return f'optimizer.name "{name}" is none of {", ".join(OPTIMIZERS)}'
    if not is_constant(batch.policy):
        return f'batch.policy "{batch.policy}" moves the batch'
    if batch.micro_batch is not None:
        return "batch.micro_batch cuts the batch into parts"
    if recipe.regularization.l1_method == "proximal":
        return 'regularization.l1_method "proximal" moves the weights after a step'
    if recipe.network.is_on:
        return f"network.{recipe.network.is_on} does something after every step"
    if recipe.data.balance != "none":
        return f'data.balance "{recipe.data.balance}" arranges the rows'
    if recipe.data.augments:
        return f"data.{recipe.data.augments[0]} changes the rows"
    return "data.workers read a dataset" if recipe.data.workers else _against_machine(recipe)


def _against_machine(recipe: Recipe) -> str:
    """What about how a recipe computes cannot be stacked, or ""."""
    if recipe.precision.name != "float32":
        return f'precision.name "{recipe.precision.name}" casts what a stack adds up'
    key = next((key for key in ("channels_last", "compile") if getattr(recipe.hardware, key)), "")
    return f"hardware.{key} is for models that run one by one" if key else ""


def _against_two(first: Recipe, recipe: Recipe) -> str:
    """What keeps two recipes apart, or ""."""
    pairs = {
        "optimizer.name": (first.optimizer.name, recipe.optimizer.name),
        "batch.policy": (first.batch.policy, recipe.batch.policy),
        "batch.size": (first.batch.size, recipe.batch.size),
        "model": (first.model, recipe.model),
        "hardware.device": (first.hardware.device, recipe.hardware.device),
        "data.standardize": (first.data.standardize, recipe.data.standardize),
        "data.missing": (first.data.missing, recipe.data.missing),
        "stopping.max_steps": (first.stopping.max_steps, recipe.stopping.max_steps),
        "stopping.max_seconds": (first.stopping.max_seconds, recipe.stopping.max_seconds),
    }
    different = next((key for key, (one, other) in pairs.items() if one != other), None)
    if different is None:
        return ""
    one, other = pairs[different]
    return f"{different} is {one} in one and {other} in another"
