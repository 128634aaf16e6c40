"""The sharpness probe: the top of the Hessian's spectrum, and the rate it forbids."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from surefoot.errors import TaskError, UnsupportedError
from surefoot.probes.stability import divides_by_moments, stability_limit
from surefoot.protocols import Curved, Eigenvalue, RatePerStep, Trainable
from surefoot.recipe import Optimizer
from surefoot.records import Sharpness

__all__ = ["sharpness"]

MOST_PRODUCTS = 30
# A residual of more than so much of the value says little about it.
UNSETTLED = 0.1


def sharpness(
    trainable: Trainable,
    *,
    optimizer: Optimizer,
    batch_size: int,
    max_samples: int,
    l2: float = 0.0,
    should_stop: Callable[[], bool] = lambda: False,
) -> Sharpness:
    """Measure the largest eigenvalue of the training loss's Hessian; the trainable is as before afterwards.

    Read the limit as an upper bound, and at weights that have been trained a little. On three small tasks full batches
    began to rise at 0.75 to 1.25 times it, and batches of 32 at a quarter to 1.5 times. At fresh weights, whose
    curvature grows within a few steps, a quarter or a half of it was too much already (measured: see docs/log.md,
    2026-11-21). Curvature then goes on growing up to what the rate allows (Cohen et al. 2021, arXiv:2103.00065).

    The value is of the loss alone; decay and ½λ₂‖θ‖² enter the limit. A Hessian-vector product counts each row twice.

    Args:
        trainable: a run, which must be able to multiply with its loss's Hessian.
        optimizer: its recipe's, complete.
        batch_size: rows that the Hessian is taken over, at most; the larger, the nearer to that of all rows.
        max_samples: price, at most: (2 · products + 1) · rows, the gradient itself included. Ten products are usual.
        l2: λ₂ of the recipe's penalty.
        should_stop: asked once, before it begins.

    Raises:
        UnsupportedError: the trainable cannot multiply with its loss's Hessian.
    """
    if not isinstance(trainable, Curved) or not isinstance(trainable, RatePerStep):
        raise UnsupportedError(
            f"sharpness is not supported by {type(trainable).__name__}: it cannot multiply with its loss's Hessian"
        )
    is_preconditioned = divides_by_moments(optimizer.name)
    max_products = min(MOST_PRODUCTS, (max_samples // batch_size - 1) // 2)
    found: Eigenvalue | None = None
    reason = ""
    started = time.perf_counter()
    if max_products < 1:
        reason = f"one product over {batch_size} rows costs {3 * batch_size} samples, and there are {max_samples}"
    elif should_stop():
        reason = "stopped before it began"
    else:
        with trainable.restored():
            try:
                found = trainable.top_eigenvalue(
                    batch_size=batch_size, max_products=max_products, preconditioned=is_preconditioned
                )
                reason = "" if found else "the optimizer has no second moments yet: take some steps first"
            except TaskError as error:
                reason = str(error)
    value, limit = None, None
    if found is not None:
        value, limit, reason = _read(found, optimizer, l2)
    products, rows = (found.products, found.rows) if found else (0, 0)
    return Sharpness(
        optimizer=optimizer.name,
        value=value,
        limit=limit,
        is_preconditioned=is_preconditioned,
        products=products,
        rows=rows,
        reason=reason,
        samples=(2 * products + 1) * rows,
        seconds=time.perf_counter() - started,
    )


def _read(found: Eigenvalue, optimizer: Optimizer, l2: float) -> tuple[float | None, float | None, str]:
    """The value, the limit and the reason that an eigenvalue gives."""
    if not math.isfinite(found.value):
        return None, None, "the loss or its curvature is not finite at these weights"
    if found.residual > UNSETTLED * abs(found.value):
        reason = f"not settled after {found.products} products: {found.value:.3g} may be off by {found.residual:.2g}"
        return found.value, None, reason
    limit = stability_limit(optimizer, found.value, l2=l2)
    return found.value, limit.rate, limit.reason
