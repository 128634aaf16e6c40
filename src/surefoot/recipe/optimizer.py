"""The ``[optimizer]`` section: which optimizer, its rate, its decay, its own arguments."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import model_validator

from surefoot.errors import nearest
from surefoot.recipe.section import Rate, Section, Share, Strength

__all__ = ["Optimizer", "OptimizerName", "takes"]

OptimizerName = Literal[
    "sgd", "adam", "adamw", "nadamw", "rmsprop", "adagrad", "schedule_free_sgd", "schedule_free_adamw", "prodigy"
]
"""The values of ``optimizer.name``."""

# What each optimizer takes beside its rate and its decay, with the defaults of PyTorch, schedulefree and prodigyopt.
# Two differ. Plain SGD is hardly ever what is wanted, so momentum is 0.9 and Nesterov's, as in Sutskever et al. 2013.
# Prodigy's safeguard is on, since a warmup stands in front of its schedule and its authors ask for it there, and so is
# the bias correction: without it small tasks blew up (measured: see docs/log.md, 2026-11-20).
_ADAM = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
_AVERAGE = {"average_power": 0.0, "rate_power": 2.0}
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.9, "nesterov": True},
    "adam": _ADAM,
    "adamw": _ADAM,
    "nadamw": _ADAM,
    "rmsprop": {"momentum": 0.0, "epsilon": 1e-8},
    "adagrad": {"epsilon": 1e-10},
    "schedule_free_sgd": {"momentum": 0.9, **_AVERAGE},
    "schedule_free_adamw": {**_ADAM, **_AVERAGE},
    "prodigy": {**_ADAM, "d_coefficient": 1.0, "bias_correction": True, "safeguard_warmup": True},
}
# A rate to start from when nothing was measured. SGD's is that of Goyal et al. 2017 (0.1 at batch 256) brought to
# batch 32 by their linear rule; the others are three times Adam's published default, which small networks stand.
# Schedule-Free SGD stands 10 to 50 times SGD's and Schedule-Free AdamW 1 to 10 times AdamW's, its authors say in their
# README: 20 and 3 here. Prodigy multiplies the rate that it finds by 1 (Mishchenko and Defazio 2023, arXiv:2306.06101).
_RATES = {
    "sgd": 0.0125,
    "adam": 3e-3,
    "adamw": 3e-3,
    "nadamw": 3e-3,
    "rmsprop": 1e-3,
    "adagrad": 1e-2,
    "schedule_free_sgd": 0.25,
    "schedule_free_adamw": 1e-2,
    "prodigy": 1.0,
}
_FOR_ALL = frozenset({"name", "learning_rate", "weight_decay", "max_gradient_norm"})
# Between these two the weights that are evaluated are found by dividing by β: it must not be 0.
_BETA_ABOVE_ZERO = {"schedule_free_sgd": "momentum", "schedule_free_adamw": "beta1"}


class Optimizer(Section):
    """Which optimizer, its learning rate, its weight decay and its own arguments.

    An argument that the optimizer does not have is refused; one that is left out is its library's default, but for
    SGD's momentum (0.9, Nesterov's) and Prodigy's two safeguards (on).

    Attributes:
        name: which.
        learning_rate: η > 0; left out, the optimizer's usual one.
        weight_decay: λ ≥ 0, decoupled for adamw, nadamw, prodigy and the two Schedule-Free ones, and in the gradient
            (½λ‖θ‖²) for the others, as in PyTorch. Biases and normalisation parameters do not decay unless a rule says
            so.
        max_gradient_norm: a longer gradient is scaled down to this Euclidean norm over all parameters, once a step.
        momentum: μ in [0, 1), of sgd, rmsprop and schedule_free_sgd.
        nesterov: of sgd.
        beta1: β₁ in [0, 1), of Adam's family; likewise ``beta2``.
        epsilon: ε > 0, beside √v̂.
        average_power: r of the Schedule-Free ones: how much later weights count in the average.
        rate_power: how much higher rates count in it.
        d_coefficient: of prodigy: multiplies the rate it estimates.
        bias_correction: of prodigy.
        safeguard_warmup: of prodigy: keeps a warmup out of its estimate.
    """

    name: OptimizerName = "adamw"
    learning_rate: Rate | None = None
    weight_decay: Strength = 0.0
    max_gradient_norm: Rate | None = None
    momentum: Share | None = None
    nesterov: bool | None = None
    beta1: Share | None = None
    beta2: Share | None = None
    epsilon: Rate | None = None
    average_power: Strength | None = None
    rate_power: Strength | None = None
    d_coefficient: Rate | None = None
    bias_correction: bool | None = None
    safeguard_warmup: bool | None = None

    @model_validator(mode="after")
    def _only_its_own_arguments(self) -> Self:
        known = _FOR_ALL | set(_ARGUMENTS[self.name])
        for key, value in self:
            if value is not None and key not in known:
                raise ValueError(f'optimizer.{key} is not used by "{self.name}"; {nearest(key, known)}')
        beta = _BETA_ABOVE_ZERO.get(self.name, "")
        if beta and getattr(self, beta) == 0:
            raise ValueError(f'optimizer.{beta} is 0; "{self.name}" needs it above 0, usually 0.9')
        return self

    def complete(self) -> Optimizer:
        """The same with every default written out."""
        given = self.model_dump(exclude_none=True)
        return Optimizer(**{"learning_rate": _RATES[self.name], **_ARGUMENTS[self.name], **given})

    @property
    def is_schedule_free(self) -> bool:
        """Whether it averages its weights instead of following a decaying rate."""
        return self.name.startswith("schedule_free")


def takes(optimizer: str, key: str) -> bool:
    """Whether an optimizer takes a recipe key; keys of other sections have nothing to do with it.

    >>> takes("sgd", "optimizer.momentum"), takes("adamw", "optimizer.momentum"), takes("adamw", "batch.size")
    (True, False, True)
    """
    section, _, name = key.partition(".")
    return section != "optimizer" or name in _FOR_ALL or name in _ARGUMENTS[optimizer]
