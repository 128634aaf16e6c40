"""A built and compiled model with the optimizer that moves it: the mathematics of a step, the same on every backend."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from surefoot.integrations.keras.compiled import loss_of
from surefoot.integrations.keras.optimizers import SGD, Adagrad, Adam, AdamW, NAdamW, RMSprop
from surefoot.recipe import Recipe
from surefoot.steering import Settings

__all__ = ["Network", "group_key"]

# Made above 0, so that what a knob needs is there; every step sets its value.
_PLACEHOLDER = 0.5
_ADAM = {"beta_1": "beta1", "beta_2": "beta2", "epsilon": "epsilon"}
# By the recipe's name: the class, and its knobs beside rate and decay with what a recipe calls them.
_OPTIMIZERS: dict[str, tuple[Any, dict[str, str]]] = {
    "sgd": (SGD, {"momentum": "momentum"}),
    "adam": (Adam, _ADAM),
    "adamw": (AdamW, _ADAM),
    "nadamw": (NAdamW, _ADAM),
    "rmsprop": (RMSprop, {"momentum": "momentum", "epsilon": "epsilon"}),
    "adagrad": (Adagrad, {"epsilon": "epsilon"}),
}
# PyTorch's, in its clip_grad_norm_.
CLIPPING_EPSILON = 1e-6


def group_key(recipe: Recipe) -> tuple[Any, ...]:
    """What two recipes must share so that their steps can be compiled once for both, beside the model itself."""
    optimizer, penalties = recipe.optimizer, recipe.regularization
    return optimizer.name, bool(optimizer.nesterov), optimizer.max_gradient_norm, penalties.l1, penalties.l2


class Network:
    """A model, its loss and its optimizer.

    Args:
        model: built and compiled; its own optimizer stays as it is.
        recipe: complete; names the optimizer.

    Attributes:
        model: as given.
        loss: what it was compiled with.
        trainable: the variables that are trained.
        others: those that change beside them: moving averages, states of random generators, ``draws`` last.
        draws: the run's own stream, for a backend whose layers draw from a global one.
        optimizer: ours, built for ``trainable``.
    """

    def __init__(self, model: Any, recipe: Recipe) -> None:
        self.model, self.loss = model, loss_of(model)
        self.trainable = list(model.trainable_variables)
        self.draws = keras.random.SeedGenerator(0)
        self.others = [*model.non_trainable_variables, self.draws.state]
        kind, self._names = _OPTIMIZERS[recipe.optimizer.name]
        arguments: dict[str, Any] = dict.fromkeys((*self._names, "weight_decay"), _PLACEHOLDER)
        if kind is SGD:
            arguments["nesterov"] = bool(recipe.optimizer.nesterov)
        self.optimizer = kind(_PLACEHOLDER, **arguments)
        self.optimizer.exclude_from_weight_decay([one for one in self.trainable if not _is_weight(one)])
        self.optimizer.build(self.trainable)
        self._knobs = [self.optimizer.learning_rate, self.optimizer.weight_decay]
        self._knobs += [getattr(self.optimizer, name) for name in self._names]
        self._l1, self._l2 = recipe.regularization.l1, recipe.regularization.l2
        self._limit = recipe.optimizer.max_gradient_norm
        self._takes_training = _takes_training(model)
        self._has_own_loss = _is_own(type(model).compute_loss)

    @property
    def variables(self) -> list[Any]:
        """Everything that a step changes."""
        return [*self.trainable, *self.others, *self.optimizer.variables]

    @property
    def has_batch_statistics(self) -> bool:
        """Whether the rows of a batch meet in its statistics."""
        return any(isinstance(one, keras.layers.BatchNormalization) for one in self.model._flatten_layers())

    @property
    def own_metrics(self) -> tuple[str, ...]:
        """The names of the metrics that were compiled in and that a look would not measure by itself."""
        compiled = next((one for one in self.model.metrics if type(one).__name__ == "CompileMetrics"), None)
        usual = {"accuracy"} if self.loss.name in {"cross_entropy", "binary_cross_entropy"} else set()
        return () if compiled is None else tuple(name for name in compiled.result() if name not in {"loss", *usual})

    @property
    def num_knobs(self) -> int:
        """How many numbers ``knobs`` gives."""
        return len(self._knobs)

    def knobs(self, settings: Settings, recipe: Recipe) -> list[float]:
        """The optimizer's numbers for a step: the rate, the decay, and its own in their order."""
        own = recipe.optimizer
        values = [settings.learning_rate, own.weight_decay if settings.weight_decay is None else settings.weight_decay]
        for name in self._names.values():
            moved = getattr(settings, name)
            values.append((getattr(own, name) or 0.0) if moved is None else moved)
        return values

    def forward(self, batch: tuple[Any, ...], *, training: bool) -> tuple[Any, Any, Any]:
        """A batch's loss without penalties, the penalties of the model's own layers, and its outputs."""
        inputs, targets, *weights = batch
        outputs = self.model(inputs, **({"training": training} if self._takes_training else {}))
        total = self.model.compute_loss(
            x=inputs, y=targets, y_pred=outputs, sample_weight=weights[0] if weights else None
        )
        penalties = [] if self._has_own_loss else self.model.losses
        if not penalties:
            return total, ops.zeros_like(total), outputs
        penalty = sum(ops.cast(ops.sum(one), total.dtype) for one in penalties)
        return total - penalty, penalty, outputs

    def apply(self, gradients: Sequence[Any], knobs: Sequence[Any]) -> None:
        """Move the weights by one step: penalties of the recipe, clipping, the optimizer."""
        for variable, value in zip(self._knobs, knobs, strict=True):
            variable.assign(ops.cast(value, variable.dtype))
        found = [self._with_penalty(one, variable) for one, variable in zip(gradients, self.trainable, strict=True)]
        if self._limit is not None:
            norm = ops.sqrt(sum(ops.sum(ops.square(one)) for one in found if one is not None))
            factor = ops.minimum(1.0, self._limit / (norm + CLIPPING_EPSILON))
            found = [None if one is None else one * factor for one in found]
        self.optimizer.apply(found, self.trainable)

    def _with_penalty(self, gradient: Any, variable: Any) -> Any:
        if gradient is None or not (self._l1 or self._l2) or not _is_weight(variable):
            return gradient
        gradient = ops.convert_to_tensor(gradient)
        if self._l1:
            gradient = gradient + self._l1 * ops.sign(variable)
        return gradient + self._l2 * ops.convert_to_tensor(variable) if self._l2 else gradient


def _is_weight(variable: Any) -> bool:
    """Whether a penalty holds for it: not for biases and normalisation parameters, which have one dimension."""
    return len(variable.shape) >= 2


def _takes_training(model: Any) -> bool:
    parameters = inspect.signature(model.call).parameters.values()
    return any(one.name == "training" or one.kind is one.VAR_KEYWORD for one in parameters)


def _is_own(method: Any) -> bool:
    module = inspect.getmodule(method)
    return module is not None and not module.__name__.startswith("keras.")
