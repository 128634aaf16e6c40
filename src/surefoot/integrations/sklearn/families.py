"""The estimators with ``partial_fit`` that can be searched: where their rate, batch and decay are, and what they mean.

Ours is J = J₁ + ½λ‖θ‖² with a step of η over the mean gradient of B rows. scikit-learn's networks divide the whole
penalty by the rows of the batch, so their alpha is λB. Its linear models step once a row: B steps at eta0 move as one
of B rows at η = B·eta0 does, and their alpha is λ as it stands.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.errors import RecipeError, RequestError
from surefoot.integrations.sklearn.judging import mean_loss
from surefoot.recipe import Recipe
from surefoot.steering import Settings

__all__ = ["DECOUPLED", "FEW", "Family", "Step", "family_of"]

# Rows that show an estimator what it will see; a network draws its weights then.
FEW = 2
# Adam's decay stands between the steps unless a recipe asks for "adam": in the gradient, where scikit-learn has it, its
# size is divided by that of the gradient and has no scale that a search could begin at (docs/log.md, 2026-11-21).
DECOUPLED = "adamw"


@dataclass(frozen=True)
class Step:
    """What a call of ``partial_fit`` is.

    Attributes:
        batch_size: rows a step.
        count: steps in it.
        is_decoupled: the decay stands between the steps, not in the gradient.
    """

    batch_size: int
    count: int = 1
    is_decoupled: bool = False


class Family(ABC):
    """How a kind of estimator is trained step by step.

    Attributes:
        has_many_outputs: its regressor predicts several numbers a row.
    """

    has_many_outputs: bool

    @abstractmethod
    def sections(self, estimator: Any) -> dict[str, Any]:
        """What the estimator itself says about its training, as sections of a recipe."""

    @abstractmethod
    def optimizers(self, estimator: Any) -> tuple[str, ...]:
        """The names that its optimizer may have in a recipe, the usual one first."""

    @abstractmethod
    def begin(self, estimator: Any, rows: tuple[Any, Any], recipe: Recipe, *, classes: Any, seed: int) -> None:
        """Draw the initial weights; nothing is learned from these rows.

        Args:
            estimator: fresh; its parameters become those that training by steps needs.
            rows: a few, and their targets.
            recipe: complete.
            classes: all labels, None for a regressor.
            seed: of the weights.
        """

    @abstractmethod
    def train(self, estimator: Any, rows: tuple[Any, Any, Any], settings: Settings, step: Step) -> float:
        """Step over rows in batches of one size; the mean loss before the steps, without penalties."""

    @abstractmethod
    def parameters(self, recipe: Recipe, *, num_rows: int) -> dict[str, Any]:
        """A complete recipe's rate, batch and decay as the estimator's own parameters."""


class _Networks(Family):
    """MLPClassifier and MLPRegressor."""

    has_many_outputs = True

    def sections(self, estimator: Any) -> dict[str, Any]:
        if estimator.solver == "lbfgs":
            raise RequestError('solver="lbfgs" has neither rate nor batch to search: take "adam" or "sgd"')
        momentum = {"momentum": float(estimator.momentum), "nesterov": bool(estimator.nesterovs_momentum)}
        betas = {"beta1": float(estimator.beta_1), "beta2": float(estimator.beta_2), "epsilon": estimator.epsilon}
        optimizer = {"name": "sgd", **momentum} if estimator.solver == "sgd" else {"name": DECOUPLED, **betas}
        size = estimator.batch_size
        return {"optimizer": optimizer} | ({} if size == "auto" else {"batch": {"size": int(size)}})

    def optimizers(self, estimator: Any) -> tuple[str, ...]:
        return ("sgd",) if estimator.solver == "sgd" else (DECOUPLED, "adam")

    def begin(self, estimator: Any, rows: tuple[Any, Any], recipe: Recipe, *, classes: Any, seed: int) -> None:
        optimizer = recipe.optimizer
        given = {
            "momentum": optimizer.momentum,
            "nesterovs_momentum": optimizer.nesterov,
            "beta_1": optimizer.beta1,
            "beta_2": optimizer.beta2,
            "epsilon": optimizer.epsilon,
        }
        estimator.set_params(
            random_state=seed, shuffle=False, early_stopping=False, learning_rate="constant", verbose=False,
            **{name: value for name, value in given.items() if value is not None},
        )  # fmt: skip
        estimator.learning_rate_init, estimator.batch_size = 0.0, "auto"  # a step of no length draws the weights
        _first(estimator, rows, classes)
        for memory in ("ms", "vs", "velocities"):
            kept = getattr(estimator._optimizer, memory, [])
            setattr(estimator._optimizer, memory, [np.zeros_like(one) for one in kept])
        estimator._optimizer.t = estimator.t_ = estimator.n_iter_ = 0

    def train(self, estimator: Any, rows: tuple[Any, Any, Any], settings: Settings, step: Step) -> float:
        inputs, targets, weights = rows
        optimizer = estimator._optimizer  # made once: a changed learning_rate_init of the estimator does nothing
        optimizer.learning_rate_init = optimizer.learning_rate = settings.learning_rate
        for name, value in (
            ("beta_1", settings.beta1),
            ("beta_2", settings.beta2),
            ("epsilon", settings.epsilon),
            ("momentum", settings.momentum),
        ):
            if value is not None and hasattr(optimizer, name):
                setattr(optimizer, name, value)
        decay = settings.weight_decay or 0.0
        if step.is_decoupled:
            for weight in estimator.coefs_:
                weight *= (1.0 - settings.learning_rate * decay) ** step.count
            decay = 0.0
        estimator.batch_size, estimator.alpha = step.batch_size, decay * step.batch_size
        squares = sum(float(np.vdot(one, one)) for one in estimator.coefs_) if decay else 0.0
        estimator.partial_fit(inputs, targets, **({} if weights is None else {"sample_weight": weights}))
        # theirs counts the penalty in, over weights that hardly moved in between
        return float(estimator.loss_) - 0.5 * decay * squares

    def parameters(self, recipe: Recipe, *, num_rows: int) -> dict[str, Any]:
        size, optimizer = recipe.batch.first_size(num_rows), recipe.optimizer
        alpha = 0.0 if optimizer.name == DECOUPLED else optimizer.weight_decay * size
        return {"learning_rate_init": optimizer.learning_rate, "batch_size": size, "alpha": alpha}


class _Linear(Family):
    """SGDClassifier, SGDRegressor and what else is built on them."""

    has_many_outputs = False

    def sections(self, estimator: Any) -> dict[str, Any]:
        del estimator
        return {"optimizer": {"name": "sgd", "momentum": 0.0, "nesterov": False}}

    def optimizers(self, estimator: Any) -> tuple[str, ...]:
        del estimator
        return ("sgd",)

    def begin(self, estimator: Any, rows: tuple[Any, Any], recipe: Recipe, *, classes: Any, seed: int) -> None:
        if recipe.optimizer.momentum:
            raise RecipeError("optimizer.momentum is not for scikit-learn's linear models: leave it out")
        own = {"learning_rate": "constant"} if "learning_rate" in estimator.get_params() else {}
        estimator.set_params(random_state=seed, shuffle=False, early_stopping=False, verbose=0, **own)
        estimator.eta0 = 0.0  # steps of no length make the arrays
        _first(estimator, rows, classes)
        estimator.t_ = 1.0

    def train(self, estimator: Any, rows: tuple[Any, Any, Any], settings: Settings, step: Step) -> float:
        inputs, targets, weights = rows
        loss = mean_loss(estimator, inputs, targets, weights)
        estimator.eta0 = settings.learning_rate / step.batch_size
        estimator.alpha = settings.weight_decay or 0.0
        estimator.partial_fit(inputs, targets, sample_weight=weights)
        return loss

    def parameters(self, recipe: Recipe, *, num_rows: int) -> dict[str, Any]:
        optimizer = recipe.optimizer
        assert optimizer.learning_rate is not None, "a search gives complete recipes"
        return {
            "eta0": optimizer.learning_rate / recipe.batch.first_size(num_rows),
            "learning_rate": "constant",
            "alpha": optimizer.weight_decay,
        }


def _first(estimator: Any, rows: tuple[Any, Any], classes: Any) -> None:
    """The first ``partial_fit`` of an estimator, on a few rows."""
    estimator.partial_fit(*(part[:FEW] for part in rows), **({} if classes is None else {"classes": classes}))


def family_of(estimator: Any) -> Family:
    """The family that an estimator belongs to, by its parameters.

    Raises:
        RequestError: to none that is known.
    """
    if isinstance(estimator, type):
        raise RequestError(f"estimator is the class {estimator.__name__}; give an instance: {estimator.__name__}()")
    known = set(estimator.get_params(deep=False)) if hasattr(estimator, "get_params") else set()
    if hasattr(type(estimator), "partial_fit"):
        if {"learning_rate_init", "batch_size", "alpha", "solver"} <= known:
            return _Networks()
        if {"eta0", "alpha", "learning_rate"} <= known:
            return _Linear()
    name = type(estimator).__name__
    hint = "; put RecipeSearchCV into the pipeline as its last step" if name == "Pipeline" else ""
    raise RequestError(
        f"{name} cannot be searched; take MLPClassifier, MLPRegressor, SGDClassifier or SGDRegressor, or one of your "
        f"own built on them{hint}"
    )
