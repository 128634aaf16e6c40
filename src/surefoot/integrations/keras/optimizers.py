"""Optimizers for Keras with PyTorch's formulas, whose settings can be moved between two steps.

Keras's own differ in four places. Its momentum adds up steps, rate included, so that a lower rate acts only once the
old steps are forgotten; its Adam has ε inside the bias correction; its RMSprop and Adagrad have ε under the root; its
``weight_decay`` is decoupled for every optimizer. Take these wherever the rate moves while there is momentum, wherever
momentum, β or decay move (Keras compiles those in as constants), and where results should equal PyTorch's.
"""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from surefoot.integrations.keras.knobs import Knob, as_rate

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "NAdamW", "PyTorchOptimizer", "RMSprop"]

_registered: Callable[..., Any] = keras.saving.register_keras_serializable(package="surefoot")


class PyTorchOptimizer(keras.optimizers.Optimizer):  # type: ignore[misc] # Keras has no types
    """What these optimizers share: decay where PyTorch has it, then a step against a direction.

    Not for use by itself. Everything decays, biases too, as in PyTorch, unless ``exclude_from_weight_decay`` of Keras
    names it before the first step. What was moved is saved with a model and comes back with it.

    Args:
        learning_rate: η ≥ 0, a Keras schedule, or a callable without arguments.
        settings: of the subclass: the values of its knobs, ``weight_decay`` among them.
        fixed: of the subclass: what its constructor takes beside.
        keras_arguments: ``name``, ``global_clipnorm``, ``gradient_accumulation_steps`` and what else every optimizer of
            Keras takes.
    """

    weight_decay = Knob("weight_decay", needs_start=True)
    is_decoupled = False
    memories: tuple[str, ...] = ()

    def __init__(
        self,
        learning_rate: Any,
        *,
        settings: dict[str, float],
        fixed: dict[str, Any] | None = None,
        keras_arguments: dict[str, Any],
    ) -> None:
        notes = keras_arguments.pop("notes", None) or {}
        super().__init__(learning_rate=as_rate(learning_rate), **keras_arguments)
        self._given = {**settings, **(fixed or {})}
        self._notes = json.dumps(notes)  # a text, since Keras wraps a table into one of its own
        for name, value in settings.items():
            setattr(self, name, value)

    def build(self, variables: list[Any]) -> None:
        """Make the memories, of zeros."""
        if self.built:
            return
        super().build(variables)
        self._memories = {name: self.add_optimizer_variables(variables, name) for name in self.memories}

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Decay, and a step of ``learning_rate`` against the direction."""
        gradient = ops.cast(ops.convert_to_tensor(gradient), variable.dtype)
        rate = ops.cast(learning_rate, variable.dtype)
        if Knob.has_variable(self, "weight_decay") and self._use_weight_decay(variable):
            decay = ops.cast(self.weight_decay, variable.dtype)
            if self.is_decoupled:
                self.assign_sub(variable, rate * decay * variable)
            else:
                gradient = gradient + decay * variable
        self.assign_sub(variable, rate * self.direction(gradient, variable))

    @abstractmethod
    def direction(self, gradient: Any, variable: Any) -> Any:
        """What a step of rate 1 takes away; the memories are brought up to date."""

    def memory(self, name: str, variable: Any) -> Any:
        """What is remembered of a variable."""
        return self._memories[name][self._get_variable_index(variable)]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; settings that were moved since are among the variables."""
        return {**super().get_config(), **self._given, "notes": self.notes}

    @property
    def notes(self) -> dict[str, Any]:
        """What callbacks keep in the optimizer, plain values by name: it is saved with the model."""
        found: dict[str, Any] = json.loads(self._notes)
        return found

    def note(self, name: str, value: Any) -> None:
        """Keep something beside what is kept."""
        self._notes = json.dumps({**self.notes, name: value})

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        """Nothing: Keras's own decay, decoupled for all, would come on top of the one in ``update_step``."""


