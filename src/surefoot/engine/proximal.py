"""The proximal step of λ₁‖θ‖₁, in the metric of the optimizer: weights move towards zero and stop there.

prox(θ) = sign θ·max(|θ| − t, 0), Parikh and Boyd 2014, section 6.5.2. An optimizer that divides the gradient of a
weight by d moves it by η·g/d, so t is ηλ₁/d (Yun et al. 2021, arXiv:2006.07484, equation 7): the weights then settle
where J₁ + λ₁‖θ‖₁ is least, whichever optimizer takes the steps. Where momentum β carries a gradient through
1/(1 − β) steps, t is as much larger.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["divisor", "shrink"]

# In rates, the longest step of an adaptive optimizer: (1 − β₁)/√(1 − β₂), Kingma and Ba 2015, section 2.1, which is 10
# at RMSprop's settings. A weight that has had no gradient yet has a divisor of ε, and would be gone at once; where
# weights settle the divisor is at least |g| = λ₁, so this bound changes nothing there.
LONGEST = 10.0


@torch.no_grad()
def shrink(parameter: nn.Parameter, l1: float, settings: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Take the proximal step on one parameter, in place.

    Args:
        parameter: whose optimizer step was just taken.
        l1: λ₁.
        settings: of the parameter's group in the optimizer.
        state: what the optimizer remembers of the parameter.
    """
    rate = float(settings["lr"]) / (1.0 - float(settings.get("momentum") or 0.0))
    below = divisor(settings, state)
    threshold = rate * l1 if below is None else rate * (l1 / below).clamp_max(LONGEST)
    parameter.copy_(parameter.sign() * (parameter.abs() - threshold).clamp_min(0.0))


def divisor(settings: Mapping[str, Any], state: Mapping[str, Any]) -> Tensor | None:
    """What the optimizer divides a weight's gradient by, √v̂ + ε; None for one that does not, or not yet.

    Args:
        settings: of the parameter's group in the optimizer.
        state: what the optimizer remembers of the parameter.
    """
    squares = next((state[name] for name in ("exp_avg_sq", "square_avg", "sum") if name in state), None)
    if squares is None:
        return None
    root = squares.sqrt()
    if "exp_avg_sq" in state:
        steps = state["step"] if "step" in state else settings["k"]  # Schedule-Free counts them for a group
        root = root / math.sqrt(1.0 - settings["betas"][1] ** float(steps))
    found: Tensor = root + settings["eps"]
    return found
