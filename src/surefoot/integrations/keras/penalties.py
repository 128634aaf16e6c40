"""Penalties of a Keras model in our one convention, J = J₁ + λ₁‖θ‖₁ + ½λ₂‖θ‖², and back.

Keras's ``l2(λ)`` adds λ‖θ‖², whose gradient is 2λθ: it is our λ₂ = 2λ, and what PyTorch calls a weight_decay of 2λ.
Keras's ``l1(λ)`` is our λ₁. A regularizer stands in the loss, so Adam divides it by √v like any gradient; the
``weight_decay`` of a Keras optimizer is decoupled, θ ← (1 − ηλ)θ, for every optimizer, also where PyTorch has it in the
gradient. The three are kept apart here, and so is the difference to the ones of ``surefoot.integrations.keras``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import keras

from surefoot.errors import RequestError
from surefoot.integrations.keras.moving import movable, optimizer_section
from surefoot.integrations.keras.optimizers import PyTorchOptimizer
from surefoot.recipe import Recipe, Regularization

__all__ = ["Penalty", "penalties_of", "recipe_terms", "regularize"]


@dataclass(frozen=True)
class Penalty:
    """What a regularizer adds to the loss, in our convention.

    Attributes:
        parameter: the path of the variable, such as "dense/kernel".
        l1: λ₁ of λ₁‖θ‖₁.
        l2: λ₂ of ½λ₂‖θ‖².
    """

    parameter: str
    l1: float = 0.0
    l2: float = 0.0


def penalties_of(model: Any) -> list[Penalty]:
    """What the regularizers of a built model's layers are, variable by variable.

    Raises:
        RequestError: one of them is neither L1 nor L2, or penalises outputs instead of weights, in one line.

    >>> layer = keras.layers.Dense(1, kernel_regularizer=keras.regularizers.L1L2(l1=0.01, l2=0.1), name="last")
    >>> [(found.l1, found.l2) for found in penalties_of(keras.Sequential([keras.Input((2,)), layer]))]
    [(0.01, 0.2)]
    """
    found = []
    for layer in _leaves(model):
        if getattr(layer, "activity_regularizer", None) is not None:
            raise RequestError(
                f"{layer.name} has an activity_regularizer, a penalty on outputs, which no recipe has: leave it in the "
                "model"
            )
        for variable in layer._trainable_variables:
            if variable.regularizer is not None:
                l1, l2 = _strengths(variable.regularizer, variable.path)
                found.append(Penalty(variable.path, l1, 2.0 * l2))
    return [penalty for penalty in found if penalty.l1 or penalty.l2]


def recipe_terms(model: Any) -> dict[str, Any]:
    """The sections of a recipe that say what a compiled model is penalised by.

    ``optimizer.weight_decay`` is what its optimizer decays by: decoupled for Adam's family, in the gradient for the
    others. ``regularization.groups`` has a rule for each strength that regularizers have; its patterns are paths of
    variables.

    Raises:
        RequestError: something has no counterpart in a recipe: another regularizer, or a decay that Keras decouples
            where a recipe has it in the gradient.
    """
    groups: dict[tuple[float, float], list[str]] = {}
    for penalty in penalties_of(model):
        groups.setdefault((penalty.l1, penalty.l2), []).append(penalty.parameter)
    rules = [
        {"parameters": paths, **{key: value for key, value in (("l1", l1), ("l2", l2)) if value}}
        for (l1, l2), paths in groups.items()
    ]
    terms: dict[str, Any] = {"regularization": {"groups": rules}} if rules else {}
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return terms
    inner = movable(optimizer)
    section = optimizer_section(inner)
    if not section.get("weight_decay"):
        return terms
    is_decoupled = not isinstance(inner, PyTorchOptimizer) or inner.is_decoupled
    wanted = _decoupled_name(section["name"]) if is_decoupled else section["name"]
    if wanted is None:
        kind = type(inner).__name__
        raise RequestError(
            f"weight_decay of keras.optimizers.{kind} is decoupled, and a recipe has it in the gradient for "
            f'"{section["name"]}": take surefoot.integrations.keras.{kind}, or AdamW'
        )
    return {"optimizer": {"name": wanted, "weight_decay": section["weight_decay"]}, **terms}


def regularize(model: Any, recipe: Recipe) -> Any:
    """Write a recipe's penalties onto a built model's variables; those that are there are replaced.

    As in PyTorch's door biases and the parameters of normalisation stay free unless a rule names them. Call it before
    ``compile``; ``optimizer.weight_decay`` belongs to the optimizer and is not touched. Saved models keep a layer's
    regularizers only where they were given to the layer: call it again after loading.

    Args:
        model: built, so that it has variables.
        recipe: whose ``regularization`` section is written; patterns are over the variables' paths.

    Returns:
        The model itself.

    Raises:
        RequestError: the recipe has what a regularizer cannot do, or a pattern matches no variable.
    """
    given = recipe.regularization
    _require_gradients(given)
    variables = list(model.trainable_variables)
    if not variables:
        raise RequestError("the model has no variables yet: build it, or give it a keras.Input")
    free = _free(model)
    unmatched = [text for rule in given.groups for text in rule.parameters]
    for variable in variables:
        rule = next(
            (one for one in given.groups if any(fnmatchcase(variable.path, text) for text in one.parameters)), None
        )
        default = (0.0, 0.0) if id(variable) in free else (given.l1, given.l2)
        l1 = default[0] if rule is None or rule.l1 is None else rule.l1
        l2 = default[1] if rule is None or rule.l2 is None else rule.l2
        variable.regularizer = keras.regularizers.L1L2(l1=l1, l2=0.5 * l2) if l1 or l2 else None
        unmatched = [text for text in unmatched if not fnmatchcase(variable.path, text)]
    if unmatched:
        paths = ", ".join(variable.path for variable in variables[:6])
        raise RequestError(f'regularization.groups: "{unmatched[0]}" matches no variable; there are {paths}, ...')
    return model


def _strengths(regularizer: Any, path: str) -> tuple[float, float]:
    """λ of Keras's L1 and of its L2."""
    if type(regularizer) in (keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2):
        return float(getattr(regularizer, "l1", 0.0) or 0.0), float(getattr(regularizer, "l2", 0.0) or 0.0)
    raise RequestError(
        f"{path} has the regularizer {type(regularizer).__name__}, which is neither L1 nor L2: no recipe has it"
    )


