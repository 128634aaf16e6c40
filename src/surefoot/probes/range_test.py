"""The learning-rate range test: one step at each of many rates, from hopelessly small to hopelessly large."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from surefoot.curves import read_sweep
from surefoot.curves.sweep import has_blown_up
from surefoot.errors import RequestError
from surefoot.protocols import RatePerStep, Trainable
from surefoot.records import RangeTest

__all__ = ["range_test"]

LOWEST_RATE, HIGHEST_RATE = 1e-5, 10.0


def range_test(
    trainable: Trainable,
    *,
    optimizer: str,
    batch_size: int,
    num_steps: int,
    should_stop: Callable[[], bool] = lambda: False,
) -> RangeTest:
    """Sweep the learning rate upwards and read off the band that fits; the trainable is as before afterwards.

    Smith 2017 (arXiv:1506.01186), section 3.3. Read it as an upper bound: so short a look cannot see what a rate does
    late in a training.

    Args:
        trainable: a run, which must be able to set its rate step by step.
        optimizer: its optimizer's name, for the record.
        batch_size: rows a step.
        num_steps: how many rates, evenly spaced on a logarithmic scale from 1e-5 to 10.
        should_stop: asked before every step.

    Raises:
        RequestError: the trainable cannot set its rate step by step.
    """
    if not isinstance(trainable, RatePerStep):
        raise RequestError(
            f"a range test is not supported by {type(trainable).__name__}: it cannot set its rate per step"
        )
    rates = np.geomspace(LOWEST_RATE, HIGHEST_RATE, num_steps).tolist()
    losses: list[float] = []
    started = time.perf_counter()
    with trainable.restored():
        for rate in rates:
            if should_stop():
                break
            losses.append(trainable.step_at(rate, batch_size=batch_size))
            if has_blown_up(losses):
                break
    reading = read_sweep(rates[: len(losses)], losses)
    return RangeTest(
        optimizer=optimizer,
        batch_size=batch_size,
        rates=tuple(rates[: len(losses)]),
        losses=tuple(losses),
        smoothed=reading.smoothed,
        low=reading.low,
        value=reading.value,
        high=reading.high,
        diverged_above=reading.diverged_above,
        reason=reading.reason,
        samples=len(losses) * batch_size,
        seconds=time.perf_counter() - started,
    )
