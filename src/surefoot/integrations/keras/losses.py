"""Surefoot's losses by their names in a recipe, for ``compile`` and for loops of one's own.

Outputs are plain, without softmax or sigmoid; labels are whole numbers, or one a class (one-hot) where there is an
output a class; one that the model has no output for makes the loss NaN. The mean is over elements, as in PyTorch and
as Keras's default reduction has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from surefoot.recipe import Recipe

__all__ = ["NamedLoss", "loss"]

_registered: Callable[..., Any] = keras.saving.register_keras_serializable(package="surefoot")


def loss(name: str, **arguments: Any) -> NamedLoss:
    """A loss by its name in a recipe: "cross_entropy", "focal", "hinge", "mean_squared_error", "huber" and others.

    Args:
        name: as in a recipe's ``[loss]`` section.
        **arguments: ``label_smoothing``, ``gamma`` or ``delta``, for the losses that a recipe has them for. Class
            weights are ``fit``'s: ``class_weight={...}``, a mean over rows, not over the weights as PyTorch's.

    Raises:
        RecipeError: there is no such loss, or an argument is not for it.

    >>> import numpy as np
    >>> round(float(loss("cross_entropy")(np.array([1]), np.array([[0.0, 0.0]]))), 4)
    0.6931
    """
    return NamedLoss(name, **arguments)


@_registered
class NamedLoss(keras.losses.Loss):  # type: ignore[misc] # Keras has no types
    """One of our losses as Keras's; made by ``loss``, saved with a model.

    Args:
        loss_name: as in a recipe.
        label_smoothing: in [0, 1).
        gamma: γ of focal; 2 when left out.
        delta: δ of Huber's; 1 when left out.
        **keras_arguments: ``name``, ``reduction`` and ``dtype``.
    """

    def __init__(
        self,
        loss_name: str,
        *,
        label_smoothing: float = 0.0,
        gamma: float | None = None,
        delta: float | None = None,
        **keras_arguments: Any,
    ) -> None:
        given = {"label_smoothing": label_smoothing, "gamma": gamma, "delta": delta}
        Recipe(loss={"name": loss_name, **given})  # it says what is wrong with them
        super().__init__(**{"name": loss_name, **keras_arguments})
        self._loss_name, self._given = loss_name, given

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of every element."""
        settings = {"gamma": 2.0, "delta": 1.0, **{key: value for key, value in self._given.items() if value}}
        return _FORMULAS[self._loss_name](y_true, ops.convert_to_tensor(y_pred), settings)

    @property
    def takes_classes(self) -> bool:
        """Whether its whole-number targets are labels, where there is an output a class."""
        return self._loss_name in {"cross_entropy", "focal", "hinge"}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "loss_name": self._loss_name, **self._given}


def _cross_entropy(target: Any, output: Any, settings: dict[str, float]) -> Any:
    """−Σ target·log softmax(output)."""
    classes = output.shape[-1]
    smoothing = settings.get("label_smoothing", 0.0)
    shares = _shares(target, output) * (1.0 - smoothing) + smoothing / classes
    return -ops.sum(shares * ops.log_softmax(output, axis=-1), axis=-1)


def _binary_cross_entropy(target: Any, output: Any, settings: dict[str, float]) -> Any:
    """The same for one output a row, a logit."""
    target, output = _aligned(target, output)
    smoothing = settings.get("label_smoothing", 0.0)
    smoothed = target * (1.0 - smoothing) + 0.5 * smoothing
    return smoothed * ops.softplus(-output) + (1.0 - smoothed) * ops.softplus(output)


def _focal(target: Any, output: Any, settings: dict[str, float]) -> Any:
    """(1 − p)^γ·(−log p). Lin et al. 2017 (arXiv:1708.02002), equation 5."""
    losses = _binary_cross_entropy(target, output, {}) if _is_column(output) else _cross_entropy(target, output, {})
    # the power of an exact 0 has no derivative below γ = 1; the smallest normal float32
    return ops.maximum(1.0 - ops.exp(-losses), 1.1754944e-38) ** settings["gamma"] * losses


def _hinge(target: Any, output: Any, settings: dict[str, float]) -> Any:
    """max(0, 1 − margin). Of several outputs the margin is the label's lead, Crammer and Singer 2001 (JMLR 2)."""
    del settings
    if _is_column(output):
        target, output = _aligned(target, output)
        return ops.relu(1.0 - output * (2.0 * target - 1.0))
    shares = _shares(target, output)
    others = ops.max(ops.where(shares > 0.5, float("-inf"), output), axis=-1)
    return ops.relu(1.0 - ops.sum(shares * output, axis=-1) + others)


def _squared(target: Any, output: Any, settings: dict[str, float]) -> Any:
    del settings
    target, output = _aligned(target, output)
    return ops.square(output - target)


def _absolute(target: Any, output: Any, settings: dict[str, float]) -> Any:
    del settings
    target, output = _aligned(target, output)
    return ops.abs(output - target)


def _huber(target: Any, output: Any, settings: dict[str, float]) -> Any:
    """½e² below an error e of δ, δ(e − ½δ) above."""
    error, delta = _absolute(target, output, {}), settings["delta"]
    return ops.where(error < delta, 0.5 * ops.square(error), delta * (error - 0.5 * delta))


def _poisson(target: Any, output: Any, settings: dict[str, float]) -> Any:
    """e^output − target·output."""
    del settings
    target, output = _aligned(target, output)
    return ops.exp(output) - target * output


_FORMULAS: dict[str, Callable[[Any, Any, dict[str, float]], Any]] = {
    "cross_entropy": _cross_entropy,
    "binary_cross_entropy": _binary_cross_entropy,
    "focal": _focal,
    "hinge": _hinge,
    "mean_squared_error": _squared,
    "mean_absolute": _absolute,
    "huber": _huber,
    "poisson": _poisson,
}


def _is_column(output: Any) -> bool:
    return len(output.shape) == 1 or output.shape[-1] == 1


def _shares(target: Any, output: Any) -> Any:
    """A number a class: one-hot as given, or made of whole numbers; NaN where there is no output for a label."""
    if len(target.shape) == len(output.shape) and target.shape[-1] == output.shape[-1]:
        return ops.cast(target, output.dtype)
    if len(target.shape) == len(output.shape):
        target = ops.squeeze(target, -1)
    labels, classes = ops.cast(target, "int32"), output.shape[-1]
    has_none = (labels < 0) | (labels >= classes)
    shares = ops.one_hot(ops.where(has_none, 0, labels), classes, dtype=output.dtype)
    return ops.where(ops.expand_dims(has_none, -1), float("nan"), shares)


def _aligned(target: Any, output: Any) -> tuple[Any, Any]:
    """Both in one shape; a trailing dimension of one is dropped."""
    target = ops.cast(target, output.dtype)
    if len(target.shape) == len(output.shape) + 1:
        return ops.squeeze(target, -1), output
    if len(output.shape) == len(target.shape) + 1:
        return target, ops.squeeze(output, -1)
    return target, output
