"""A trained model back from its folder, with everything prediction needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surefoot import files
from surefoot.errors import OutputError, TaskError, raised_at
from surefoot.tasks.builder import NamedBuilder
from surefoot.tasks.inputs import InputForm
from surefoot.tasks.preparation import ArrayPreparation, TablePreparation, preparation_from_json
from surefoot.workflows.backend import PYTORCH, backend
from surefoot.workflows.output import MODEL_CARD, WEIGHTS

__all__ = ["LoadedModel", "from_card", "load"]

_CLASSIFICATION = ("cross_entropy", "binary_cross_entropy", "focal", "hinge")


@dataclass(frozen=True)
class LoadedModel:
    """A trained model that takes rows as people have them.

    Attributes:
        module: the framework's own model: a PyTorch module in evaluation mode, a Keras model.
        preparation: encoders, scaling and class names; None for a task whose data was numbers already.
        loss: the name of the loss it was trained with, None for a user's own.
        input: shape and type of one row of the network's input; None where that is not known.
        task: what the task was called.
        directory: the folder it lies in, None for one that was not kept.
        has_input: whether it was kept by a Surefoot that keeps the input's form.
        backend: the module of the framework that it was trained with.
    """

    module: Any
    preparation: ArrayPreparation | TablePreparation | None
    loss: str | None
    input: InputForm | None = None
    task: str = "task"
    directory: Path | None = None
    has_input: bool = False
    backend: str = PYTORCH

    def predict(self, rows: Any) -> list[Any]:
        """A prediction a row: a class name, a class number, or a number in the target's own unit.

        Args:
            rows: for a table, mappings from column name to value, or a DataFrame; for other tasks an array of the
                shape the model was trained on, one row or many.

        Raises:
            TaskError: the rows are not what the model was trained on, in one line.
        """
        outputs = self._outputs(rows)
        if self.preparation is not None and not self.preparation.only_inputs:
            return self.preparation.decode(outputs)
        if self.loss in _CLASSIFICATION and not self._is_binary(outputs):
            labels: list[Any] = outputs.argmax(axis=1).tolist()
            return labels
        if self.loss in _CLASSIFICATION:
            return [int(value > 0) for value in outputs.reshape(-1)]
        if self.loss == "poisson":
            outputs = np.exp(outputs)  # the output is the logarithm of the expected count
        values: list[Any] = (outputs[:, 0] if outputs.ndim == 2 and outputs.shape[1] == 1 else outputs).tolist()
        return values

    def predict_probabilities(self, rows: Any) -> Any:
        """A probability a class and row, as an array (rows, classes).

        Raises:
            TaskError: the model does not tell classes apart, or was trained on margins.
        """
        if self.loss == "hinge":
            raise TaskError("the hinge loss trains margins, which are no probabilities; train with cross_entropy")
        if self.loss not in _CLASSIFICATION:
            raise TaskError("probabilities are for classification; this model predicts numbers")
        outputs = self._outputs(rows).astype(np.float64)
        if self._is_binary(outputs):
            positive = 1.0 / (1.0 + np.exp(-outputs.reshape(-1)))
            return np.column_stack([1.0 - positive, positive])
        exponentials = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    def _is_binary(self, outputs: Any) -> bool:
        """Whether there is one output a row for two classes."""
        by_shape = outputs.ndim == 1 or outputs.shape[1] == 1
        return self.loss == "binary_cross_entropy" or (self.loss != "cross_entropy" and by_shape)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the probabilities; empty where there are none."""
        return self.preparation.classes if self.preparation is not None else ()

    @property
    def meaning(self) -> str:
        """How the network's output reads, in words."""
        decodes = self.preparation is not None and not self.preparation.only_inputs
        if decodes and self.classes:
            return "a score a class, in the order of classes; the largest one is the answer"
        if decodes:
            return "a number: times target_scale plus target_offset of the preparation it is in the target's own unit"
        if self.loss == "binary_cross_entropy":
            return "a score; above 0 the answer is class 1"
        if self.loss in _CLASSIFICATION:
            return "a score a class; the largest one is the answer (where there is one score only, above 0 is class 1)"
        return "the logarithm of the expected count" if self.loss == "poisson" else "as the task's model gives it"

    def encoded(self, rows: Any) -> Any:
        """Rows as people have them as the network's input, an array of at least one row.

        Raises:
            TaskError: they are not what the model was trained on.
        """
        if self.preparation is not None:
            return self.preparation.encode(rows)
        return rows if self.input is None else self.input.fitted(rows)

    def _outputs(self, rows: Any) -> Any:
        inputs = self.encoded(rows)
        try:
            return backend(self.backend).predict(self.module, inputs)
        except Exception as error:
            raise TaskError(f"the model cannot take these rows: {raised_at(error)}") from error


def load(directory: str | Path, *, model: Callable[..., Any] | None = None) -> LoadedModel:
    """The trained model that ``tune`` or ``fit`` wrote into a folder.

    Args:
        directory: the folder.
        model: the task's model builder, for one that cannot be found by name (a lambda, a notebook cell).

    Raises:
        OutputError: there is no model, or what is there cannot be read.
        TaskError: the builder cannot be found, or builds a model that does not fit the weights.
    """
    path = Path(directory)
    if not (path / MODEL_CARD).is_file() or not (path / WEIGHTS).is_file():
        raise OutputError(f"there is no model in {path}: {MODEL_CARD} and {WEIGHTS} are needed")
    try:
        card = files.read_json(path / MODEL_CARD)
        preparation_from_json(card["preparation"])
        named, arguments, _ = card["builder"], card["model_arguments"], card["loss"]
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{path / MODEL_CARD} cannot be read: {type(error).__name__}") from None
    builder = model or (NamedBuilder(**named) if named else None)
    if builder is None:
        raise TaskError(f"the model builder of {path} cannot be found by name; give it: sf.load(..., model=build)")
    try:
        module = builder(**arguments)
        backend(card.get("backend", PYTORCH)).load_weights(module, path / WEIGHTS)
    except Exception as error:
        reason = error if isinstance(error, TaskError) else raised_at(error)
        raise TaskError(
            f"cannot build the model of {path} again: {reason}; give its builder: sf.load(..., model=build)"
        ) from error
    return from_card(module, card, path)


def from_card(module: Any, card: Mapping[str, Any], directory: Path | None) -> LoadedModel:
    """A module with what its card says about it."""
    preparation = preparation_from_json(card["preparation"])
    form = InputForm(**card["input"]) if card.get("input") else None
    if form is None and preparation is not None and getattr(preparation, "row_dimensions", 1) == 1:
        form = InputForm(shape=(preparation.num_features,), dtype="float32")
    return LoadedModel(
        module,
        preparation,
        card["loss"],
        form,
        task=card["task"],
        directory=directory,
        has_input="input" in card,
        backend=card.get("backend", PYTORCH),
    )
