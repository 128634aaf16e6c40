"""``SurefootClassifier`` and ``SurefootRegressor``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from surefoot.errors import TaskError
from surefoot.integrations.sklearn.aims import LABELS, NUMBERS
from surefoot.integrations.sklearn.network import NetworkEstimator
from surefoot.integrations.sklearn.settings import recipe_of
from surefoot.recipe import Recipe
from surefoot.space import Dimension

__all__ = ["SurefootClassifier", "SurefootRegressor"]

Array = npt.NDArray[Any]


def _gives_probabilities(estimator: Any) -> bool:
    name = recipe_of(estimator.recipe, {}, estimator.settings).loss.name
    if name == "hinge":
        raise AttributeError('the hinge loss gives no probabilities: take "cross_entropy" or "focal" for those')
    return True


class SurefootClassifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A PyTorch network that classifies, as a scikit-learn estimator.

    Every lever of a recipe is a parameter: the usual ones by name, any other through ``settings``, ``recipe`` or
    ``section__key``, which is also how ``GridSearchCV`` varies it: ``{"model__hidden": [32, 128]}``.

    Args:
        model: ``model(inputs=..., outputs=..., **arguments)`` builds a fresh network; it gets those of the two sizes
            that it has arguments for, and the recipe's ``model`` section. None is a multilayer perceptron with the
            arguments hidden, depth and dropout. One that should be pickled must be importable, not a lambda.
        recipe: a ``surefoot.Recipe``, its sections as a mapping, or the path of a TOML file.
        optimizer: its name; None takes the recipe's, and without one the documented default, as for what follows.
        learning_rate: at the top of the schedule.
        weight_decay: λ ≥ 0, decoupled or in the gradient as the optimizer has it.
        schedule: its name.
        batch_size: rows a step.
        epochs: passes over the training rows; None is 20, and up to 60 for tables of fewer than 240 rows.
        settings: any other recipe key, as ``{"optimizer.momentum": 0.9, "model.hidden": 128}``.
        budget: None trains the recipe once. A number of trainings, such as 2, or a time, such as "1min", searches
            rate, decay, optimizer and what ``space`` names, and keeps the best model.
        space: recipe keys to search, as ``surefoot.tune`` takes them.
        validation_fraction: held out to choose the best weights by, stratified; 0 chooses by the training rows. None
            is 0, and 0.2 with a budget.
        standardize: bring every column to mean 0 and deviation 1, learned from the training rows; sparse rows keep
            their zeros and get deviation 1 alone.
        class_weight: "balanced", or ``{label: weight}``: multiplies the sample weights.
        random_state: of everything random; a whole number gives the same network every time.
        verbose: print what happens.

    Attributes:
        classes_: the labels, sorted.
        recipe_: the complete recipe of the model.
        study_: the record of the training: curves, metrics, findings, cost.
        network_: the PyTorch module.

    >>> from surefoot.integrations.sklearn import SurefootClassifier
    >>> model = SurefootClassifier(epochs=10, random_state=0)
    >>> model.fit([[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"]).predict([[0.0], [3.0]])
    array(['low', 'high'], dtype='<U4')
    """

    # written out once more: scikit-learn, help() and editors read the parameters from the signature of the class itself
    def __init__(
        self,
        *,
        model: Callable[..., Any] | None = None,
        recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
        optimizer: str | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        schedule: str | None = None,
        batch_size: int | None = None,
        epochs: float | None = None,
        settings: Mapping[str, Any] | None = None,
        budget: float | str | None = None,
        space: Mapping[str, Dimension] | None = None,
        validation_fraction: float | None = None,
        standardize: bool = True,
        class_weight: Mapping[Any, float] | str | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            model=model,
            recipe=recipe,
            optimizer=optimizer,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            schedule=schedule,
            batch_size=batch_size,
            epochs=epochs,
            settings=settings,
            budget=budget,
            space=space,
            validation_fraction=validation_fraction,
            standardize=standardize,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SurefootClassifier:
        """Train; a row of weight 2 counts as the row there twice.

        Raises:
            RequestError: the data, a parameter or the recipe is wrong, PyTorch is missing, or the training diverged.
        """
        inputs, labels = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(labels)
        weights = _check_sample_weight(sample_weight, inputs, dtype=np.float64, ensure_non_negative=True)
        self.classes_, targets = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise TaskError(f'y holds one class, "{self.classes_[0]}"; a classifier needs at least two')
        if self.class_weight is not None:
            weights = weights * compute_sample_weight(self.class_weight, labels)
        self._trained(inputs, targets.astype(np.int64), weights, LABELS, num_outputs=len(self.classes_))
        return self

    def predict(self, X: Any) -> Array:
        """The likeliest label of every row."""
        outputs = self._outputs(X)
        labels: Array = self.classes_[outputs.argmax(axis=1)]
        return labels

    @available_if(_gives_probabilities)  # type: ignore[untyped-decorator] # scikit-learn has no types
    def predict_proba(self, X: Any) -> Array:
        """The probability of every class, rows × classes."""
        shares: Array = np.exp(self._log_shares(X))
        return shares

    @available_if(_gives_probabilities)  # type: ignore[untyped-decorator] # scikit-learn has no types
    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of those probabilities, also where they are too small for a number."""
        return self._log_shares(X)

    def _log_shares(self, X: Any) -> Array:
        outputs = self._outputs(X)
        below = outputs - outputs.max(axis=1, keepdims=True)
        found: Array = below - np.log(np.exp(below).sum(axis=1, keepdims=True))
        return found


class SurefootRegressor(RegressorMixin, NetworkEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A PyTorch network that predicts one number a row, or several, as a scikit-learn estimator.

    Its arguments and attributes are those of ``SurefootClassifier``, without ``class_weight`` and ``classes_``.
    ``standardize`` holds for the targets too, unless the loss is "poisson", whose targets are counts.

    >>> from surefoot.integrations.sklearn import SurefootRegressor
    >>> model = SurefootRegressor(epochs=50, learning_rate=0.03, random_state=0)
    >>> inputs = [[0.0], [1.0], [2.0], [3.0], [4.0]]
    >>> model.fit(inputs, [0.0, 10.0, 20.0, 30.0, 40.0]).predict([[2.0]]).round(-1)
    array([20.])
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SurefootRegressor:
        """Train; a row of weight 2 counts as the row there twice.

        Raises:
            RequestError: the data, a parameter or the recipe is wrong, PyTorch is missing, or the training diverged.
        """
        inputs, targets = validate_data(
            self, X, y, accept_sparse="csr", dtype=np.float64, multi_output=True, y_numeric=True
        )
        weights = _check_sample_weight(sample_weight, inputs, dtype=np.float64, ensure_non_negative=True)
        num_outputs = 1 if targets.ndim == 1 else targets.shape[1]
        self._trained(inputs, targets.astype(np.float64), weights, NUMBERS, num_outputs=num_outputs)
        self._is_flat = targets.ndim == 1
        return self

    def predict(self, X: Any) -> Array:
        """The prediction of every row, in the targets' own unit."""
        outputs = self._outputs(X)
        outputs = np.exp(outputs) if self.study_.loss == "poisson" else outputs
        values: Array = outputs.reshape(-1) if self._is_flat else outputs
        return np.asarray(values * self.target_scale_ + self.target_offset_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = True
        tags.target_tags.multi_output = True
        return tags
