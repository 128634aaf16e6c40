"""The settings of an optimizer that a user made: read as a recipe's section, moved for a step."""

from __future__ import annotations

from typing import Any

import keras

from surefoot import batching
from surefoot.errors import RequestError
from surefoot.integrations.keras.knobs import Knob
from surefoot.integrations.keras.optimizers import SGD, Adagrad, Adam, AdamW, NAdamW, PyTorchOptimizer, RMSprop
from surefoot.recipe import Optimizer, Recipe
from surefoot.steering import Settings

__all__ = ["current_rate", "movable", "move", "optimizer_section", "require_movable"]

# Exact classes: a subclass may do anything.
_NAMES: dict[type[Any], str] = {
    SGD: "sgd",
    Adam: "adam",
    AdamW: "adamw",
    NAdamW: "nadamw",
    RMSprop: "rmsprop",
    Adagrad: "adagrad",
    keras.optimizers.SGD: "sgd",
    keras.optimizers.Adam: "adam",
    keras.optimizers.AdamW: "adamw",
    keras.optimizers.Nadam: "nadamw",
    keras.optimizers.RMSprop: "rmsprop",
    keras.optimizers.Adagrad: "adagrad",
}
# What a recipe calls it, and what Keras does.
_KNOBS = {
    "weight_decay": "weight_decay",
    "beta1": "beta_1",
    "beta2": "beta_2",
    "epsilon": "epsilon",
    "momentum": "momentum",
}


def movable(optimizer: Any) -> Any:
    """The optimizer whose settings are moved: one that scales losses keeps it inside.

    Raises:
        RequestError: it is none of Keras, or its rate is a schedule.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if not isinstance(inner, keras.optimizers.Optimizer):
        raise RequestError(f"optimizer must be one of Keras, such as model.optimizer, not {type(optimizer).__name__}")
    if not hasattr(inner._learning_rate, "assign"):
        raise RequestError("the optimizer's learning_rate is a schedule: give it a number, which can be multiplied")
    return inner


def current_rate(optimizer: Any) -> float:
    """The rate that an optimizer is set to."""
    return _read(optimizer.learning_rate)


def optimizer_section(optimizer: Any) -> dict[str, Any]:
    """A recipe's optimizer section for what an optimizer is set to: what a coupling starts from.

    One that recipes do not know counts as adam where it has betas and as sgd otherwise.

    Raises:
        RequestError: its rate is not above 0.
    """
    # for its PyTorch backend Keras makes a subclass of the same name
    kinds = [kind for kind in type(optimizer).__mro__ if kind in _NAMES and kind.__name__ == type(optimizer).__name__]
    name = _NAMES[kinds[0]] if kinds else ("adam" if hasattr(optimizer, "beta_1") else "sgd")
    rate = current_rate(optimizer)
    if not rate > 0:
        raise RequestError(f"the optimizer's learning rate is {rate!r}; it must be above 0: the schedule scales it")
    section: dict[str, Any] = {"name": name, "learning_rate": rate}
    wanted = {"weight_decay", *_arguments(name)}
    return section | {key: _value(optimizer, _KNOBS[key]) for key in wanted if hasattr(optimizer, _KNOBS[key])}


def require_movable(optimizer: Any, recipe: Recipe) -> None:
    """Raise where the recipe's coupling moves more than the rate of an optimizer that compiles the rest in.

    Raises:
        RequestError: it does.
    """
    if isinstance(optimizer, PyTorchOptimizer) or batching.is_constant(recipe.batch.policy):
        return
    given, rule = recipe.optimizer, recipe.batch.rule(recipe.optimizer.name)
    assert given.learning_rate is not None, "a complete recipe"
    knobs = batching.Knobs(given.learning_rate, given.weight_decay, given.beta1, given.beta2, given.epsilon)
    noise = {"noise_scale": 1000.0} if rule == "adascale" else {}
    _, moved = batching.couple(knobs, optimizer=given.name, batch_size=1, new_batch_size=2, coupling=rule, **noise)
    names = [one.name for one in moved if one.name != "learning_rate"]
    if names:
        raise RequestError(f'coupling "{rule}" moves {", ".join(names)}: {_advice(optimizer, "; or coupling=")}')


def move(optimizer: Any, settings: Settings, reference: Optimizer) -> None:
    """Set an optimizer for the next step.

    Args:
        optimizer: as ``movable`` gives it.
        settings: of the step.
        reference: what the optimizer was made with.

    Raises:
        RequestError: a setting has to move that the optimizer compiles in as a constant.
    """
    optimizer.learning_rate = settings.learning_rate
    for key, name in _KNOBS.items():
        value = getattr(settings, key)
        if value is None or not hasattr(optimizer, name):
            continue
        if Knob.has_variable(optimizer, name):
            setattr(optimizer, name, value)
        elif value != getattr(reference, key) and not isinstance(optimizer, PyTorchOptimizer):
            raise RequestError(f"{name} should move to {value:.4g}: {_advice(optimizer)}")


def _advice(optimizer: Any, otherwise: str = "") -> str:
    kind = type(optimizer).__name__
    other = f'{otherwise}"none"' if otherwise else ""
    return f"keras.optimizers.{kind} compiles it in as a constant; take surefoot.integrations.keras.{kind}{other}"


def _arguments(name: str) -> tuple[str, ...]:
    if name in {"sgd", "rmsprop"}:
        return ("momentum",) if name == "sgd" else ("momentum", "epsilon")
    return ("epsilon",) if name == "adagrad" else ("beta1", "beta2", "epsilon")


def _value(optimizer: Any, name: str) -> float:
    value = getattr(optimizer, name)
    if value is None:
        return 0.0
    return _read(value) if hasattr(value, "assign") else float(value)


def _read(variable: Any) -> float:
    """A variable's value, as it was written: float32 keeps 0.02 as 0.0199999996."""
    return float(str(keras.ops.convert_to_numpy(variable.value)))
