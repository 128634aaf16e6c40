"""The ``[loss]`` section: which loss, and the loss's own arguments."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, model_validator

from surefoot.recipe.section import Rate, Section, Share, Strength

__all__ = ["LOSS_ARGUMENTS", "Loss", "LossName"]

LossName = Literal[
    "cross_entropy",
    "binary_cross_entropy",
    "focal",
    "hinge",
    "mean_squared_error",
    "mean_absolute",
    "huber",
    "poisson",
]
"""The values of ``loss.name``."""

LOSS_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "label_smoothing": ("cross_entropy", "binary_cross_entropy"),
    "class_weights": ("cross_entropy", "binary_cross_entropy", "focal"),
    "gamma": ("focal",),
    "delta": ("huber",),
}
"""The losses that each argument of ``Loss`` is for."""


def _class_weights(value: Any) -> Any:
    """A number a class, or "balanced"; None is left as it is."""
    if value is None or value == "balanced":
        return value
    if isinstance(value, list | tuple) and len(value) > 1 and all(_is_weight(weight) for weight in value):
        if any(value):
            return [float(weight) for weight in value]
        raise ValueError("loss.class_weights are all 0: nothing would be learned")
    raise ValueError(
        f'loss.class_weights is {value!r}; it must be "balanced", or a list with a number of at least 0 a class'
    )


def _is_weight(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


class Loss(Section):
    """Which loss, when not the task's own, and its arguments; what is left out is the loss's default.

    Attributes:
        name: see ``LossName``.
        label_smoothing: the share of each label that is spread over all classes, in [0, 1).
        class_weights: numbers by class, or "balanced": rows ÷ (classes × rows of the class), which gives every class
            the same say. The weighted loss is a mean over them, as PyTorch's.
        gamma: γ ≥ 0 of the focal loss; 2.
        delta: δ > 0 of Huber's; 1.
    """

    name: LossName | None = None
    label_smoothing: Share = 0.0
    class_weights: Annotated[list[float] | Literal["balanced"] | None, BeforeValidator(_class_weights)] = None
    gamma: Strength | None = None
    delta: Rate | None = None

    @model_validator(mode="after")
    def _only_its_own_arguments(self) -> Self:
        if self.name is not None:
            self.require_arguments_of(self.name)
        return self

    def require_arguments_of(self, loss: str) -> None:
        """Raise when an argument is given that would do nothing to a loss, the task's own or another."""
        for key, losses in LOSS_ARGUMENTS.items():
            if getattr(self, key) and loss not in losses:
                what = "a loss of your own" if loss == "custom" else loss
                raise ValueError(f"loss.{key} is for {' and '.join(losses)}; it would do nothing to {what}")
