"""From a model's optimizer to a recipe, and which keys of a recipe this door follows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from surefoot.errors import RecipeError, TaskError
from surefoot.integrations.keras.optimizers import PyTorchOptimizer
from surefoot.recipe import Recipe

__all__ = ["OPTIMIZERS", "optimizer_section", "require_followed"]

# The recipe's names that this door trains with.
OPTIMIZERS = ("sgd", "adam", "adamw", "nadamw", "rmsprop", "adagrad")

# Settings of Keras's optimizers that have no key in a recipe.
_NOT_IN_A_RECIPE = ("clipnorm", "clipvalue", "use_ema", "gradient_accumulation_steps", "amsgrad", "centered")
# Those of our own optimizers for Keras, by what a recipe calls them; the memory of RMSprop has no key.
_OURS = {"momentum": "momentum", "nesterov": "nesterov", "beta_1": "beta1", "beta_2": "beta2", "epsilon": "epsilon"}
_RHO = 0.99
# What a recipe may say here, section by section; of the others nothing but their defaults.
_FOLLOWED: dict[str, frozenset[str]] = {
    "optimizer": frozenset(),
    "schedule": frozenset(),
    "batch": frozenset(),
    "stopping": frozenset(),
    "model": frozenset(),
    "data": frozenset({"balance", "standardize", "missing"}),
    "regularization": frozenset({"l1", "l2"}),
}
_INSTEAD = {
    "loss": "the loss is the one that the model was compiled with",
    "initialization": "the layers of the model draw their own weights",
    "precision": "the precision is the model's own: keras.config.set_dtype_policy",
    "data": "put such layers into the model",
    "regularization": "give the layers regularizers of their own",
    "network": "it is for PyTorch models",
    "hardware": "Keras places the model itself",
}


def optimizer_section(optimizer: Any) -> tuple[dict[str, Any], str]:
    """A recipe's optimizer section for what a Keras optimizer is set to, and what of it cannot be said in one.

    Keras's ``weight_decay`` is decoupled for every optimizer. SGD's becomes the one in the gradient that decays as much
    in the long run: λ(1 − μ). Of a schedule object the rate that it begins with is taken.

    Returns:
        The section, and "" or why the optimizer is another one than the section says.

    >>> import keras
    >>> optimizer_section(keras.optimizers.Adam(1e-3))[0]["name"]
    'adam'
    """
    config, kind = optimizer.get_config(), type(optimizer).__name__
    section: dict[str, Any] = {}
    decay = config.get("weight_decay") or 0.0
    unlike = [name for name in _NOT_IN_A_RECIPE if config.get(name)]
    if isinstance(optimizer, PyTorchOptimizer):
        section = {"name": kind.lower(), **{own: config[name] for name, own in _OURS.items() if name in config}}
        unlike += ["rho"] if config.get("rho", _RHO) != _RHO else []
    elif kind == "SGD":
        momentum = float(config["momentum"])
        section = {"name": "sgd", "momentum": momentum, "nesterov": bool(config["nesterov"])}
        decay *= 1.0 - momentum
    elif kind in {"Adam", "AdamW"}:
        betas = {
            "beta1": float(config["beta_1"]),
            "beta2": float(config["beta_2"]),
            "epsilon": float(config["epsilon"]),
        }
        section = {"name": "adamw" if kind == "AdamW" or decay else "adam", **betas}
    else:
        return {}, f"{kind} is not one that a recipe describes"
    if unlike:
        return {}, f"{kind} with {' and '.join(unlike)} is not one that a recipe describes"
    rate = config.get("learning_rate")
    if isinstance(rate, dict):  # a schedule
        rate = rate.get("config", {}).get("initial_learning_rate")
    if isinstance(rate, int | float) and math.isfinite(rate) and rate > 0:
        section["learning_rate"] = float(str(np.float32(rate)))  # Keras keeps 0.01 as 0.009999999776
    if decay:
        section["weight_decay"] = float(f"{decay:.6g}")
    if config.get("global_clipnorm"):
        section["max_gradient_norm"] = float(config["global_clipnorm"])
    return section, ""


def require_followed(recipe: Recipe, num_rows: int) -> None:
    """Raise where a recipe asks for what this door does not do, naming the key.

    Raises:
        RecipeError: it does.
        TaskError: the batch is larger than the data.
    """
    if recipe.optimizer.name not in OPTIMIZERS:
        raise RecipeError(
            f'optimizer.name is "{recipe.optimizer.name}", which is for PyTorch; Keras models train with '
            f"{', '.join(OPTIMIZERS)}"
        )
    size = recipe.batch.size or 1
    if size > num_rows:
        raise TaskError(f"batch.size is {size}, but there are {num_rows} training rows; ask for at most those")
    complete, usual = (one.complete(num_rows).model_dump() for one in (recipe, Recipe()))
    for section, values in complete.items():
        known = _FOLLOWED.get(section)
        if known is not None and not known:
            continue
        for key, value in values.items():
            if key not in (known or ()) and value != usual[section].get(key):
                raise RecipeError(f"{section}.{key} is not for Keras models: {_INSTEAD[section]}")
