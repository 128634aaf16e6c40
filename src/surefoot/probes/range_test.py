"""The learning-rate range test: one step at each of many rates, from hopelessly small to hopelessly large."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from surefoot.batching import NoiseSample
from surefoot.curves import read_sweep
from surefoot.curves.sweep import has_blown_up
from surefoot.errors import UnsupportedError
from surefoot.protocols import KnowsFixedLoss, LooksAtNoise, RatePerStep, Trainable
from surefoot.records import RangeTest

__all__ = ["FIXED_ROWS", "range_test"]

LOWEST_RATE, HIGHEST_RATE = 1e-5, 10.0
# Rows that the loss is looked at on after every step. Forward passes alone, but five times the work of a step of 16;
# with 64 or 128 of them a sweep of many classes is read worse (measured: docs/log.md, 2026-11-21).
FIXED_ROWS = 256
# Of the smoothing: losses of batches need more of it than losses on fixed rows.
NOISY_MEMORY, FIXED_MEMORY = 0.8, 0.5


def range_test(
    trainables: Trainable | Iterable[Trainable],
    *,
    optimizer: str,
    batch_size: int,
    num_steps: int,
    looks: list[NoiseSample] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> RangeTest:
    """Sweep the learning rate upwards and read off the band that fits; the trainables are as before afterwards.

    Smith 2017 (arXiv:1506.01186), section 3.3. Read it as an upper bound: so short a look cannot see what a rate does
    late in a training. Where a trainable knows its loss on fixed rows, that is what each step is judged by: no batch's
    luck is in it, and it belongs to the weights after the step, not before it.

    Args:
        trainables: runs of one recipe with different seeds, whose curves are averaged; each must be able to set its
            rate step by step. One is drawn after the other, so that an iterator need hold no more than one.
        optimizer: their optimizer's name, for the record.
        batch_size: rows a step.
        num_steps: how many rates, evenly spaced on a logarithmic scale from 1e-5 to 10.
        looks: is filled with looks at the noise at the first quarter of the rates, too small to leave the start.
        should_stop: asked before every rate.

    Raises:
        UnsupportedError: a trainable cannot set its rate step by step.
    """
    rates = np.geomspace(LOWEST_RATE, HIGHEST_RATE, num_steps).tolist()
    started = time.perf_counter()
    sweeps, is_noisy = list[_Sweep](), False
    for run in trainables if isinstance(trainables, Iterable) else [trainables]:
        if not isinstance(run, RatePerStep):
            raise UnsupportedError(
                f"a range test is not supported by {type(run).__name__}: it cannot set its rate per step"
            )
        is_noisy = is_noisy or not isinstance(run, KnowsFixedLoss)
        sweep = _Sweep(batch_size)
        with run.restored():
            for index, rate in enumerate(rates):
                if should_stop() or not sweep.goes_on:
                    break
                sweep.step(run, rate, looks if 4 * index < num_steps else None)
        sweeps.append(sweep)
    longest = max(len(sweep.losses) for sweep in sweeps)
    losses = _mean([sweep.losses for sweep in sweeps], longest)
    reading = read_sweep(rates[: len(losses)], losses, memory=NOISY_MEMORY if is_noisy else FIXED_MEMORY)
    return RangeTest(
        optimizer=optimizer,
        batch_size=batch_size,
        rates=tuple(rates[:longest]),
        losses=tuple(losses),
        curves=tuple(tuple(sweep.losses) for sweep in sweeps),
        smoothed=reading.smoothed,
        low=reading.low,
        value=reading.value,
        high=reading.high,
        diverged_above=reading.diverged_above,
        reason=reading.reason,
        samples=sum(sweep.samples for sweep in sweeps),
        seconds=time.perf_counter() - started,
    )


@dataclass
class _Sweep:
    """One seed's sweep.

    Attributes:
        losses: one a rate.
        goes_on: the loss has not left for good.
        samples: rows that were stepped on.
    """

    batch_size: int
    losses: list[float] = field(default_factory=list)
    goes_on: bool = True
    samples: int = 0

    def step(self, run: RatePerStep, rate: float, looks: list[NoiseSample] | None) -> None:
        """A step at ``rate``, and the loss that belongs to it."""
        if looks is not None and isinstance(run, LooksAtNoise):
            loss, look = run.look_at(rate, batch_size=self.batch_size)
            looks += [look] if look is not None else []
        else:
            loss = run.step_at(rate, batch_size=self.batch_size)
        self.samples += self.batch_size
        if math.isfinite(loss) and isinstance(run, KnowsFixedLoss):
            loss = run.fixed_loss(FIXED_ROWS)
        self.losses.append(loss)
        self.goes_on = not has_blown_up(self.losses)


def _mean(curves: Sequence[Sequence[float]], length: int) -> list[float]:
    """The mean of all curves; not-a-number where half of them or more have ended."""
    padded = np.full((len(curves), length), math.nan)
    for row, curve in zip(padded, curves, strict=True):
        row[: len(curve)] = curve
    finite = np.isfinite(padded)
    # a curve that has left stays at its last value above the others, so that the mean cannot fall when it goes
    for row, known in zip(padded, finite, strict=True):
        last = np.flatnonzero(known)
        if len(last):
            row[last[-1] + 1 :] = row[last].max()
    means = padded.mean(axis=0)
    means[2 * finite.sum(axis=0) <= len(curves)] = math.nan
    return [float(value) for value in means]
