"""Above which rate an optimizer diverges on a quadratic, by the quadratic's largest eigenvalue."""

from __future__ import annotations

from typing import NamedTuple

from surefoot.recipe import Optimizer

__all__ = ["StabilityLimit", "divides_by_moments", "stability_limit"]

_FLAT = "the loss is flat or curves downwards in every direction: no curvature limits the rate"
# Prodigy divides too, by moments in units of a step size that it finds itself.
_DIVIDING = frozenset({"adam", "adamw", "nadamw", "rmsprop", "adagrad", "schedule_free_adamw"})


class StabilityLimit(NamedTuple):
    """A rate above which a quadratic diverges.

    Attributes:
        rate: None where the optimizer or the quadratic sets none.
        reason: why there is none, or what it leaves out.
    """

    rate: float | None
    reason: str = ""


def divides_by_moments(optimizer: str) -> bool:
    """Whether an optimizer divides the gradient by the root of an average or sum of its squares, so that D counts.

    >>> divides_by_moments("adamw"), divides_by_moments("sgd")
    (True, False)
    """
    return optimizer in _DIVIDING


def stability_limit(optimizer: Optimizer, eigenvalue: float, *, l2: float = 0.0) -> StabilityLimit:
    """The rate above which a quadratic diverges under an optimizer whose divisor D stands still.

    Gradient descent 2/λ, heavy-ball momentum 2(1 + β)/λ, Nesterov's 2(1 + β)/((1 + 2β)λ) (Cohen et al. 2021,
    arXiv:2103.00065); RMSprop and Adagrad as gradient descent with H preconditioned, Adam
    2(1 + β₁)/((1 − β₁)λ), which is 38/λ at β₁ = 0.9 (Cohen et al. 2022, arXiv:2207.14484). A real D grows
    where the gradient does and gives way: there the limit is where trainings settle, not where they end.

    Args:
        optimizer: complete; its name, momenta and decay count.
        eigenvalue: the largest one, λ: of D^-1/2 H D^-1/2 where ``divides_by_moments``, else of H.
        l2: λ₂ of ½λ₂‖θ‖² in the loss.

    >>> stability_limit(Optimizer(name="sgd", momentum=0.0), 4.0)
    StabilityLimit(rate=0.5, reason='')
    >>> round(stability_limit(Optimizer(name="adamw").complete(), 1.0).rate, 3)
    38.0
    """
    name, decay = optimizer.name, optimizer.weight_decay
    momentum, beta = optimizer.momentum or 0.0, optimizer.beta1 or 0.0
    if name in {"nadamw", "prodigy", "schedule_free_sgd", "schedule_free_adamw"}:
        return StabilityLimit(None, _moving(name, beta or momentum))
    left_out, shift = "", 0.0
    if name == "sgd":
        factor = 2.0 * (1.0 + momentum) / (1.0 + 2.0 * momentum if optimizer.nesterov else 1.0)
        shift = decay + l2
    elif name in {"adam", "adamw"}:
        factor = 2.0 * (1.0 + beta) / (1.0 - beta)
        shift = decay * (1.0 + beta) / (1.0 - beta) if name == "adamw" else 0.0  # it does not pass through β₁
    else:
        factor = 2.0 * (1.0 + momentum)
    if name != "sgd" and (l2 or (decay and name != "adamw")):
        left_out = "without the decay in the gradient, which the optimizer divides too"
    if eigenvalue + shift <= 0.0:
        return StabilityLimit(None, _FLAT)
    return StabilityLimit(factor / (eigenvalue + shift), left_out)


def _moving(name: str, beta: float) -> str:
    """Why an optimizer whose own coefficients move has no one limit."""
    if name == "prodigy":
        return "prodigy multiplies the rate by a factor that it finds itself"
    if name == "nadamw":
        # η((1 − μ)g + μm) for a momentum μ that goes from β₁/2 to β₁ (Dozat 2016)
        first, last = (2.0 * (1.0 + beta) / (1.0 + beta - 2.0 * share * beta**2) for share in (0.5, 1.0))
        return (
            f"nadamw's momentum grows with the step: its limit goes from {first:.3g} to {last:.3g} over the sharpness"
        )
    last = 2.0 / (1.0 - beta)
    return f"{name}'s average grows slower with the step: its limit goes from 2 to {last:.3g} over the sharpness"
