"""Optimizers from a recipe, and the one place that writes a rate, a decay or a moment's memory into them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn, optim

from surefoot.engine.network.averaging import averaging_mode, is_averaging, is_training_mode
from surefoot.engine.penalties import Penalties
from surefoot.errors import MissingExtraError
from surefoot.recipe import Optimizer, Recipe

__all__ = ["build", "clip", "set_knobs", "set_learning_rate"]

Groups = list[dict[str, Any]]


def build(model: nn.Module, recipe: Recipe) -> optim.Optimizer:
    """The optimizer that a complete recipe describes, its groups those of ``Penalties.of``.

    Its rate is set before every step. One that averages its weights is in training mode.

    Raises:
        MissingExtraError: the optimizer's package is not installed.
        RecipeError: a rule's pattern matches no parameter.
    """
    groups = [
        {
            "params": list(group.parameters.values()),
            "weight_decay": group.weight_decay,
            "rate_multiplier": group.rate_multiplier,
            "decay_multiplier": group.decay_multiplier,
        }
        for group in Penalties.of(model, recipe).groups
    ]
    is_fused = _can_fuse(model) and recipe.precision.name != "fp16"  # fused ones cannot skip a first step
    optimizer = _BUILDERS[recipe.optimizer.name](groups, recipe.optimizer, is_fused)
    averaging_mode(optimizer, training=True)
    return optimizer


def set_learning_rate(optimizer: optim.Optimizer, learning_rate: float) -> None:
    """Write the rate of the next step, times each group's multiplier."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group.get("rate_multiplier", 1.0)


def set_knobs(
    optimizer: optim.Optimizer,
    *,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    momentum: float | None = None,
    beta1: float | None = None,
    beta2: float | None = None,
    epsilon: float | None = None,
) -> None:
    """Write what the next step uses; None leaves a setting as it is.

    A group's own rate and decay stay what they were of the recipe's. Where β says between which two weights the
    gradient is taken, as in Schedule-Free, the average stays and the place of the gradient moves.

    Args:
        optimizer: made by ``build``.
        learning_rate: η ≥ 0.
        weight_decay: λ ≥ 0.
        momentum: of SGD and RMSprop, in [0, 1).
        beta1: β₁ in [0, 1).
        beta2: β₂ in [0, 1).
        epsilon: ε > 0.

    Raises:
        ValueError: the optimizer has no such setting.
    """
    if learning_rate is not None:
        set_learning_rate(optimizer, learning_rate)
    if weight_decay is not None:
        for group in optimizer.param_groups:
            multiplier = group.get("decay_multiplier")
            if multiplier is not None:
                group["weight_decay"] = weight_decay * multiplier
    simple = {"momentum": momentum, "eps": epsilon}
    wanted = {key: value for key, value in simple.items() if value is not None}
    moves_beta = momentum is not None or beta1 is not None
    was_training = is_training_mode(optimizer)
    if moves_beta and is_averaging(optimizer):
        averaging_mode(optimizer, training=False)
    for group in optimizer.param_groups:
        _write(optimizer, group, wanted, (beta1, beta2))
    if moves_beta and was_training:
        averaging_mode(optimizer, training=True)


def clip(parameters: Iterable[nn.Parameter], limit: float) -> float:
    """Scale the gradients down to a joint Euclidean norm of ``limit`` where it is longer; the norm it had.

    Once a step, on the whole gradient of the effective batch, penalties included. Pascanu et al. 2013, algorithm 1.
    """
    gradients = []
    for parameter in parameters:
        if parameter.grad is not None and parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()  # a row that a batch has twice counts once, with its sum
            gradients.append(parameter.grad.values())  # a view: scaling it scales the gradient
        elif parameter.grad is not None:
            gradients.append(parameter.grad)
    norm = nn.utils.get_total_norm(gradients)
    factor = (limit / (norm + 1e-6)).clamp_max(1.0)
    for gradient in gradients:
        gradient.mul_(factor.to(gradient.device))
    return float(norm)


def _write(
    optimizer: optim.Optimizer,
    group: dict[str, Any],
    wanted: dict[str, float],
    betas: tuple[float | None, float | None],
) -> None:
    """Write settings into one group."""
    missing = [key for key in wanted if key not in group]
    if missing or (any(beta is not None for beta in betas) and "betas" not in group):
        raise ValueError(f"{type(optimizer).__name__} has no {', '.join(missing) or 'betas'} to set")
    group.update(wanted)
    if any(beta is not None for beta in betas):
        group["betas"] = tuple(now if beta is None else beta for beta, now in zip(betas, group["betas"], strict=True))


def _adam_arguments(settings: Optimizer) -> dict[str, Any]:
    return {"betas": (settings.beta1, settings.beta2), "eps": settings.epsilon}


def _sgd(groups: Groups, settings: Optimizer, fused: bool) -> optim.Optimizer:
    nesterov = bool(settings.nesterov and settings.momentum)
    return optim.SGD(groups, lr=0.0, momentum=settings.momentum or 0.0, nesterov=nesterov, fused=fused)


def _average_arguments(settings: Optimizer) -> dict[str, Any]:
    return {"r": settings.average_power, "weight_lr_power": settings.rate_power}


def _schedule_free_sgd(groups: Groups, settings: Optimizer, _: bool) -> Any:
    kind = _imported("schedulefree", settings.name).SGDScheduleFree
    return kind(groups, lr=0.0, momentum=settings.momentum, **_average_arguments(settings))


def _schedule_free_adamw(groups: Groups, settings: Optimizer, _: bool) -> Any:
    kind = _imported("schedulefree", settings.name).AdamWScheduleFree
    return kind(groups, lr=0.0, **_adam_arguments(settings), **_average_arguments(settings))


def _prodigy(groups: Groups, settings: Optimizer, _: bool) -> Any:
    return _imported("prodigyopt", settings.name).Prodigy(
        groups,
        lr=1.0,  # it refuses 0
        d_coef=settings.d_coefficient,
        use_bias_correction=settings.bias_correction,
        safeguard_warmup=settings.safeguard_warmup,
        **_adam_arguments(settings),
    )


_BUILDERS: dict[str, Callable[[Groups, Optimizer, bool], optim.Optimizer]] = {
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
    "schedule_free_sgd": _schedule_free_sgd,
    "schedule_free_adamw": _schedule_free_adamw,
    "prodigy": _prodigy,
}


def _imported(package: str, optimizer: str) -> Any:
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise MissingExtraError(
            f"optimizer \"{optimizer}\" needs the package {package}; install it with: pip install 'surefoot[torch]'"
        ) from None


def _can_fuse(model: nn.Module) -> bool:
    """Whether PyTorch's single-kernel step applies: dense real gradients, on CPU or CUDA."""
    return not any(getattr(module, "sparse", False) for module in model.modules()) and all(
        torch.is_floating_point(parameter) and parameter.device.type in {"cpu", "cuda"}
        for parameter in model.parameters()
    )
