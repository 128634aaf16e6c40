"""What a search over a HyperModel gives back: our result, and beside it what Keras Tuner's users ask a tuner for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras_tuner

from surefoot.errors import RequestError
from surefoot.integrations.keras.factory import KerasFactory
from surefoot.integrations.keras.tuner.translation import Translation
from surefoot.protocols import Candidate
from surefoot.recipe import Recipe
from surefoot.records import Cost, Finding, Run, Study, ranked
from surefoot.tasks import Task
from surefoot.training import Conditions, train
from surefoot.workflows.result import Result

__all__ = ["Searched"]


@dataclass(frozen=True, repr=False)
class Searched:
    """A trained model with its hyperparameters.

    Attributes:
        result: what ``surefoot.tune`` gives.
        translation: between the HyperModel and recipes.
        task: what was trained on.

    >>> import keras, numpy as np
    >>> from surefoot.integrations.keras import search
    >>> def build_model(hp):
    ...     model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(hp.Choice("units", [4, 8])),
    ...                               keras.layers.Dense(2, activation="softmax")])
    ...     model.compile(keras.optimizers.Adam(hp.Float("lr", 1e-4, 1e-1, sampling="log")),
    ...                   "sparse_categorical_crossentropy")
    ...     return model
    >>> X = np.random.default_rng(0).normal(size=(40, 4))
    >>> found = search(build_model, (X, (X[:, 0] > 0).astype(int)), epochs=4)
    >>> sorted(found.best_hyperparameters()[0].values)
    ['lr', 'units']
    """

    result: Result
    translation: Translation
    task: Task

    def __repr__(self) -> str:
        return f"Searched({self.result!r})"

    @property
    def model(self) -> Any:
        """The trained Keras model with its best weights; None when no run reached a usable one."""
        return self.result.model

    @property
    def recipe(self) -> Recipe | None:
        """The complete recipe of the model: schedule, batch and decay beside the hyperparameters."""
        return self.result.recipe

    @property
    def study(self) -> Study:
        """The record of everything that happened."""
        return self.result.study

    @property
    def status(self) -> str:
        """How it ended: completed, interrupted, diverged or out_of_memory."""
        return self.result.status

    @property
    def metrics(self) -> dict[str, float]:
        """``train_loss``, ``validation_loss``, ``test_loss``, accuracies and the like."""
        return self.result.metrics

    @property
    def cost(self) -> Cost:
        """``trainings``, ``samples`` and ``seconds``, everything included."""
        return self.result.cost

    @property
    def findings(self) -> list[Finding]:
        """Verdicts, each with its evidence and its advice."""
        return self.result.findings

    def report(self, path: str | Path) -> Path:
        """Write the report, one HTML page, and give back its path."""
        return self.result.report(path)

    def best_hyperparameters(self, num_trials: int = 1) -> list[Any]:
        """Keras Tuner's ``HyperParameters`` of the best runs, the best first; for ``hypermodel.build(hp)``.

        They hold what the HyperModel declares and asks for. The schedule, and the batch and the decay where nothing is
        declared for them, are in ``recipe``: a training without them is another one.

        Args:
            num_trials: how many at most.
        """
        return [self._hyperparameters(run) for run in self._best(num_trials)]

    def best_models(self, num_models: int = 1) -> list[Any]:
        """The trained models of the best runs, the best first.

        The first one is at hand. Others are trained again as they were, same seed, same weights, which costs the share
        of a training that each of them had.

        Args:
            num_models: how many at most.
        """
        best = self._best(num_models)
        return [self.model, *map(self._trained_again, best[1:])] if best else []

    def results_summary(self, num_trials: int = 10) -> None:
        """Print the best runs, their hyperparameters and their scores, as Keras Tuner does.

        Args:
            num_trials: how many at most.
        """
        objective = self.study.objective
        print("Results summary")
        print(f"Results in {self.result.directory or 'memory'}, for the price of {self.cost.trainings:.2f} trainings")
        print(f"Showing {num_trials} best trials")
        print(f'Objective(name="{objective.name}", direction="{objective.direction}")')
        for run in self._best(num_trials):
            print(f"\n{run.name} summary, over {run.share * self.task.epochs:.3g} of {self.task.epochs:g} epochs")
            print("Hyperparameters:")
            for name, value in self._hyperparameters(run).values.items():
                print(f"{name}: {value}")
            print(f"Score: {run.value}")

    def _best(self, count: int) -> list[Run]:
        """The winner, then the others by what they were judged by."""
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise RequestError(f"ask for a whole number of at least 1, not {count!r}")
        order = ranked(self.study.runs)
        order.sort(key=lambda run: run.number != self.study.winner)
        return order[:count]

    def _hyperparameters(self, run: Run) -> Any:
        asked = self.translation.look(run.recipe, epochs=run.share * self.task.epochs).asked
        found = keras_tuner.HyperParameters.from_config(asked.get_config())
        found.values = dict(asked.values)
        return found

    def _trained_again(self, run: Run) -> Any:
        factory, recipe = KerasFactory(self.task), Recipe(**run.recipe)
        again = factory.create(recipe, seed=run.seed, share=run.share)
        candidate = Candidate(run.number, run.name, run.stage, run.share, recipe, run.seed, run.coordinates)
        train(
            again,
            candidate,
            Conditions(
                rows=factory.num_rows,
                training_samples=factory.training_samples,
                objective=run.objective,
                is_cautious=True,
            ),
        )
        again.finish()
        return again.model
