"""Which parameters are penalised, and J − J₁ = λ₁‖θ‖₁ + ½λ₂‖θ‖² over them."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["penalised", "penalty", "unpenalised"]


def penalised(model: nn.Module) -> list[nn.Parameter]:
    """The trainable parameters with two dimensions or more: weights, not biases, not normalisation."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad and parameter.ndim >= 2]


def unpenalised(model: nn.Module) -> list[nn.Parameter]:
    """The trainable parameters that are left out: biases and normalisation."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad and parameter.ndim < 2]


def penalty(parameters: list[nn.Parameter], *, l1: float, l2: float) -> Tensor | float:
    """λ₁‖θ‖₁ + ½λ₂‖θ‖²."""
    total: Tensor | float = 0.0
    for parameter in parameters:
        if l1:
            total = total + l1 * parameter.abs().sum()
        if l2:
            total = total + 0.5 * l2 * parameter.square().sum()
    return total
