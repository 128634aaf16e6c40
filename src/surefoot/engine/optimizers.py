"""PyTorch's optimizers from a recipe, and the one place that writes a learning rate into them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn, optim

from surefoot.engine.penalties import penalised, unpenalised
from surefoot.recipe import Optimizer
from surefoot.steering import Settings

__all__ = ["build", "set_knobs", "set_learning_rate"]


def _adam_arguments(settings: Optimizer) -> dict[str, Any]:
    return {"betas": (settings.beta1, settings.beta2), "eps": settings.epsilon}


def _sgd(groups: list[dict[str, Any]], settings: Optimizer, fused: bool) -> optim.Optimizer:
    nesterov = bool(settings.nesterov and settings.momentum)
    return optim.SGD(groups, lr=0.0, momentum=settings.momentum or 0.0, nesterov=nesterov, fused=fused)


_BUILDERS: dict[str, Callable[[list[dict[str, Any]], Optimizer, bool], optim.Optimizer]] = {
    "sgd": _sgd,
    "adam": lambda groups, settings, fused: optim.Adam(groups, lr=0.0, fused=fused, **_adam_arguments(settings)),
    "adamw": lambda groups, settings, fused: optim.AdamW(groups, lr=0.0, fused=fused, **_adam_arguments(settings)),
    "nadamw": lambda groups, settings, _: optim.NAdam(
        groups, lr=0.0, decoupled_weight_decay=True, **_adam_arguments(settings)
    ),
    "rmsprop": lambda groups, settings, _: optim.RMSprop(
        groups, lr=0.0, momentum=settings.momentum or 0.0, eps=settings.epsilon or 0.0
    ),
    "adagrad": lambda groups, settings, _: optim.Adagrad(groups, lr=0.0, eps=settings.epsilon or 0.0),
}


def build(model: nn.Module, settings: Optimizer) -> optim.Optimizer:
    """The optimizer that complete ``settings`` describe; its rate is set before every step."""
    groups = [
        {"params": penalised(model), "weight_decay": settings.weight_decay},
        {"params": unpenalised(model), "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return _BUILDERS[settings.name](groups, settings, _can_fuse(model))


def _can_fuse(model: nn.Module) -> bool:
    """Whether PyTorch's single-kernel step applies: dense real gradients, on CPU or CUDA."""
    return not any(getattr(module, "sparse", False) for module in model.modules()) and all(
        torch.is_floating_point(parameter) and parameter.device.type in {"cpu", "cuda"}
        for parameter in model.parameters()
    )


def set_learning_rate(optimizer: optim.Optimizer, learning_rate: float) -> None:
    """Write the rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def set_knobs(optimizer: optim.Optimizer, settings: Settings) -> None:
    """Write everything that moves for the next step; None leaves a value as it is."""
    for group in optimizer.param_groups:
        group["lr"] = settings.learning_rate
        if settings.weight_decay is not None and group["weight_decay"]:
            group["weight_decay"] = settings.weight_decay
        if settings.momentum is not None and "momentum" in group:
            group["momentum"] = settings.momentum
        if settings.epsilon is not None and "eps" in group:
            group["eps"] = settings.epsilon
        if "betas" in group:
            beta1, beta2 = group["betas"]
            group["betas"] = (
                beta1 if settings.beta1 is None else settings.beta1,
                beta2 if settings.beta2 is None else settings.beta2,
            )
