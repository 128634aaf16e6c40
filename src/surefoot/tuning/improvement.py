"""How far below a target a normal variable lies in the mean: expected improvement, in the logarithm."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["log_expected_improvement"]

Array = npt.NDArray[np.float64]

_NUM_FRACTIONS = 60  # of the continued fraction, from which 1e-7 is reached at its slowest, a deviate of -1


def log_expected_improvement(mean: Array, deviation: Array, *, target: float) -> Array:
    """Log E[max(target − Y, 0)] for normal Y: sums of exponentials would be 0 far above the target, this is not.

    Jones, Schonlau and Welch 1998 (J. Global Optim. 13, equation 15); why its logarithm: Ament et al. 2023
    (arXiv:2310.20708).

    >>> np.exp(log_expected_improvement(np.array([0.0]), np.array([1.0]), target=0.0)).round(4).tolist()
    [0.3989]
    """
    deviates = (target - mean) / deviation
    return np.asarray(np.log(deviation) + _log_h(deviates))


def _log_h(deviates: Array) -> Array:
    """Log(φ(u) + u Φ(u))."""
    distance = np.maximum(np.abs(deviates), 1.0)
    density = np.exp(-0.5 * deviates**2) / np.sqrt(2.0 * np.pi)
    # Mills's ratio R(a) = (1 − Φ(a)) / φ(a) = 1 / (a + 1 / (a + 2 / (a + 3 / …))) (Laplace 1805; DLMF 7.9.1)
    rest = np.zeros_like(distance)
    for index in range(_NUM_FRACTIONS, 1, -1):
        rest = index / (distance + rest)
    rest = 1.0 / (distance + rest)
    ratio = 1.0 / (distance + rest)
    far_above = -0.5 * deviates**2 - 0.5 * np.log(2.0 * np.pi) + np.log(ratio * rest)  # 1 − a R(a) = R(a) · rest
    tail = np.where(np.abs(deviates) > 1.0, density * ratio, _tail_near(np.abs(deviates), density))
    below = np.where(deviates > 0.0, 1.0 - tail, tail)
    near = np.log(np.maximum(density + deviates * below, np.finfo(np.float64).tiny))
    return np.asarray(np.where(deviates < -1.0, far_above, near))


def _tail_near(distance: Array, density: Array) -> Array:
    """1 − Φ(a) from the series Φ(a) − ½ = φ(a) Σ a^(2k+1) / (1·3·5…(2k+1)), for a up to 1 (DLMF 7.6.2)."""
    capped = np.minimum(distance, 1.0)
    term = capped.copy()
    total = capped.copy()
    for index in range(1, 16):
        term = term * capped**2 / (2 * index + 1)
        total = total + term
    return np.asarray(0.5 - density * total)
