"""Makes PyTorch runs of one task, after looking at the task once, at the door."""

from __future__ import annotations

import functools
import math
import weakref
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from surefoot import seeds
from surefoot.engine import hardware
from surefoot.engine.labels import check_labels
from surefoot.engine.objective import BatchLoss, Objective, loss_name, to_device
from surefoot.engine.parallel.processes import ALONE, Processes
from surefoot.engine.probed_run import TorchRun
from surefoot.engine.randomness import RandomState, isolated
from surefoot.engine.rows.data import Rows, SparseRows, StreamRows, TensorRows, as_rows, first
from surefoot.engine.rows.loading import open_loader
from surefoot.engine.rows.ordering import arrangement
from surefoot.engine.stacking.member import Member
from surefoot.engine.stacking.stack import Stack
from surefoot.errors import RecipeError, SurefootError, TaskError, nearest, raised_at
from surefoot.protocols import Problem, Split
from surefoot.recipe import Recipe
from surefoot.records import Objective as Goal
from surefoot.training import horizon_of

__all__ = ["TorchFactory"]


class TorchFactory:
    """Makes a ``TorchRun`` for every recipe.

    Args:
        problem: the task.
        processes: those that make every run together.

    Raises:
        TaskError: a part has no rows or holds values that cannot be trained on.
    """

    def __init__(self, problem: Problem, processes: Processes = ALONE) -> None:
        self.problem: Any = _FreshModels(problem)
        self._processes = processes
        parts: dict[Split, Any] = {
            "train": problem.train,
            "validation": problem.validation,
            "test": problem.test,
        }
        self.parts: dict[Split, Rows] = {name: as_rows(part) for name, part in parts.items() if part is not None}
        for name, rows in self.parts.items():
            _check_values(name, rows)
        self._prepared: dict[tuple[bool, str], dict[Split, Rows]] = {}

    def parts_for(self, recipe: Recipe) -> dict[Split, Rows]:
        """The rows by part, in the units and with the fillings that a recipe asks for.

        Raises:
            TaskError: it cannot be had on this task, or there are inputs that no training survives.
        """
        standardize, missing = key = recipe.data.standardize, recipe.data.missing
        if key not in self._prepared:
            parts = self.parts
            if recipe.data.prepares:
                task = self.problem.prepared(standardize=standardize, missing=missing)
                parts = {name: as_rows(getattr(task, name)) for name in self.parts}
            for name, rows in parts.items():
                _check_inputs(name, rows)
            self._prepared[key] = parts
        return self._prepared[key]

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
        horizon = horizon_of(share, self.training_samples)
        parts = self.parts_for(recipe)
        return TorchRun(self.problem, recipe, parts, seed=seed, horizon=horizon, processes=self._processes)

    def stack(self, wanted: Sequence[tuple[Recipe, int]], *, share: float = 1.0) -> tuple[Member, ...]:
        """Fresh runs of complete recipes and seeds that advance together, as one stacked model.

        Raises:
            UnsupportedError: they cannot be stacked; the message says why in one line.
        """
        horizon = horizon_of(share, self.training_samples)
        return Stack(self.problem, wanted, self.parts_for(wanted[0][0]), horizon=horizon).members

    @property
    def fingerprint(self) -> str:
        """A checksum of the training rows in memory, or the number of rows of a dataset: to tell data apart."""
        rows = self.parts["train"]
        if isinstance(rows, SparseRows):
            matrix = rows.inputs.rows.matrix
            tensors = [torch.from_numpy(values) for values in (matrix.indptr, matrix.indices, matrix.data)]
            tensors += [values for values in (rows.targets, rows.weights) if values is not None]
        elif isinstance(rows, TensorRows):
            tensors = [*rows.tensors]
        else:
            return f"{len(rows)} rows{' of a stream' if isinstance(rows, StreamRows) else ''}"
        checksum = 0
        for values in tensors:
            checksum = zlib.crc32(values.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes(), checksum)
        return f"{checksum:08x}"

    def check(self, recipe: Recipe) -> None:
        """Try the task once, a step and a look on two rows, and say in one line what is wrong with it.

        Raises:
            TaskError: the builder, the model, the loss or the objective raises or returns something else than it
                should, a label is out of range, or more rows are asked for than there are.
        """
        _check_batch_size(recipe, self.num_rows)
        _check_arguments(recipe, self.problem)
        _check_workers(recipe, self.parts)
        complete = recipe.complete(self.num_rows)
        whole = self.parts_for(complete)
        few = 1 if complete.batch.size == 1 else 2
        arrangement(complete, self.parts["train"], loss_name(self.problem, recipe))
        # for two rows a compiler would take longer than all the rest
        quick = {"data.workers": 0, "data.balance": "none", "hardware.compile": False}
        brief = complete.with_changes(quick).to_dict() | {"batch": {"size": few}}
        hardware.ready(recipe.hardware)
        parts: dict[Split, Rows] = {name: first(rows, min(few, len(rows))) for name, rows in whole.items()}
        with isolated(RandomState.seeded(seeds.derive(0, "check"))):
            model = self.problem.model(**recipe.model)
            _check_model(model)
            hardware.place(model, recipe)
            if self.problem.step is None:
                check_labels(loss_name(self.problem, recipe), whole, functools.partial(_output, model))
            loss = _call("the loss", lambda: self._loss(model, parts["train"], recipe))
            if not loss.training.requires_grad:
                raise TaskError("the loss does not depend on the model's parameters: nothing can be learned from it")
        run = TorchRun(self.problem, Recipe(**brief), parts, seed=0, horizon=few)
        _call(f"a training step{_in_precision(recipe)}", lambda: run.step_at(1e-6, batch_size=few))
        _call("keeping the weights", run.keep_best)
        if not self.objective.chooses:
            return
        measured = _call("the validation", lambda: run.evaluate("validation"))
        wanted = self.objective.name.removeprefix("validation_")
        if wanted not in measured:
            raise TaskError(
                f'the objective "{self.objective.name}" is not measured on this task; {nearest(wanted, measured)}'
            )

    def _loss(self, model: nn.Module, rows: Rows, recipe: Recipe) -> BatchLoss:
        device = next(model.parameters()).device
        loader = open_loader(rows, seed=0, plan=lambda _: 0, device=device, is_shuffled=False)
        return Objective.of(self.problem, recipe, self.parts["train"])(model, *loader.batch(0, len(rows)))


