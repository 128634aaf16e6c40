"""Task: a problem to train on."""

from __future__ import annotations

import copy
import math
import numbers
from collections.abc import Callable
from typing import Any, get_args

import numpy as np

from surefoot.errors import TaskError, nearest
from surefoot.recipe import LossName
from surefoot.records import Objective
from surefoot.sparse import CsrRows, is_sparse
from surefoot.streams import as_stream, is_stream
from surefoot.tasks.array_units import encoded, fitted
from surefoot.tasks.builder import require_builder
from surefoot.tasks.held_out import split_as_asked
from surefoot.tasks.preparation import ArrayPreparation, TablePreparation
from surefoot.tasks.split import is_whole, split_rows, take_rows

__all__ = ["Task", "require_epochs"]

_DIRECTIONS: dict[str, Any] = {
    "validation_loss": "min",
    "validation_rmse": "min",
    "validation_accuracy": "max",
    "validation_r2": "max",
}
# The losses whose targets are a class number a row.
_OF_LABELS = ("cross_entropy", "focal", "hinge")


class Task:
    """A model builder, data, a loss and a horizon.

    Args:
        model: ``model(**arguments)`` builds a fresh model; its arguments may be tuned. An importable one (not a lambda)
            lets ``sf.load`` build it again by itself.
        train: ``(X, y)`` or ``(X, y, weights)`` as arrays or tensors of equal length, X also as SciPy's CSR, or a
            map-style dataset of such pairs or triples; or a stream of such rows: a torch ``IterableDataset``, any
            iterable that begins anew every time, a function that gives an iterator, or ``Shards``. A row of weight 2
            counts as the row there twice, in training and in every metric of its part; weights are 0 or more.
        validation: likewise, or the fraction of ``train`` to hold out, in (0, 1): split with a fixed seed of its own,
            stratified where the targets are classes. Beside a stream it must be data, or a stream with a length.
        groups: a value a row of ``train``, such as a person or a shop; rows of one group are then either trained on or
            held out. Random otherwise, and not stratified.
        times: a number or a date a row of ``train``; what is held out is then the latest part. Not beside ``groups``.
        test: likewise or None; looked at once, for the report.
        loss: "cross_entropy", "binary_cross_entropy", "focal", "hinge", "mean_squared_error", "mean_absolute", "huber",
            "poisson", or ``loss(output, target) -> scalar``. None takes cross-entropy for whole-number targets and the
            mean squared error for others. One with ``reduction == "sum"``, as PyTorch's losses can have, is taken as a
            sum over the batch; any other as a mean.
        step: ``step(model, batch) -> loss`` or ``(loss, weight)`` for models that need more than ``loss(model(x), y)``;
            the weight is what the loss is a mean over. Instead of ``loss``.
        epochs: the horizon of one full training, in passes over the training rows.
        objective: what decides between two models: "validation_loss", "validation_accuracy", "validation_r2",
            "validation_rmse", or ``(name, function(output, target), "min" | "max")``.
        rows: how many rows of a stream make an epoch, where it does not say so by a length of its own: the first
            ones, every time.
        name: what reports call it.
        backend: the module that trains it: "surefoot.engine" for PyTorch. Doors to other frameworks set it.

    Raises:
        TaskError: an argument is not what it should be, in one line.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        train: Any,
        *,
        validation: Any = 0.2,
        groups: Any = None,
        times: Any = None,
        test: Any = None,
        loss: str | Callable[[Any, Any], Any] | None = None,
        step: Callable[[Any, Any], Any] | None = None,
        epochs: float = 20,
        objective: str | tuple[str, Callable[[Any, Any], Any], str] = "validation_loss",
        rows: int | None = None,
        name: str = "task",
        backend: str = "surefoot.engine",
        preparation: ArrayPreparation | TablePreparation | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        require_builder(model)
        require_epochs(epochs)
        if step is not None and (loss is not None or not callable(step)):
            raise TaskError("step must be a function(model, batch), and it stands instead of loss: give one of the two")
        self.model, self.name, self.step, self.epochs = model, name, step, float(epochs)
        self.backend = backend
        self.train = _part("train", train, rows)
        self.test = None if test is None else _part("test", test)
        self.loss = None if step is not None else _loss(loss, self.train)
        if self.loss in _OF_LABELS and isinstance(self.train, tuple):
            _require_labels(self.train[1], self.loss)
        self.objective, self.score = _objective(objective)
        self.score_name = self.objective.name.removeprefix("validation_")
        if is_stream(train) and isinstance(validation, int | float):
            raise TaskError(
                "no fraction of a stream can be held out; give validation=(X, y), a dataset or a stream with a length"
            )
        if isinstance(validation, int | float) and not isinstance(validation, bool):
            self.train, self.validation = self._hold_out(float(validation), groups, times)
        elif groups is not None or times is not None:
            raise TaskError(
                "groups and times say which rows of train are held out, and validation brings its own: "
                "give validation as a fraction, or leave them out"
            )
        else:
            self.validation = _part("validation", validation)
        self.preparation, self.notes = preparation, notes

    @property
    def target_scale(self) -> float:
        """The unit of a standardised regression target, 1 otherwise."""
        return self.preparation.target_scale if self.preparation else 1.0

    def prepared(self, *, standardize: bool = True, missing: str = "refuse") -> Task:
        """The task with its inputs in other units, as ``data.standardize`` and ``data.missing`` of a recipe ask for.

        All is fitted on the training part. ``prepared().preparation.encode(rows)`` does the same to other rows, as a
        result's own model needs it; ``sf.load`` brings it along.

        Args:
            standardize: mean 0 and standard deviation 1, by feature or channel.
            missing: "mean" puts the mean where a value is missing (NaN).

        Raises:
            TaskError: the rows are a dataset, are prepared already, or are no floats.

        >>> task = Task(lambda: None, ([[0.0], [2.0], [4.0], [6.0]], [0, 1, 0, 1]), validation=([[3.0]], [1]))
        >>> task.prepared().validation[0].tolist(), task.prepared().preparation.encode([[5.0]]).round(2).tolist()
        ([[0.0]], [[0.8899999856948853]])
        """
        asked = "data.standardize" if standardize else "data.missing"
        if self.preparation is not None:
            raise TaskError(f"{asked} is for arrays as you have them; the inputs of {self.name} are prepared already")
        if not isinstance(self.train, tuple):
            raise TaskError(f"{asked} is for arrays; this task's rows are a {type(self.train).__name__}: do it there")
        if is_sparse(self.train[0]):
            raise TaskError(f"{asked} is for dense arrays; it would fill the zeros of sparse rows: leave it out")
        weights = self.train[2] if len(self.train) == 3 else None
        preparation = fitted(self.train[0], weights, standardize=standardize, fills=missing == "mean")
        found = copy.copy(self)
        found.preparation = preparation
        for name in ("train", "validation", "test"):
            part = getattr(self, name)
            if part is not None and not isinstance(part, tuple):
                raise TaskError(f"{asked} is for arrays; the {name} part is a {type(part).__name__}")
            if part is not None:
                setattr(found, name, (encoded(preparation, part[0]), *part[1:]))
        return found

    def _hold_out(self, fraction: float, groups: Any, times: Any) -> tuple[Any, Any]:
        if not 0.0 < fraction < 1.0:
            raise TaskError(f"validation is the fraction {fraction}; it must lie between 0 and 1, or be data")
        rows = len(self.train[0]) if isinstance(self.train, tuple) else len(self.train)
        if rows < 2:
            raise TaskError(f"train has {rows} rows; at least 2 are needed to hold some out for validation")
        parts = split_as_asked((1.0 - fraction, fraction), rows, groups=groups, times=times)
        if parts is not None:
            return take_rows(self.train, parts[0]), take_rows(self.train, parts[1])
        labels = self.train[1] if isinstance(self.train, tuple) and self.loss in _OF_LABELS else None
        if labels is not None and (labels.ndim != 1 or not is_whole(labels)):
            labels = None  # a label a row is what can be dealt out evenly
        kept, held = split_rows(rows, (1.0 - fraction, fraction), labels=labels)
        if not len(held) or not len(kept):
            kept, held = split_rows(rows, (1.0 - fraction, fraction))
        if not len(held) or not len(kept):
            kept, held = np.arange(rows - 1), np.array([rows - 1])
        return take_rows(self.train, kept), take_rows(self.train, held)

    def __repr__(self) -> str:
        return f"Task({self.name!r}, epochs={self.epochs}, loss={self.loss!r}, objective={self.objective.name!r})"


def require_epochs(epochs: float) -> None:
    """Raise unless a training can have so many epochs."""
    if isinstance(epochs, bool) or not (isinstance(epochs, numbers.Real) and math.isfinite(epochs) and epochs > 0):
        raise TaskError(f"epochs must be a number above 0, not {epochs!r}")


def _part(name: str, part: Any, rows: int | None = None) -> Any:
    """A part as arrays or tensors of equal length, with or without weights, as the map-style dataset or a stream."""
    if rows is not None and (isinstance(rows, bool) or not isinstance(rows, int) or rows < 1):
        raise TaskError(f"rows is {rows!r}; the rows of an epoch are a whole number of at least 1")
    if is_stream(part):
        return as_stream(name, part, rows)
    if rows is not None:
        raise TaskError("rows is for a stream that does not know its length; this train does: leave it out")
    is_pair = isinstance(part, tuple | list) and len(part) == 2 and not hasattr(part, "dtype")
    if is_pair or (isinstance(part, tuple) and len(part) == 3):
        kinds = ("inputs", "targets", "weights")
        arrays = tuple(_array(f"{name} {kind}", values) for kind, values in zip(kinds, part, strict=False))
        rows = len(arrays[0])
        for kind, values in zip(kinds, arrays, strict=False):
            if len(values) != rows:
                raise TaskError(f"{name} has {rows} inputs and {len(values)} {kind}; they must pair up")
        if not rows:
            raise TaskError(f"{name} has no rows")
        return arrays
    if hasattr(part, "__len__") and hasattr(part, "__getitem__") and not isinstance(part, str | dict | tuple):
        if not len(part):
            raise TaskError(f"{name} has no rows")
        return part
    raise TaskError(
        f"{name} must be (X, y), (X, y, weights), a map-style dataset or a stream, not {type(part).__name__}"
    )


def _array(name: str, values: Any) -> Any:
    if is_sparse(values):
        if not name.endswith("inputs"):
            raise TaskError(f"{name} are sparse, which only inputs can be: give .toarray()")
        return CsrRows.of(name, values)
    if "torch" in type(values).__module__:
        return values
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise TaskError(f"{name} cannot become an array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise TaskError(f"{name} holds values of type {array.dtype}; encode text and categories as numbers first")
    if array.ndim == 0:
        raise TaskError(f"{name} holds a single value where an array of rows is needed")
    return array


def _require_labels(targets: Any, loss: str) -> None:
    """Raise when the targets are neither whole-number labels nor a probability a class."""
    if targets.ndim == 1 and not is_whole(targets):
        raise TaskError(f"{loss} needs whole-number labels, one a row: give targets.astype(int)")
    if loss == "cross_entropy" and targets.ndim == 2 and targets.shape[1] == 1:
        raise TaskError("the labels have shape (rows, 1); cross_entropy needs one a row: give targets[:, 0]")


def _loss(loss: Any, train: Any) -> Any:
    if callable(loss):
        return loss
    names = get_args(LossName)
    if loss in names:
        return loss
    if loss is not None:
        raise TaskError(f"loss is {loss!r}, which does not exist; {nearest(loss, names)}")
    if not isinstance(train, tuple):
        raise TaskError(f"loss is needed when train is a dataset or a stream; {nearest('', names)}")
    return "cross_entropy" if is_whole(train[1]) else "mean_squared_error"


def _objective(objective: Any) -> tuple[Objective, Callable[[Any, Any], Any] | None]:
    if isinstance(objective, str):
        if objective not in _DIRECTIONS:
            raise TaskError(f'objective is "{objective}", which does not exist; {nearest(objective, _DIRECTIONS)}')
        return Objective(name=objective, direction=_DIRECTIONS[objective]), None
    if isinstance(objective, tuple) and len(objective) == 3:
        name, function, direction = objective
        if isinstance(name, str) and callable(function) and direction in {"min", "max"}:
            return Objective(name=f"validation_{name.removeprefix('validation_')}", direction=direction), function
    raise TaskError('objective must be a name or (name, function(output, target), "min" or "max")')
