"""What a model was compiled with: its loss by our name, and how that reduces a batch."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import keras

from surefoot.errors import TaskError

__all__ = ["CompiledLoss", "loss_of", "measured_by_keras", "require_compiled"]

# Keras's losses that mean the same as one of ours does; any other is trained with as it is, and called "custom".
_NAMES = {
    "sparsecategoricalcrossentropy": "cross_entropy",
    "categoricalcrossentropy": "cross_entropy",
    "binarycrossentropy": "binary_cross_entropy",
    "meansquarederror": "mean_squared_error",
    "mse": "mean_squared_error",
    "meanabsoluteerror": "mean_absolute",
    "mae": "mean_absolute",
    "huber": "huber",
}


@dataclass(frozen=True)
class CompiledLoss:
    """A model's loss.

    Attributes:
        name: as a recipe would call it, or "custom".
        reduction: as Keras names it.
        from_logits: it takes scores, not probabilities.
        is_sparse: its labels are class numbers.
    """

    name: str = "custom"
    reduction: str = "sum_over_batch_size"
    from_logits: bool = False
    is_sparse: bool = False

    @property
    def is_sum(self) -> bool:
        """Whether it is a sum over the rows of a batch, not a mean."""
        return self.reduction == "sum"

    @property
    def is_weighted_mean(self) -> bool:
        """Whether it is a mean over the weights of the rows, not over their number."""
        return self.reduction == "mean_with_sample_weight"


def loss_of(model: Any) -> CompiledLoss:
    """The loss that a model was compiled with.

    Raises:
        TaskError: it gives no single number for a batch.
    """
    given = model.loss
    if isinstance(given, dict | list | tuple):
        losses = [keras.losses.get(one) for one in keras.tree.flatten(given) if one is not None]
        reductions = {_reduction(one) for one in losses}
        if len(reductions) > 1:
            raise TaskError(
                f"the model's losses reduce in {len(reductions)} ways ({', '.join(sorted(reductions))}): take one"
            )
        return CompiledLoss(reduction=reductions.pop() if reductions else "sum_over_batch_size")
    loss = keras.losses.get(given) if isinstance(given, str) else given
    if loss is None:
        return CompiledLoss()  # a model that adds losses of its own
    kind = type(loss).__name__ if isinstance(loss, keras.losses.Loss) else getattr(loss, "__name__", "")
    config = loss.get_config() if isinstance(loss, keras.losses.Loss) and kind in dir(keras.losses) else {}
    plain = kind.replace("_", "").lower()
    module = getattr(type(loss) if config else loss, "__module__", "")
    name = _NAMES.get(plain, "custom") if module.startswith("keras.") else "custom"
    return CompiledLoss(name, _reduction(loss), bool(config.get("from_logits")), plain.startswith("sparse"))


def _reduction(loss: Any) -> str:
    found = getattr(loss, "reduction", "sum_over_batch_size")
    if found in {None, "none"}:
        raise TaskError('the model\'s loss has reduction "none"; take "sum_over_batch_size": a batch needs one number')
    return "sum_over_batch_size" if found == "mean" else str(found)


def require_compiled(model: Any) -> None:
    """Raise unless a model can be trained step by step from what its builder compiled.

    Raises:
        TaskError: it is none of Keras's, not compiled, or has a training step or a precision of its own.
    """
    if not isinstance(model, keras.Model):
        raise TaskError(f"the model builder must return a keras.Model, not {type(model).__name__}")
    if not getattr(model, "compiled", False):
        raise TaskError("the model builder must compile its model: model.compile(optimizer, loss)")
    own = inspect.getmodule(type(model).train_step)
    if own is not None and not own.__name__.startswith("keras."):
        raise TaskError(
            f"{type(model).__name__} has a train_step of its own, which cannot be steered step by step: put its loss "
            "into compute_loss, or train it by model.fit with the callbacks of this door"
        )
    if any(layer.compute_dtype == "float16" for layer in model._flatten_layers()):
        raise TaskError("the model computes in float16, which needs a loss scale: take the policy mixed_bfloat16")


def measured_by_keras(output: Any, target: Any) -> Any:
    """Stands for a metric that a model is compiled with, where a task asks for a function."""
    del output, target
    raise AssertionError("the model is compiled with its metrics")
