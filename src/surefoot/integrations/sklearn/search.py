"""``RecipeSearchCV``: our search over a scikit-learn estimator's rate, batch, decay and schedule."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from surefoot.errors import RequestError
from surefoot.integrations.sklearn.answering import AnswersByItsBest
from surefoot.integrations.sklearn.backend import PartialFactory, require_optimizer
from surefoot.integrations.sklearn.families import Family, family_of
from surefoot.integrations.sklearn.outcome import best_index, chosen_index, cv_results
from surefoot.integrations.sklearn.preparing import checked_rows, folds_of, labels_of, prepared, scorer_of
from surefoot.integrations.sklearn.rows import Folds
from surefoot.integrations.sklearn.settings import usual_epochs
from surefoot.integrations.sklearn.varying import space_of, tried_apart
from surefoot.recipe import Recipe, sections_of
from surefoot.reports.watching import Printer
from surefoot.tasks import Task
from surefoot.training import never
from surefoot.workflows import tune

__all__ = ["RecipeSearchCV"]

Array = npt.NDArray[Any]
BACKEND = "surefoot.integrations.sklearn.backend"
# Of a budget this much at most is kept for the last training, on all rows.
REFIT, MOST_OF_BUDGET = 1.0, 0.5
# All rows may diverge where four fifths did not: the rate is then cut by this, as after any run that diverged.
RESCUE, MOST_RESCUES = 1 / 3, 4
# Parameters that training by steps sets, and that the result has as they were given.
_THEIRS = ("shuffle", "early_stopping", "verbose", "random_state")


class RecipeSearchCV(AnswersByItsBest):
    """Finds an estimator's learning rate, regularisation, batch size and schedule for the price of two trainings.

    For ``MLPClassifier``, ``MLPRegressor``, ``SGDClassifier``, ``SGDRegressor`` and what is built on them, without
    PyTorch. A range test says where the rates are, short complete trainings over ``partial_fit`` with a schedule of
    their own carry rate and decay upwards, and the best recipe is trained on all rows. Attributes are those of
    ``HalvingRandomSearchCV``.

    Args:
        estimator: supplies everything that is not searched.
        space: what else may vary: the estimator's own parameters by name, such as ``{"activation": ["relu", "tanh"]}``,
            or keys of a recipe, such as "batch.size"; values as a list, as ``sf.space`` has them, or as SciPy's
            loguniform, uniform and randint.
        budget: in trainings, one being ``epochs`` over the training rows; the last one, on all rows, is in it.
        epochs: of one training; None is 20, and up to 60 for few rows.
        recipe: what the search keeps as it is, or begins with: a ``surefoot.Recipe``, its sections or a TOML file.
        scoring: what decides, a scorer's name or ``scorer(estimator, X, y)``. None decides by the loss, which tells
            models apart more finely, and reports ``estimator.score``.
        cv: folds or a splitter: every run is then made on every fold, and the budget is one fold's. None holds out a
            fifth of the rows, stratified.
        refit: train the best recipe on all rows; a function of ``cv_results_`` says which row of it is the best.
        random_state: of everything random.
        verbose: print what happens.

    Attributes:
        best_estimator_: trained on all rows by the best recipe, weights, parameters and all.
        best_params_: rate, batch and decay as the estimator's parameters. They alone do not bring back the model:
            the schedule belongs to it, and is in ``best_recipe_``.
        best_score_: mean score of the best run on the held-out rows.
        best_recipe_: complete.
        cv_results_: a row a run, for a DataFrame.
        study_: the record of the search.

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import SGDClassifier
    >>> from surefoot.integrations.sklearn import RecipeSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> search = RecipeSearchCV(SGDClassifier(loss="log_loss"), epochs=20, random_state=0).fit(X, y)
    >>> sorted(search.best_params_), bool(search.score(X, y) > 0.8)
    (['alpha', 'eta0', 'learning_rate'], True)
    """

    def __init__(
        self,
        estimator: Any,
        space: Mapping[str, Any] | None = None,
        *,
        budget: float = 2.0,
        epochs: float | None = None,
        recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
        scoring: Any = None,
        cv: Any = None,
        refit: bool | Callable[[dict[str, Any]], int] = True,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.estimator = estimator
        self.space = space
        self.budget = budget
        self.epochs = epochs
        self.recipe = recipe
        self.scoring = scoring
        self.cv = cv
        self.refit = refit
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, *, groups: Any = None, sample_weight: Any = None) -> RecipeSearchCV:
        """Search, then train the best recipe on all rows.

        Args:
            X: the rows, dense or sparse.
            y: labels or numbers.
            groups: a label a row, for splitters that keep groups together.
            sample_weight: a number of at least 0 a row.

        Raises:
            RequestError: the estimator, the data or a parameter is wrong, or no run reached a usable model.
            KeyboardInterrupt: somebody stopped it.
        """
        family = family_of(self.estimator)
        if not isinstance(self.refit, bool) and not callable(self.refit):
            raise RequestError(f"refit must be True, False or a function of cv_results_, not {self.refit!r}")
        rows, used = checked_rows(self, X, y, sample_weight, many_outputs=family.has_many_outputs)
        classes = labels_of(rows.targets[used]) if is_classifier(self.estimator) else None
        estimator = prepared(self.estimator, rows.targets[used], classes)
        self.scorer_ = scorer_of(estimator, self.scoring)
        splits = folds_of(rows, used, self.cv, groups, of_classes=classes is not None)
        folds = Folds(rows, splits, classes, self.scorer_)
        recipe = self._base(family, estimator)
        epochs = usual_epochs(recipe, len(folds)) if self.epochs is None else self.epochs
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        task = self._task(estimator, folds, epochs)
        space = space_of(self.space, own=estimator.get_params(deep=False))
        for arguments in tried_apart(space or {}):
            PartialFactory(task).require_parameters(arguments)
        result = tune(
            task,
            budget=self._search_budget(),
            space=space,
            recipe=recipe,
            seed=seed,
            observer=Printer() if self.verbose else None,
        )
        if result.stopped_by_person:
            raise KeyboardInterrupt  # as any search of scikit-learn: a person who stops does not want the last training
        if result.recipe is None:
            reason = result.study.reason or result.status
            raise RequestError(f"no run reached a usable model: {reason}; scale the rows, or give more of a budget")
        self._conclude(result, family, folds)
        if self.refit:
            whole = Folds(rows, ((used, used),), classes, self.scorer_)
            self._refit(self._task(estimator, whole, epochs), family, seed)
        return self

    def _base(self, family: Family, estimator: Any) -> Recipe:
        """What the estimator says of its training, and over it what the recipe does."""
        sections, given = family.sections(estimator), sections_of(self.recipe)
        require_optimizer(given.get("optimizer", {}).get("name"), family.optimizers(estimator))
        merged = {name: {**sections.get(name, {}), **given.get(name, {})} for name in {**sections, **given}}
        return Recipe(**merged)

    def _task(self, estimator: Any, folds: Folds, epochs: float) -> Task:
        objective: Any = "validation_loss"
        if self.scoring is not None:
            objective = ("score", self.scorer_, "max")
        build = partial(_built, estimator)
        return Task(
            build,
            folds,
            validation=folds,
            loss=_own_loss,
            epochs=epochs,
            objective=objective,
            name=type(estimator).__name__,
            backend=BACKEND,
        )

    def _search_budget(self) -> float:
        if isinstance(self.budget, bool) or not isinstance(self.budget, int | float) or not self.budget > 0:
            raise RequestError(f"budget must be a number of trainings above 0, such as 2, not {self.budget!r}")
        kept = min(REFIT, MOST_OF_BUDGET * self.budget) if self.refit else 0.0
        return float(self.budget - kept)

    def _conclude(self, result: Any, family: Family, folds: Folds) -> None:
        self.study_ = study = result.study
        self.best_recipe_ = result.recipe
        self.n_splits_ = len(folds.splits)
        self.cv_results_ = cv_results(study, self.n_splits_, partial(_parameters, family, len(folds)))
        self.best_index_ = best_index(study)
        self.multimetric_ = False
        if callable(self.refit):
            self.best_index_ = chosen_index(self.refit(self.cv_results_), len(study.runs))
            self.best_recipe_ = Recipe(**study.runs[self.best_index_].recipe)
        self.best_params_ = self.cv_results_["params"][self.best_index_]
        self.best_score_ = float(self.cv_results_["mean_test_score"][self.best_index_])

    def _refit(self, task: Task, family: Family, seed: int) -> None:
        """Train the best recipe on all rows, over as many epochs as it was judged by."""
        started = time.perf_counter()
        share = min(1.0, self.study_.runs[self.best_index_].share)
        for _ in range(MOST_RESCUES):
            run = PartialFactory(task).create(self.best_recipe_, seed=seed, share=share)
            done = run.advance(run.horizon, should_stop=never)
            if not done.failure:
                break
            rate = self.best_recipe_.optimizer.learning_rate * RESCUE
            self.best_recipe_ = self.best_recipe_.with_changes({"optimizer.learning_rate": rate})
            advice = f"it was trained again at {rate:.3g}, as best_recipe_ says; rows of one scale train better"
            warnings.warn(f"the training on all rows failed: {done.reason}; {advice}", ConvergenceWarning, stacklevel=3)
        else:
            raise RequestError(f"the training on all rows failed again and again: {done.reason}; scale the rows")
        self.best_estimator_ = run.model
        self.best_estimator_.set_params(**family.parameters(self.best_recipe_, num_rows=len(task.train)))
        known = self.estimator.get_params(deep=False)
        self.best_estimator_.set_params(**{name: known[name] for name in _THEIRS if name in known})
        if hasattr(self, "feature_names_in_"):
            self.best_estimator_.feature_names_in_ = self.feature_names_in_
        self.refit_time_ = time.perf_counter() - started


def _built(estimator: Any, **arguments: Any) -> Any:
    return clone(estimator).set_params(**arguments)


def _own_loss(output: Any, target: Any) -> Any:
    del output, target
    raise AssertionError("the estimator has a loss of its own")


def _parameters(family: Family, num_rows: int, recipe: Recipe) -> dict[str, Any]:
    return {**recipe.model, **family.parameters(recipe, num_rows=num_rows)}
