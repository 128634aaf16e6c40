"""Makes runs of one task on Keras models, after looking at the task once, at the door."""

from __future__ import annotations

import zlib
from typing import Any

import keras
import numpy as np

from surefoot.errors import SurefootError, TaskError, nearest, raised_at
from surefoot.integrations.keras.bench import Benches
from surefoot.integrations.keras.matching import require_inputs, require_targets
from surefoot.integrations.keras.order import Order, arrangement
from surefoot.integrations.keras.probed_run import KerasRun
from surefoot.integrations.keras.rows import Part, as_part
from surefoot.integrations.keras.settings import require_followed
from surefoot.protocols import Problem, Split
from surefoot.recipe import Recipe
from surefoot.records import Objective
from surefoot.training import horizon_of

__all__ = ["KerasFactory"]


class KerasFactory:
    """Makes a ``KerasRun`` for every recipe.

    Runs whose models have the same make share one that is built and traced once: see ``bench``. ``problem.model`` gives
    a compiled model at every call, whose loss is what is trained on and whose optimizer is left alone: the recipe's is
    used. Another door may give any builder whose arguments are those in ``recipe.model``.

    Args:
        problem: a task whose parts are arrays or ``rows.Columns``.

    Raises:
        TaskError: a part has no rows or holds values that cannot be trained on.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._benches = Benches(problem)
        self._parts: dict[tuple[bool, str], dict[Split, Part]] = {(False, "refuse"): _parts_of(problem)}

    @property
    def num_rows(self) -> int:
        """Rows of the training part."""
        return len(self._parts[False, "refuse"]["train"])

    @property
    def training_samples(self) -> int:
        """Samples of one training: epochs × rows."""
        return max(1, round(float(self._problem.epochs) * self.num_rows))

    @property
    def fingerprint(self) -> str:
        """A checksum of the training rows."""
        checksum = 0
        for values in keras.tree.flatten(self._parts[False, "refuse"]["train"].arrays):
            checksum = zlib.crc32(np.ascontiguousarray(values).tobytes(), checksum)
        return f"{checksum:08x}"

    @property
    def objective(self) -> Objective:
        """What decides between two models."""
        return self._problem.objective

    def create(self, recipe: Recipe, *, seed: int, share: float = 1.0) -> KerasRun:
        """A fresh run of a complete recipe over ``share`` of the task's horizon."""
        return self._run(recipe, self._parts_for(recipe), seed=seed, horizon=horizon_of(share, self.training_samples))

    def _run(self, recipe: Recipe, parts: dict[Split, Part], *, seed: int, horizon: int) -> KerasRun:
        train = parts["train"]
        bench, values = self._benches.find(recipe, train, seed=seed)
        return KerasRun(
            self._problem,
            recipe,
            parts,
            bench=bench,
            values=values,
            order=Order(seed, len(train), arrangement(recipe, train)),
            horizon=horizon,
            finished=self._benches.retire,
        )

    def _parts_for(self, recipe: Recipe) -> dict[Split, Part]:
        """The rows in the units and with the fillings that a recipe asks for."""
        standardize, missing = key = recipe.data.standardize, recipe.data.missing
        if key not in self._parts:
            self._parts[key] = _parts_of(self._problem.prepared(standardize=standardize, missing=missing))
        return self._parts[key]

    def check(self, recipe: Recipe) -> None:
        """Try the task, a step and a look, and say in one line what is wrong with it.

        Raises:
            RecipeError: the recipe asks for what Keras models do not get here.
            TaskError: the model cannot be trained on these rows.
        """
        require_followed(recipe, self.num_rows)
        complete = recipe.complete(self.num_rows)
        parts = self._parts_for(complete)
        run = self._run(complete, parts, seed=0, horizon=self.num_rows)
        try:
            outputs = run.model(parts["train"].take(slice(1)).inputs)
            for name, part in parts.items():
                require_inputs(run.model, name, part.inputs)
                require_targets(run.model, name, part.targets, outputs)
            with run.restored():
                run.step_at(1e-6, batch_size=min(2, self.num_rows))
                measured = run.evaluate("validation")
        except SurefootError:
            raise
        except Exception as error:
            raise TaskError(f"a training step failed at {raised_at(error)}") from error
        wanted = self.objective.name.removeprefix("validation_")
        if self.objective.chooses and wanted not in measured:
            raise TaskError(
                f'the objective "{wanted}" is not measured: compile the metric in, '
                f"model.compile(..., metrics=[...]); {nearest(wanted, measured)}"
            )


def _parts_of(problem: Problem) -> dict[Split, Part]:
    given: dict[Split, Any] = {"train": problem.train, "validation": problem.validation, "test": problem.test}
    return {name: as_part(name, part) for name, part in given.items() if part is not None}