@_registered
class SGD(PyTorchOptimizer):
    """``torch.optim.SGD``: v ← μv + g, θ ← θ − ηv, and with Nesterov θ ← θ − η(g + μv).

    Keras has v ← μv − ηg. The two are the same while η stands still; where η falls by ten, Keras still takes steps of
    the old rate, together μ/(1−μ) of them (nine at 0.9).

    Args:
        learning_rate: η ≥ 0, a Keras schedule, or a callable without arguments.
        momentum: μ in [0, 1). Made with 0 it keeps no velocity, and the momentum stays 0.
        nesterov: look ahead.
        weight_decay: λ ≥ 0, in the gradient: ½λ‖θ‖², Keras's ``l2(λ/2)``.
        **keras_arguments: ``name``, ``global_clipnorm`` and what else every optimizer of Keras takes.

    >>> optimizer = SGD(0.1, momentum=0.9)
    >>> optimizer.momentum = 0.5
    >>> float(optimizer.momentum)
    0.5
    """

    momentum = Knob("momentum", below=1.0, needs_start=True)
    memories: tuple[str, ...] = ("velocity",)

    def __init__(
        self,
        learning_rate: Any = 0.01,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        **keras_arguments: Any,
    ) -> None:
        settings = {"momentum": momentum, "weight_decay": weight_decay}
        super().__init__(
            learning_rate, settings=settings, fixed={"nesterov": nesterov}, keras_arguments=keras_arguments
        )
        self.nesterov = nesterov
        if not Knob.has_variable(self, "momentum"):
            self.memories = ()

    def direction(self, gradient: Any, variable: Any) -> Any:
        """The velocity, or the gradient where there is none."""
        if not self.memories:
            return gradient
        velocity, momentum = self.memory("velocity", variable), ops.cast(self.momentum, variable.dtype)
        self.assign(velocity, momentum * velocity + gradient)
        return gradient + momentum * velocity if self.nesterov else velocity


