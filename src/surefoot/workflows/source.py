"""A trained model from wherever a person has it, and typical rows for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from surefoot.errors import ExportError, TaskError
from surefoot.recipe import Recipe
from surefoot.tasks import Task
from surefoot.tasks.inputs import InputForm, input_form, some_inputs
from surefoot.tasks.preparation import ArrayPreparation
from surefoot.tasks.resolve import TABLE_ENDINGS
from surefoot.tasks.table import read_table
from surefoot.workflows.backend import PYTORCH
from surefoot.workflows.load import LoadedModel, from_card, load
from surefoot.workflows.output import RECIPE
from surefoot.workflows.result import Result

__all__ = ["Source", "as_trained_on", "form_of", "model_of", "read_rows", "recipe_of", "rows_of"]

Source = str | Path | Result | LoadedModel


def model_of(source: Source) -> LoadedModel:
    """The trained PyTorch model of a folder or of a result; a loaded one as it is.

    Raises:
        OutputError: the folder holds no model.
        TaskError: the result has no model.
        ExportError: it is none of PyTorch's.
    """
    model = _model_of(source)
    if model.backend != PYTORCH:
        framework = model.backend.removesuffix(".backend").rpartition(".")[2]
        raise ExportError(f"this is for PyTorch models, and {model.task} is one of {framework}: use its own tools")
    return model


def _model_of(source: Source) -> LoadedModel:
    if isinstance(source, LoadedModel):
        return source
    if not isinstance(source, Result):
        return load(source)
    if source.model is None or source.card is None:
        raise TaskError(f"the result has no model: {source.status}, {source.study.reason}")
    return from_card(source.model, source.card, source.directory)


def recipe_of(source: Source) -> Recipe:
    """The recipe that a model was trained with; an empty one where it was not kept with it."""
    if isinstance(source, Result):
        return source.recipe or Recipe()
    directory = source.directory if isinstance(source, LoadedModel) else Path(source)
    path = None if directory is None else directory / RECIPE
    return Recipe.from_file(path) if path is not None and path.is_file() else Recipe()


def as_trained_on(task: Task, recipe: Recipe) -> Task:
    """The task with its rows in the units that the recipe gave them, as the network takes them.

    Raises:
        TaskError: task is none.
    """
    if not isinstance(task, Task):
        raise TaskError(f"task must be a surefoot.Task, not {type(task).__name__}")
    data = recipe.data
    return task.prepared(standardize=data.standardize, missing=data.missing) if data.prepares else task


def form_of(model: LoadedModel, task: Task | None, rows: Any) -> InputForm:
    """What one row of the model's input is: as it was kept with it, or else as the task's or the given rows are.

    Raises:
        ExportError: nothing tells.
    """
    if model.input is not None:
        return model.input
    found = None if task is None else input_form(task.train)
    if found is None and rows is not None and model.preparation is None:
        values = rows if hasattr(rows, "dtype") else np.asarray(rows)
        found = input_form((values, values))
    if found is not None:
        return found
    if model.has_input:
        raise ExportError("the rows that this model was trained on are no arrays; export needs a model of one array")
    raise ExportError(
        "the model was kept before the shape of its input was; give the task, or rows of it "
        "(--rows FILE.npy), or train it again"
    )


def rows_of(part: Any, form: InputForm, *, count: int) -> Any:
    """At most ``count`` inputs of a part of a task, evenly chosen, as the network takes them.

    Raises:
        TaskError: they are others than the model was trained on.
    """
    return form.fitted(some_inputs(part, count))


def read_rows(path: Path, model: LoadedModel) -> Any:
    """The rows in a file, as ``model.predict`` takes them: a table, or an array in a .npy file.

    Raises:
        TaskError: the file cannot be read, or is not what the model needs.
    """
    name = path.name.lower()
    if name.endswith(".npy"):
        try:
            return np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise TaskError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    if not name.endswith(TABLE_ENDINGS):
        raise TaskError(f"{path} is neither a table (.csv, .tsv) nor an array (.npy)")
    if model.preparation is None:
        raise TaskError(f"the model was not trained on a table; give its rows as an array in a .npy file, not {path}")
    columns = read_table(path).columns
    if isinstance(model.preparation, ArrayPreparation):
        return [list(values) for values in zip(*columns.values(), strict=True)]
    return columns
