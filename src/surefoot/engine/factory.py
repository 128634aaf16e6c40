"""Makes PyTorch runs of one task, after looking at the task once, at the door."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from surefoot import seeds
from surefoot.engine.data import Rows, TensorRows, as_rows
from surefoot.engine.losses import CLASSIFICATION
from surefoot.engine.objective import Objective, loss_name, to_device
from surefoot.engine.randomness import RandomState, isolated
from surefoot.engine.run import TorchRun
from surefoot.errors import SurefootError, TaskError, raised_at
from surefoot.protocols import Problem, Split
from surefoot.recipe import Recipe
from surefoot.records import Objective as Goal

__all__ = ["TorchFactory"]


class TorchFactory:
    """Makes a ``TorchRun`` for every recipe.

    Args:
        problem: the task.

    Raises:
        TaskError: a part has no rows or holds values that cannot be trained on.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem: Any = _FreshModels(problem)
        parts: dict[Split, Any] = {
            "train": problem.train,
            "validation": problem.validation,
            "test": problem.test,
        }
        self.parts: dict[Split, Rows] = {name: as_rows(part) for name, part in parts.items() if part is not None}
        for name, rows in self.parts.items():
            _check_values(name, rows)

    @property
    def num_rows(self) -> int:
        """Rows of the training part."""
        return len(self.parts["train"])

    @property
    def training_samples(self) -> int:
        """Samples of one training: epochs × rows."""
        return max(1, round(float(self.problem.epochs) * self.num_rows))

    @property
    def objective(self) -> Goal:
        """What decides between two models."""
        objective: Goal = self.problem.objective
        return objective

    def create(self, recipe: Recipe, *, seed: int, share: float = 1.0) -> TorchRun:
        """A fresh run of a complete recipe over ``share`` of the task's horizon."""
        horizon = max(1, round(share * self.training_samples))
        return TorchRun(self.problem, recipe, self.parts, seed=seed, horizon=horizon)

    def check(self, recipe: Recipe) -> None:
        """Try the task once, on two rows, and say in one line what is wrong with it.

        Raises:
            TaskError: the builder, the model or the loss raises or returns something else than it should, a label is
                out of range, or more rows are asked for than there are.
        """
        wanted = recipe.batch.size or 1
        if wanted > self.num_rows:
            raise TaskError(
                f"batch.size is {wanted}, but there are {self.num_rows} training rows; "
                f"ask for at most {self.num_rows}, or leave it out"
            )
        with isolated(RandomState.seeded(seeds.derive(0, "check"))):
            model = self.problem.model(**recipe.model)
            _check_model(model)
            device = next(model.parameters()).device
            indices = torch.arange(min(2, self.num_rows))
            batch = to_device(self.parts["train"].take(indices), device)
            if self.problem.step is None and loss_name(self.problem, recipe) in CLASSIFICATION:
                self._check_labels(model, batch, recipe)
            loss = _call("the training step", lambda: Objective.of(self.problem, recipe)(model, batch, len(indices)))
            if not loss.training.requires_grad:
                raise TaskError("the loss does not depend on the model's parameters: nothing can be learned from it")

    def _check_labels(self, model: nn.Module, batch: Any, recipe: Recipe) -> None:
        """Raise when a label has no output of its own."""
        output = _call("the model", lambda: model(batch[0]))
        classes = 2 if loss_name(self.problem, recipe) == "binary_cross_entropy" else output.shape[1]
        for name, rows in self.parts.items():
            if not isinstance(rows, TensorRows) or rows.targets.is_floating_point():
                continue
            low, high = int(rows.targets.min()), int(rows.targets.max())
            if low < 0 or high >= classes:
                raise TaskError(
                    f"the {name} labels run from {low} to {high}, but the model has {classes} outputs; "
                    f"labels must lie in 0 to {classes - 1}"
                )


class _FreshModels:
    """A problem whose builder is called with care: one line for what goes wrong, never the same model twice."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._last: Callable[[], Any] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._problem, name)

    def model(self, **arguments: Any) -> Any:
        built = _call("the model builder", lambda: self._problem.model(**arguments))
        if not isinstance(built, nn.Module):
            raise TaskError(f"the model builder must return a torch.nn.Module, not {type(built).__name__}")
        if built is self._last():
            raise TaskError("the model builder returned the same model twice; build a fresh one at every call")
        self._last = weakref.ref(built)
        return built


def _call(what: str, function: Callable[[], Any]) -> Any:
    """What the user's own code returns; what it raises becomes one line."""
    try:
        return function()
    except SurefootError:
        raise
    except Exception as error:
        raise TaskError(f"{what} failed at {raised_at(error)}") from error


def _check_model(model: nn.Module) -> None:
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise TaskError("the model has no parameters to train")


def _check_values(part: Split, rows: Rows) -> None:
    """Raise when a part is empty or holds values that no training survives."""
    if not len(rows):
        raise TaskError(f"the {part} part has no rows")
    if not isinstance(rows, TensorRows):
        return
    if len(rows.inputs) != len(rows.targets):
        raise TaskError(
            f"the {part} part has {len(rows.inputs)} inputs and {len(rows.targets)} targets; they must pair up"
        )
    for name, values in (("inputs", rows.inputs), ("targets", rows.targets)):
        bad = _rows_not_finite(values)
        if bad:
            raise TaskError(
                f"{bad} of {len(values)} {part} {name} are not finite (NaN or infinite); remove or replace those rows"
            )


def _rows_not_finite(values: Tensor) -> int:
    if not values.is_floating_point() or not values.numel():
        return 0
    return int((~torch.isfinite(values)).reshape(len(values), math.prod(values.shape[1:])).any(dim=1).sum())