@_registered
class Adam(PyTorchOptimizer):
    """``torch.optim.Adam``: θ ← θ − η m̂/(√v̂ + ε), decay in the gradient.

    Keras has ε beside √v instead of √v̂: at step t that is an ε larger by 1/√(1 − β₂ᵗ), 32 times at the first.

    Args:
        learning_rate: η ≥ 0, a Keras schedule, or a callable without arguments.
        beta_1: β₁ in [0, 1).
        beta_2: β₂ in [0, 1).
        epsilon: ε ≥ 0.
        weight_decay: λ ≥ 0, in the gradient (½λ‖θ‖²), which Adam divides by √v̂ with the rest; ``AdamW`` does not.
        **keras_arguments: ``name``, ``global_clipnorm`` and what else every optimizer of Keras takes.

    >>> Adam(0.003).get_config()["epsilon"]
    1e-08
    """

    beta_1 = Knob("beta_1", below=1.0)
    beta_2 = Knob("beta_2", below=1.0)
    epsilon = Knob("epsilon")
    memories: tuple[str, ...] = ("mean", "square")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        **keras_arguments: Any,
    ) -> None:
        settings = {"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon, "weight_decay": weight_decay}
        super().__init__(learning_rate, settings=settings, keras_arguments=keras_arguments)

    def direction(self, gradient: Any, variable: Any) -> Any:
        """m̂/(√v̂ + ε)."""
        mean, scale = self._moments(gradient, variable)
        correction = 1.0 - ops.cast(self.beta_1, variable.dtype) ** self._step(variable)
        return mean / correction / scale

    def _step(self, variable: Any) -> Any:
        """Number of this step, from 1."""
        return ops.cast(self.iterations + 1, variable.dtype)

    def _moments(self, gradient: Any, variable: Any) -> tuple[Any, Any]:
        """m, and √v̂ + ε."""
        beta1, beta2 = ops.cast(self.beta_1, variable.dtype), ops.cast(self.beta_2, variable.dtype)
        mean, square = self.memory("mean", variable), self.memory("square", variable)
        self.assign(mean, beta1 * mean + (1.0 - beta1) * gradient)
        self.assign(square, beta2 * square + (1.0 - beta2) * gradient * gradient)
        root = ops.sqrt(square / (1.0 - beta2 ** self._step(variable)))
        return mean, root + ops.cast(self.epsilon, variable.dtype)


@_registered
class AdamW(Adam):
    """``torch.optim.AdamW``: Adam with the decay beside the gradient, θ ← (1 − ηλ)θ before the step.

    Its arguments are those of ``Adam``.

    >>> AdamW(0.003, weight_decay=0.01).is_decoupled
    True
    """

    is_decoupled = True


@_registered
class NAdamW(Adam):
    """``torch.optim.NAdam`` with decoupled decay: Adam with Nesterov's look ahead.

    μ_t = β₁(1 − ½·0.96^{0.004 t}) takes β₁'s place, as in Dozat 2016. Its arguments are those of ``Adam``.

    >>> NAdamW(0.003).is_decoupled
    True
    """

    is_decoupled = True

    def build(self, variables: list[Any]) -> None:
        """Make the memories, and a product of all μ so far for each variable."""
        if self.built:
            return
        super().build(variables)
        self._products = [self.add_variable((), "ones", dtype=one.dtype, name="product") for one in variables]

    def direction(self, gradient: Any, variable: Any) -> Any:
        """m̂ with the gradient that comes next, over √v̂ + ε."""
        mean, scale = self._moments(gradient, variable)
        now, ahead = self._mu(variable, 0.0), self._mu(variable, 1.0)
        product = self._products[self._get_variable_index(variable)]
        self.assign(product, product * now)
        return ((1.0 - now) * gradient / (1.0 - product) + ahead * mean / (1.0 - product * ahead)) / scale

    def _mu(self, variable: Any, ahead: float) -> Any:
        faded = ops.exp((self._step(variable) + ahead) * (0.004 * math.log(0.96)))
        return ops.cast(self.beta_1, variable.dtype) * (1.0 - 0.5 * faded)


@_registered
class RMSprop(PyTorchOptimizer):
    """``torch.optim.RMSprop``: d = g/(√v + ε), with momentum b ← μb + d, θ ← θ − ηb.

    Keras has ε under the root, and the rate inside b.

    Args:
        learning_rate: η ≥ 0, a Keras schedule, or a callable without arguments.
        rho: the memory of v in [0, 1); PyTorch calls it alpha.
        momentum: μ in [0, 1). Made with 0 it keeps no velocity, and the momentum stays 0.
        epsilon: ε ≥ 0.
        weight_decay: λ ≥ 0, in the gradient: ½λ‖θ‖².
        **keras_arguments: ``name``, ``global_clipnorm`` and what else every optimizer of Keras takes.
    """

    rho = Knob("rho", below=1.0)
    momentum = Knob("momentum", below=1.0, needs_start=True)
    epsilon = Knob("epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.01,
        *,
        rho: float = 0.99,
        momentum: float = 0.0,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        **keras_arguments: Any,
    ) -> None:
        settings = {"rho": rho, "momentum": momentum, "epsilon": epsilon, "weight_decay": weight_decay}
        super().__init__(learning_rate, settings=settings, keras_arguments=keras_arguments)
        self.memories = ("square", "velocity") if Knob.has_variable(self, "momentum") else ("square",)

    def direction(self, gradient: Any, variable: Any) -> Any:
        """g/(√v + ε), or the velocity of it."""
        square, rho = self.memory("square", variable), ops.cast(self.rho, variable.dtype)
        self.assign(square, rho * square + (1.0 - rho) * gradient * gradient)
        scaled = gradient / (ops.sqrt(square) + ops.cast(self.epsilon, variable.dtype))
        if "velocity" not in self.memories:
            return scaled
        velocity = self.memory("velocity", variable)
        self.assign(velocity, ops.cast(self.momentum, variable.dtype) * velocity + scaled)
        return velocity


@_registered
class Adagrad(PyTorchOptimizer):
    """``torch.optim.Adagrad``: θ ← θ − η g/(√Σg² + ε).

    Keras begins the sum at 0.1 and has ε under the root.

    Args:
        learning_rate: η ≥ 0, a Keras schedule, or a callable without arguments.
        epsilon: ε ≥ 0.
        weight_decay: λ ≥ 0, in the gradient: ½λ‖θ‖².
        **keras_arguments: ``name``, ``global_clipnorm`` and what else every optimizer of Keras takes.
    """

    epsilon = Knob("epsilon")
    memories = ("total",)

    def __init__(
        self,
        learning_rate: Any = 0.01,
        *,
        epsilon: float = 1e-10,
        weight_decay: float = 0.0,
        **keras_arguments: Any,
    ) -> None:
        settings = {"epsilon": epsilon, "weight_decay": weight_decay}
        super().__init__(learning_rate, settings=settings, keras_arguments=keras_arguments)

    def direction(self, gradient: Any, variable: Any) -> Any:
        """g/(√Σg² + ε)."""
        total = self.memory("total", variable)
        self.assign(total, total + gradient * gradient)
        return gradient / (ops.sqrt(total) + ops.cast(self.epsilon, variable.dtype))
