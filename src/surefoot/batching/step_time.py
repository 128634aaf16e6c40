"""Seconds a step takes, fitted: T = (T_acc^γ + T_net^γ)^(1/γ), computing and communicating partly at the same time.

Qiao et al. 2021 (OSDI, "Pollux"). On one device there is nothing to send, and T is two numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surefoot.batching.checks import require_count

__all__ = ["StepTime", "fit_step_time"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StepTime:
    """A fitted step time.

    Attributes:
        overhead: α_c, seconds a step costs before its first row.
        per_row: β_c, seconds a row costs.
        network: α_n, seconds two ranks spend on exchanging gradients.
        per_rank: β_n, seconds every further rank adds to that.
        overlap: γ in [1, 10]; 1 adds the two times up, 10 nearly hides the shorter one.
        error: root mean square error of log T over what was fitted.

    >>> round(StepTime(overhead=0.01, per_row=0.001).seconds(90), 9)
    0.1
    """

    overhead: float
    per_row: float
    network: float = 0.0
    per_rank: float = 0.0
    overlap: float = 1.0
    error: float = 0.0

    def seconds(self, batch_size: float, *, num_ranks: int = 1, largest_micro_batch: float = math.inf) -> float:
        """Seconds for one optimizer step over ``batch_size`` rows in all.

        Args:
            batch_size: B, over all ranks.
            num_ranks: K.
            largest_micro_batch: what fits on one rank; more is accumulated, and exchanged once at the end.
        """
        local = batch_size / num_ranks
        parts = max(1, math.ceil(local / largest_micro_batch))
        computing = self.overhead + self.per_row * local / parts
        if num_ranks == 1:
            return parts * computing
        exchanging = self.network + self.per_rank * (num_ranks - 2)
        last = (computing**self.overlap + exchanging**self.overlap) ** (1.0 / self.overlap)
        return float((parts - 1) * computing + last)


def fit_step_time(
    batch_sizes: Sequence[float], seconds: Sequence[float], *, num_ranks: Sequence[int] | None = None
) -> StepTime:
    """The step time that fits measured ones best: least root mean square error of log T.

    Args:
        batch_sizes: rows a step in all, each above 0; at least two that differ.
        seconds: what such a step took, each above 0. Medians of several are better than single ones.
        num_ranks: K of each measurement; None is one device throughout.

    Raises:
        ValueError: too few measurements, or lengths that differ.

    >>> fitted = fit_step_time([32, 64, 128], [0.042, 0.074, 0.138])
    >>> round(fitted.overhead, 6), round(fitted.per_row, 6)
    (0.01, 0.001)
    """
    ranks = np.ones(len(batch_sizes)) if num_ranks is None else np.asarray(num_ranks, dtype=np.float64)
    batches, times = np.asarray(batch_sizes, dtype=np.float64), np.asarray(seconds, dtype=np.float64)
    _check(batches, times, ranks)
    local, measured = batches / ranks, np.log(times)
    start = _affine(local, times)
    if ranks.max() == 1:
        guesses = [np.log(start)]
    else:
        exchange = math.log(max(float(np.median(times)) / 4.0, 1e-9))
        guesses = [np.array([*np.log(start), exchange, exchange - 2.0, shape]) for shape in (-2.0, 0.0, 2.0)]
    fits = [_descend(guess, local, ranks, measured) for guess in guesses]
    best = min(fits, key=lambda found: float(np.sum((_log_time(found, local, ranks) - measured) ** 2)))
    error = float(np.sqrt(np.mean((_log_time(best, local, ranks) - measured) ** 2)))
    if len(best) == 2:
        return StepTime(math.exp(best[0]), math.exp(best[1]), error=error)
    overhead, per_row, network, per_rank = np.exp(best[:4]).tolist()
    return StepTime(overhead, per_row, network, per_rank, _overlap(best[4]), error)


def _log_time(parameters: Floats, local: Floats, ranks: Floats) -> Floats:
    """Log T under log α_c, log β_c and, with ranks, log α_n, log β_n and γ's logit."""
    with np.errstate(over="ignore"):
        computing: Floats = np.log(np.exp(parameters[0]) + np.exp(parameters[1]) * local)
        if len(parameters) == 2:
            return computing
        apart = np.maximum(ranks - 2.0, 0.0)
        exchanging = np.log(np.exp(parameters[2]) + np.exp(parameters[3]) * apart)
        overlap = _overlap(parameters[4])
        both = np.logaddexp(overlap * computing, overlap * exchanging) / overlap
    return np.where(ranks > 1.0, both, computing)


def _overlap(logit: float) -> float:
    """γ, held inside [1, 10]."""
    return 1.0 + 9.0 / (1.0 + math.exp(-min(max(float(logit), -30.0), 30.0)))


def _affine(local: Floats, times: Floats) -> list[float]:
    """A first guess at α and β: least relative error, both kept above 0."""
    design = np.stack([1.0 / times, local / times], axis=1)
    overhead, per_row = np.linalg.lstsq(design, np.ones_like(times), rcond=None)[0]
    typical = float(np.median(times / local))
    return [max(float(overhead), 1e-3 * float(times.min())), max(float(per_row), 1e-3 * typical)]


def _descend(parameters: Floats, local: Floats, ranks: Floats, measured: Floats, num_steps: int = 60) -> Floats:
    """Levenberg-Marquardt with a numerical Jacobian: five numbers, a few dozen points."""
    damping, residual = 1e-2, _log_time(parameters, local, ranks) - measured
    for _ in range(num_steps):
        columns = [
            (_log_time(parameters + 1e-5 * unit, local, ranks) - measured - residual) / 1e-5
            for unit in np.eye(len(parameters))
        ]
        jacobian = np.stack(columns, axis=1)
        normal = jacobian.T @ jacobian + damping * np.eye(len(parameters))
        moved = parameters - np.linalg.solve(normal, jacobian.T @ residual)
        found = _log_time(moved, local, ranks) - measured
        if np.isfinite(found).all() and found @ found < residual @ residual:
            parameters, residual, damping = moved, found, damping / 5.0
        else:
            damping *= 5.0
    return parameters


def _check(batches: Floats, times: Floats, ranks: Floats) -> None:
    if not len(batches) == len(times) == len(ranks):
        counts = f"{len(batches)}, {len(times)} and {len(ranks)}"
        raise ValueError(f"batch_sizes, seconds and num_ranks have {counts} values; one a measurement each")
    if len(np.unique(batches / ranks)) < 2:
        raise ValueError("batch_sizes must hold at least two that differ: one does not tell overhead from work")
    for name, values in (("batch_sizes", batches), ("seconds", times)):
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise ValueError(f"{name} must be finite numbers above 0")
    require_count("num_ranks", int(ranks.min()))