def _check_batch_size(recipe: Recipe, num_rows: int) -> None:
    wanted = recipe.batch.size or 1
    if wanted > num_rows:
        raise TaskError(
            f"batch.size is {wanted}, but there are {num_rows} training rows; "
            f"ask for at most {num_rows}, or leave it out"
        )


def _check_arguments(recipe: Recipe, problem: Problem) -> None:
    """Raise when the loss section has an argument that the task's loss does not take."""
    try:
        recipe.loss.require_arguments_of(loss_name(problem, recipe))
    except ValueError as error:
        raise TaskError(str(error)) from None


def _check_workers(recipe: Recipe, parts: dict[Split, Rows]) -> None:
    if recipe.data.augments and isinstance(parts["train"], SparseRows):
        raise RecipeError(f"data.{recipe.data.augments[0]} would fill the zeros of sparse rows: leave it out")
    if recipe.data.workers and all(isinstance(rows, TensorRows | SparseRows) for rows in parts.values()):
        raise RecipeError(
            "data.workers is for datasets; this task's rows are arrays in memory, which no worker would read faster"
        )
    streams = [rows.stream for rows in parts.values() if isinstance(rows, StreamRows)]
    if recipe.data.shuffle_buffer and not isinstance(parts["train"], StreamRows):
        raise RecipeError("data.shuffle_buffer is for streams; the rows of this task are shuffled all together anyway")
    for stream in streams:
        stream.num_lanes(recipe.data.workers)


class _FreshModels:
    """A problem whose builder is called with care: one line for what goes wrong, never the same model twice."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._built: weakref.WeakSet[nn.Module] = weakref.WeakSet()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._problem, name)

    def model(self, **arguments: Any) -> Any:
        built = _call("the model builder", lambda: self._problem.model(**arguments))
        if not isinstance(built, nn.Module):
            raise TaskError(f"the model builder must return a torch.nn.Module, not {type(built).__name__}")
        if built in self._built:
            raise TaskError("the model builder returned the same model twice; build a fresh one at every call")
        self._built.add(built)
        return built


def _call(what: str, function: Callable[[], Any]) -> Any:
    """What the user's own code returns; what it raises becomes one line."""
    try:
        return function()
    except SurefootError:
        raise
    except Exception as error:
        hint = "; whole-number inputs for a dense layer must be floats" if "same dtype" in str(error) else ""
        raise TaskError(f"{what} failed at {raised_at(error)}{hint}") from error


def _in_precision(recipe: Recipe) -> str:
    name = recipe.precision.name
    return "" if name == "float32" else f" in {name} (precision.name; PyTorch lacks some layers in it on some devices)"


def _output(model: nn.Module, rows: Tensor) -> Any:
    inputs = to_device(rows, next(model.parameters()).device)
    return _call("the model", lambda: model(inputs))


def _check_model(model: nn.Module) -> None:
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise TaskError("the model has no parameters to train")


def _check_values(part: Split, rows: Rows) -> None:
    """Raise when a part is empty or holds values that no training survives."""
    if not len(rows):
        raise TaskError(f"the {part} part has no rows")
    if not isinstance(rows, TensorRows | SparseRows):
        return
    if len(rows.inputs) != len(rows.targets):
        raise TaskError(
            f"the {part} part has {len(rows.inputs)} inputs and {len(rows.targets)} targets; they must pair up"
        )
    if rows.weights is not None and rows.weights.shape != (len(rows),):
        raise TaskError(
            f"the {part} weights have shape {tuple(rows.weights.shape)}; one a row is needed: ({len(rows)},)"
        )
    for name, values in (("targets", rows.targets), ("weights", rows.weights)):
        bad = 0 if values is None else _rows_not_finite(values)
        if bad:
            raise TaskError(
                f"{bad} of {len(rows)} {part} {name} are not finite (NaN or infinite); remove or replace those rows"
            )
    if rows.weights is not None and float(rows.weights.min()) < 0:
        raise TaskError(f"the {part} weights go down to {float(rows.weights.min()):g}; a weight is 0 or more")
    if rows.weights is not None and not float(rows.weights.max()) > 0:
        raise TaskError(f"the {part} weights are all 0: give some row a weight")


def _check_inputs(part: Split, rows: Rows) -> None:
    """Raise when inputs are not numbers; those that a recipe fills in are by now."""
    bad, hint = 0, ""
    if isinstance(rows, SparseRows):
        bad = rows.inputs.rows.num_not_finite
    elif isinstance(rows, TensorRows):
        bad = _rows_not_finite(rows.inputs)
        hint = ', or fill missing ones in: data.missing = "mean"' if bad and bool(rows.inputs.isnan().any()) else ""
    if bad:
        raise TaskError(
            f"{bad} of {len(rows)} {part} inputs are not finite (NaN or infinite); remove or replace those rows{hint}"
        )


def _rows_not_finite(values: Tensor) -> int:
    if not values.is_floating_point() or not values.numel():
        return 0
    return int((~torch.isfinite(values)).reshape(len(values), math.prod(values.shape[1:])).any(dim=1).sum())