def _decoupled_name(name: str) -> str | None:
    return {"adam": "adamw", "adamw": "adamw", "nadamw": "nadamw"}.get(name)


def _require_gradients(given: Regularization) -> None:
    if given.l1_method == "proximal" and (given.l1 or any(rule.l1 for rule in given.groups)):
        raise RequestError(
            'regularization.l1_method is "proximal", a step after the optimizer\'s; a regularizer is a term of the '
            'loss: take "gradient", whose weights are small but not exactly 0'
        )
    for index, rule in enumerate(given.groups):
        for key in ("weight_decay", "learning_rate_multiplier"):
            if getattr(rule, key) is not None:
                raise RequestError(
                    f"regularization.groups[{index}].{key} belongs to the optimizer, and a regularizer cannot do it: "
                    "leave it out"
                )


def _free(model: Any) -> set[int]:
    """The variables that no penalty holds unless a rule names them: biases, and what normalises."""
    found = set()
    for layer in _leaves(model):
        normalises = "Normalization" in type(layer).__name__
        for variable in layer._trainable_variables:
            if normalises or variable.name.endswith("bias"):
                found.add(id(variable))
    return found


def _leaves(model: Any) -> Iterator[Any]:
    """Every layer once, however deep."""
    return iter(model._flatten_layers(include_self=False))
