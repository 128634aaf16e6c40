"""From a builder and data to a task and a recipe: what the model is compiled with, and over it what a person says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from surefoot.errors import RecipeError, TaskError, raised_at
from surefoot.integrations.keras.compiled import loss_of, measured_by_keras, require_compiled
from surefoot.integrations.keras.rows import as_rows
from surefoot.integrations.keras.settings import optimizer_section
from surefoot.recipe import Recipe, sections_of
from surefoot.tasks import Task

__all__ = ["Objective", "Opened", "RecipeLike", "open_model"]

_KNOWN = ("validation_loss", "validation_accuracy", "validation_r2", "validation_rmse")
BACKEND = "surefoot.integrations.keras.backend"
RecipeLike = Recipe | Mapping[str, Any] | str | Path | None
Objective = str | tuple[str, str] | tuple[str, Callable[[Any, Any], Any], str]


@dataclass(frozen=True)
class Opened:
    """A task, and the two sources of its recipe.

    Attributes:
        task: of the builder and the data.
        compiled: the optimizer section of what the model is compiled with; {} where no recipe describes it.
        given: the sections that a person gave.
        unlike: why no recipe describes the compiled optimizer, or "".
    """

    task: Task
    compiled: dict[str, Any]
    given: dict[str, dict[str, Any]]
    unlike: str

    def require_optimizer(self, *, to_probe: bool = False) -> Recipe:
        """The recipe of one training, or of one whose rate and decay are to be found.

        Raises:
            RecipeError: nothing says which optimizer it trains with.
        """
        if self.unlike and "name" not in self.given.get("optimizer", {}):
            raise RecipeError(
                f"the compiled optimizer is kept by model.fit only: {self.unlike}; say which one to train with, as in "
                'recipe={"optimizer": {"name": "adamw"}}'
            )
        return self.recipe_to_search() if to_probe else self._recipe(self.compiled)

    def recipe_to_search(self) -> Recipe:
        """The recipe that a search keeps to: the rate and the decay are what it finds, unless a person gave them."""
        kept = {key: value for key, value in self.compiled.items() if key not in {"learning_rate", "weight_decay"}}
        if kept.get("name") == "adam":
            kept["name"] = "adamw"
        return self._recipe(kept)

    def task_to_search(self) -> Task:
        """The task, with a note where the compiled optimizer is put aside."""
        if self.unlike and "name" not in self.given.get("optimizer", {}):
            self.task.notes += (f"the compiled optimizer was put aside: {self.unlike}",)
        return self.task

    def _recipe(self, compiled: dict[str, Any]) -> Recipe:
        own = self.given.get("optimizer", {})
        is_other = own.get("name", compiled.get("name")) != compiled.get("name")
        optimizer = own if is_other else {**compiled, **own}
        return Recipe(**{**self.given, "optimizer": optimizer} if optimizer else self.given)


def open_model(
    model: Callable[..., Any],
    train: Any,
    *,
    validation: Any,
    test: Any,
    epochs: float,
    objective: Objective,
    recipe: RecipeLike,
    name: str,
) -> Opened:
    """Build a model once to see what it is compiled with, and make the task.

    Raises:
        TaskError: the model or the data is not what it should be.
        RecipeError: the recipe is not.
    """
    given = sections_of(recipe)
    if isinstance(model, keras.Model) or not callable(model):
        raise TaskError(
            f"model must be a function that builds and compiles a fresh model, not {type(model).__name__}; "
            "put what makes it, compile included, into a function"
        )
    try:
        built = model(**given.get("model", {}))
    except Exception as error:
        raise TaskError(f"the model builder failed at {raised_at(error)}") from error
    require_compiled(built)
    loss = loss_of(built)
    is_flat = loss.is_sparse
    parts = {
        part: as_rows(part, rows, flat_labels=is_flat)
        for part, rows in (("train", train), ("test", test))
        if rows is not None
    }
    is_fraction = isinstance(validation, int | float) and not isinstance(validation, bool)
    task = Task(
        model,
        parts["train"],
        validation=validation if is_fraction else as_rows("validation", validation, flat_labels=is_flat),
        test=parts.get("test"),
        loss=own_loss if loss.name == "custom" else loss.name,
        epochs=epochs,
        objective=_objective(objective),
        name=name,
        backend=BACKEND,
    )
    compiled, unlike = optimizer_section(built.optimizer)
    schedule = _schedule_of(built.optimizer)
    if schedule:
        task.notes += (f"the compiled {schedule} was put aside: the recipe has a schedule of its own",)
    return Opened(task, compiled, given, unlike)


def own_loss(output: Any, target: Any) -> Any:
    """Stands for the loss that a model is compiled with."""
    del output, target
    raise AssertionError("the model is compiled with its loss")


def _objective(objective: Any) -> Any:
    """An objective as a ``Task`` takes it."""
    if isinstance(objective, tuple | list) and len(objective) == 2:
        name, direction = objective
        return str(name).removeprefix("val_"), measured_by_keras, direction
    if not isinstance(objective, str):
        return objective
    name = objective.removeprefix("val_").removeprefix("validation_")
    if f"validation_{name}" not in _KNOWN:
        raise TaskError(
            f'objective is "{objective}"; beside {", ".join(_KNOWN)} it is a metric that the model is compiled with, '
            f'and whether less or more of it is better: ("{name}", "min") or ("{name}", "max")'
        )
    return f"validation_{name}"


def _schedule_of(optimizer: Any) -> str:
    """The name of a schedule object that an optimizer has as its rate, or ""."""
    rate = getattr(optimizer, "_learning_rate", None)
    return type(rate).__name__ if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule) else ""
