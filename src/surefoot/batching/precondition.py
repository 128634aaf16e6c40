"""Gradient norms as Adam sees them: the noise scale of g/(√v̂ + ε) instead of g.

A rule for Adam that reads the plain gradient answers for another optimizer: the coordinates that Adam shrinks would
drown the rest. Both the micro-gradients and their mean go through the same preconditioner.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from surefoot.batching.checks import require_above, require_count

__all__ = ["adam_preconditioner", "squared_norm"]

Numbers = Sequence[float] | npt.NDArray[np.floating]


def adam_preconditioner(
    second_moment: Numbers, *, beta2: float, num_steps: int, epsilon: float
) -> npt.NDArray[np.float64]:
    """1/(√v̂ + ε) a coordinate, with v̂ = v/(1 − β₂ᵗ).

    Args:
        second_moment: v, Adam's running mean of squared gradients.
        beta2: β₂ in [0, 1).
        num_steps: t ≥ 1, steps behind v.
        epsilon: ε > 0.

    >>> adam_preconditioner([0.004, 0.25], beta2=0.0, num_steps=1, epsilon=1e-12).round(3)
    array([15.811,  2.   ])
    """
    if not 0.0 <= beta2 < 1.0:
        raise ValueError(f"beta2 must lie in [0, 1), not {beta2!r}")
    require_count("num_steps", num_steps)
    require_above("epsilon", epsilon, 0.0)
    debiased = np.asarray(second_moment, dtype=np.float64) / (1.0 - beta2**num_steps)
    preconditioner: npt.NDArray[np.float64] = 1.0 / (np.sqrt(debiased) + epsilon)
    return preconditioner


def squared_norm(gradient: Numbers, preconditioner: Numbers | None = None) -> float:
    """‖P g‖² of a ``gradient`` g, or ‖g‖² without a ``preconditioner``, P's diagonal.

    Qiao et al. 2021 (OSDI, "Pollux") precondition their statistics in the same way.

    >>> squared_norm([3.0, 4.0]), squared_norm([3.0, 4.0], [1.0, 0.5])
    (25.0, 13.0)
    """
    values = np.asarray(gradient, dtype=np.float64)
    if preconditioner is not None:
        values = values * np.asarray(preconditioner, dtype=np.float64)
    return float(np.vdot(values, values))
