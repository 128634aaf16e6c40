"""scikit-learn's estimators with ``partial_fit`` as a backend: what a ``Task`` names and ``workflows`` find."""

from __future__ import annotations

import contextlib
import math
import warnings
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from surefoot.errors import RecipeError, SurefootError, TaskError, raised_at
from surefoot.integrations.sklearn.families import FEW, family_of
from surefoot.integrations.sklearn.folds import FoldsRun
from surefoot.integrations.sklearn.partial_run import PartialRun
from surefoot.integrations.sklearn.rows import Folds
from surefoot.integrations.sklearn.state import read_states
from surefoot.protocols import Problem
from surefoot.recipe import Recipe
from surefoot.records import Objective
from surefoot.training import horizon_of

__all__ = ["PartialFactory", "load_weights", "open_task", "predict", "require_optimizer"]

# What a recipe may say about a training whose loss and whose weights are scikit-learn's own affair.
SECTIONS = frozenset({"optimizer", "schedule", "batch", "stopping", "model"})
_NOT_THERE = {"optimizer": ("max_gradient_norm",), "batch": ("micro_batch",)}


class PartialFactory:
    """Makes a run a fold for every recipe.

    Args:
        problem: a task whose ``train`` is a ``Folds``.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._folds: Folds = problem.train

    @property
    def num_rows(self) -> int:
        """Rows that a fold learns from."""
        return len(self._folds)

    @property
    def training_samples(self) -> int:
        """Samples of one training of one fold: epochs × rows."""
        return max(1, round(float(self._problem.epochs) * self.num_rows))

    @property
    def fingerprint(self) -> str:
        """A checksum of the targets, and the number of rows."""
        targets = np.asarray(self._folds.whole.targets)
        text = targets.astype(str).tobytes() if targets.dtype.kind in "OU" else targets.tobytes()
        return f"{len(targets)} rows, {zlib.crc32(text):08x}"

    @property
    def objective(self) -> Objective:
        """What decides between two models."""
        return self._problem.objective

    def create(self, recipe: Recipe, *, seed: int, share: float = 1.0) -> PartialRun | FoldsRun:
        """A fresh run of a complete recipe over ``share`` of the task's horizon, on every fold."""
        horizon = horizon_of(share, self.training_samples)
        with _complaints(recipe.model):
            runs = [self._run(recipe, index, seed=seed, horizon=horizon) for index in range(len(self._folds.splits))]
        return runs[0] if len(runs) == 1 else FoldsRun(runs)

    def _run(self, recipe: Recipe, fold: int, *, seed: int, horizon: int) -> PartialRun:
        train, validation = self._folds.splits[fold]
        estimator = self._problem.model(**recipe.model)
        return PartialRun(
            estimator,
            family_of(estimator),
            recipe,
            {"train": self._folds.whole.take(train), "validation": self._folds.whole.take(validation)},
            classes=self._folds.classes,
            scorer=self._folds.scorer,
            direction=self.objective.direction,
            seed=seed,
            horizon=horizon,
        )

    def check(self, recipe: Recipe) -> None:
        """Try the task, a step and a look, and say in one line what is wrong with it.

        Raises:
            RecipeError: the recipe asks for what scikit-learn's estimators do not have.
            TaskError: the estimator cannot be trained on these rows.
        """
        size = recipe.batch.size or 1
        if size > self.num_rows:
            raise TaskError(f"the batch is {size}, but there are {self.num_rows} training rows; ask for at most those")
        _check_sections(recipe, self.num_rows)
        with _complaints(recipe.model):
            estimator = self._problem.model(**recipe.model)
            require_optimizer(recipe.optimizer.name, family_of(estimator).optimizers(estimator))
            self._try(estimator)
            run = self._run(recipe.complete(self.num_rows), 0, seed=0, horizon=2)
            run.step_at(1e-6, batch_size=1)
            measured = run.evaluate("validation")
        if self.objective.name == "validation_score" and not math.isfinite(measured["score"]):
            raise TaskError(f"the score of the held-out rows is {measured['score']}: does it suit these targets?")

    def require_parameters(self, arguments: Mapping[str, Any]) -> None:
        """Try a step with parameters of the estimator's own.

        Raises:
            TaskError: the estimator does not take them, in its own words.
        """
        with _complaints(arguments):
            self._try(self._problem.model(**arguments))

    def _try(self, estimator: Any) -> None:
        """Let scikit-learn check the estimator's own parameters, which a run does not at every step."""
        rows, classes = self._folds.whole, self._folds.classes
        if "early_stopping" in estimator.get_params(deep=False):
            estimator.set_params(early_stopping=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            arguments = {} if classes is None else {"classes": classes}
            estimator.partial_fit(rows.inputs[:FEW], rows.targets[:FEW], **arguments)


open_task = PartialFactory


def predict(model: Any, inputs: Any) -> Any:
    """The estimator's predictions for rows."""
    return model.predict(inputs)


def load_weights(model: Any, path: Path) -> None:
    """Read what a run of this backend has learned into an estimator of the same make."""
    read_states(path)[0]["now"].put_back(model)


def require_optimizer(name: str | None, known: tuple[str, ...]) -> None:
    """Raise unless an estimator trains with the optimizer that a recipe names; None names none."""
    if name is not None and name not in known:
        allowed = " or ".join(f'"{one}"' for one in known)
        raise RecipeError(f'optimizer.name is "{name}", and this estimator trains with {allowed}')


@contextlib.contextmanager
def _complaints(arguments: Mapping[str, Any]) -> Iterator[None]:
    """A block in which what the estimator raises becomes one line, with the parameters that vary."""
    try:
        yield
    except SurefootError:
        raise
    except Exception as error:
        given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        raise TaskError(f"the estimator failed {f'with {given} ' if given else ''}at {raised_at(error)}") from error


def _check_sections(recipe: Recipe, num_rows: int) -> None:
    """Raise where a recipe asks for more than its defaults in a section that is scikit-learn's own affair."""
    complete, usual = (one.complete(num_rows).model_dump() for one in (recipe, Recipe()))
    for section, values in complete.items():
        if section not in SECTIONS and values != usual[section]:
            raise RecipeError(
                f"{section} is not for scikit-learn's estimators, which have their own loss and weights; "
                f"a recipe for them has the sections {', '.join(sorted(SECTIONS))}"
            )
        for key in _NOT_THERE.get(section, ()):
            if values[key] is not None:
                raise RecipeError(f"{section}.{key} is not for scikit-learn's estimators: leave it out")
