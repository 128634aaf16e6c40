"""What the two network estimators share: parameters, training through a Task, and a state that can be pickled."""

from __future__ import annotations

import inspect
import numbers
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from surefoot.errors import RecipeError, RequestError, TaskError, nearest
from surefoot.integrations.sklearn.aims import Aim
from surefoot.integrations.sklearn.settings import KEYS, recipe_of, usual_epochs
from surefoot.integrations.sklearn.units import in_units, units_of
from surefoot.recipe import Recipe
from surefoot.reports.watching import Printer
from surefoot.space import Dimension
from surefoot.sparse import is_sparse
from surefoot.tasks import Task
from surefoot.tasks.builder import NamedBuilder, require_builder
from surefoot.tasks.split import split_rows
from surefoot.workflows import fit, tune
from surefoot.workflows.backend import engine

__all__ = ["NetworkEstimator"]

Array = npt.NDArray[Any]
AS_IT_IS: tuple[Any, Any] = (0.0, 1.0)  # offset and scale
# What is held out to choose by, where a budget has several trainings to choose from.
HELD_OUT = 0.2


class NetworkEstimator(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A PyTorch network behind scikit-learn's interface; see ``SurefootClassifier`` for the arguments."""

    # scikit-learn reads the parameters from this signature, so there is no object to put them into
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
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.recipe = recipe
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.batch_size = batch_size
        self.epochs = epochs
        self.settings = settings
        self.budget = budget
        self.space = space
        self.validation_fraction = validation_fraction
        self.standardize = standardize
        self.random_state = random_state
        self.verbose = verbose

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters; deep, also every setting as ``section__key``."""
        found: dict[str, Any] = super().get_params(deep=False)
        if deep and isinstance(self.settings, Mapping):
            found |= {key.replace(".", "__", 1): value for key, value in self.settings.items()}
        return found

    def set_params(self, **params: Any) -> Any:
        """Set parameters; ``section__key`` sets one recipe key, as ``settings`` does.

        >>> from surefoot.integrations.sklearn import SurefootClassifier
        >>> SurefootClassifier().set_params(model__hidden=128, epochs=5)
        SurefootClassifier(epochs=5, settings={'model.hidden': 128})
        """
        plain = {name: value for name, value in params.items() if "__" not in name}
        super().set_params(**plain)
        keys = {name.replace("__", ".", 1): value for name, value in params.items() if "__" in name}
        for key in keys:
            section = key.partition(".")[0]
            if section not in Recipe.model_fields:
                name = key.replace(".", "__", 1)
                raise RecipeError(f'there is no parameter "{name}"; {nearest(section, Recipe.model_fields)}')
        if keys:
            self.settings = {**(self.settings or {}), **keys}
        return self

    # For the two below

    def _trained(self, inputs: Any, targets: Array, weights: Array, aim: Aim, *, num_outputs: int) -> Any:
        """Train on encoded targets; the estimator with everything that prediction needs."""
        recipe = recipe_of(self.recipe, {name: getattr(self, name) for name in KEYS}, self.settings)
        if recipe.data.prepares:
            raise RecipeError(
                "data.standardize and data.missing are not for an estimator: set standardize=, and fill "
                "what is missing with a SimpleImputer in front"
            )
        loss = aim.loss(recipe.loss.name)
        used = weights > 0  # a row of weight 0 is a row that is not there
        if not used.any():
            raise TaskError("the weights are 0 in every row: give some row a weight")
        inputs, targets, weights = inputs[used], targets[used], weights[used]
        kept, held = self._split(len(targets), targets if aim.are_labels else None)
        self._learn_units(inputs[kept], targets[kept], weights[kept], scales_targets=aim.scales(loss))
        parts = {
            name: self._part(inputs[rows], targets[rows], weights[rows], aim)
            for name, rows in (("train", kept), ("validation", held))
        }
        sizes = {"inputs": inputs.shape[1], "outputs": num_outputs}
        self._builder = _sized(self.model, sizes, of_sparse_rows=is_sparse(inputs))
        task = Task(
            self._builder,
            parts["train"],
            validation=parts["validation"],
            loss=loss,
            epochs=usual_epochs(recipe, len(kept)) if self.epochs is None else self.epochs,
            name=type(self).__name__,
        )
        self._keep(self._result(task, recipe))
        return self

    def _result(self, task: Task, recipe: Recipe) -> Any:
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        if self.budget is None:
            if self.space is not None:
                raise RequestError('space is for a search: give it a budget too, such as budget=2 or budget="1min"')
            return fit(task, recipe, seed=seed, verbose=bool(self.verbose))
        observer = Printer() if self.verbose else None
        return tune(task, budget=self.budget, space=self.space, recipe=recipe, seed=seed, observer=observer)

    def _split(self, num_rows: int, labels: Array | None) -> tuple[Array, Array]:
        """The rows to learn from and those to choose by, which are the same where nothing is held out."""
        fraction = self.validation_fraction
        if fraction is None:
            fraction = 0.0 if self.budget is None else HELD_OUT
        if not isinstance(fraction, numbers.Real) or not 0.0 <= fraction < 1.0:
            raise TaskError(f"validation_fraction is {fraction!r}; it must be 0 or lie between 0 and 1")
        if not fraction:
            return np.arange(num_rows), np.arange(num_rows)
        kept, held = split_rows(num_rows, (1.0 - fraction, fraction), labels=labels)
        if not len(kept) or not len(held):
            kept, held = split_rows(num_rows, (1.0 - fraction, fraction))
        if not len(kept) or not len(held):
            raise TaskError(
                f"validation_fraction {fraction:g} of {num_rows} rows leaves a part without rows; "
                "give more rows, or validation_fraction=0"
            )
        return kept, held

    def _learn_units(self, inputs: Any, targets: Array, weights: Array, *, scales_targets: bool) -> None:
        """Offset and scale of every column, from the rows that are learned from."""
        self.input_offset_, self.input_scale_ = units_of(inputs, weights) if self.standardize else AS_IT_IS
        is_scaled = self.standardize and scales_targets
        self.target_offset_, self.target_scale_ = units_of(targets, weights) if is_scaled else AS_IT_IS

    def _part(self, inputs: Any, targets: Array, weights: Array, aim: Aim) -> tuple[Any, ...]:
        if not aim.are_labels:
            targets = in_units(targets, self.target_offset_, self.target_scale_)
        scaled = (self._standard(inputs), targets)
        return scaled if (weights == 1.0).all() else (*scaled, weights.astype(np.float32))

    def _standard(self, inputs: Any) -> Any:
        return in_units(inputs, self.input_offset_, self.input_scale_)

    def _keep(self, result: Any) -> None:
        """What a fitted estimator has: nothing of it needs PyTorch to be pickled."""
        if result.model is None:
            reason = result.study.reason or result.status
            raise RequestError(f"the training reached no usable model: {reason}; try a lower learning_rate")
        if result.stopped_by_person:
            warnings.warn("the training was interrupted; the best model so far is kept", UserWarning, stacklevel=4)
        self.study_ = result.study
        self.recipe_ = result.recipe
        self._weights: bytes = engine().weights_to_bytes(result.model)
        self._network = result.model

    def _outputs(self, X: Any) -> Array:
        """The network's outputs for rows, as numbers."""
        check_is_fitted(self, "recipe_")
        inputs = validate_data(self, X, reset=False, accept_sparse="csr", dtype=np.float64)
        backend = engine()
        if self._network is None:
            self._network = self._builder(**self.recipe_.model)
            backend.weights_from_bytes(self._network, self._weights)
        outputs: Array = backend.predict(self._network, self._standard(inputs)).astype(np.float64)
        return outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {**state, "_network": None} if "_network" in state else state

    @property
    def network_(self) -> Any:
        """The trained PyTorch module; its inputs are standardised rows."""
        check_is_fitted(self, "recipe_")
        if self._network is None:
            self._outputs(np.zeros((1, self.n_features_in_)))
        return self._network


def _sized(builder: Callable[..., Any] | None, sizes: dict[str, int], *, of_sparse_rows: bool) -> Callable[..., Any]:
    """The builder with the sizes of the data, as far as it has arguments of those names."""
    if builder is None:
        return NamedBuilder("surefoot.tasks.models:mlp", sizes | ({"sparse": True} if of_sparse_rows else {}))
    require_builder(builder)
    try:
        known = inspect.signature(builder).parameters
    except (TypeError, ValueError):  # a builtin tells nothing about itself
        return builder
    takes_any = any(one.kind is one.VAR_KEYWORD for one in known.values())
    return partial(builder, **{name: size for name, size in sizes.items() if takes_any or name in known})
