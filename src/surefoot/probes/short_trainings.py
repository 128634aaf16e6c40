"""A few very short but complete trainings, side by side: which peak rate ends lowest."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from surefoot.batching import NoiseSample
from surefoot.curves import read_early
from surefoot.errors import RequestError
from surefoot.probes.range_test import FIXED_ROWS
from surefoot.protocols import KnowsFixedLoss, LooksAtNoise, RatePerStep, Trainable
from surefoot.records import ShortTrainings

__all__ = ["Looks", "multiplier", "short_trainings"]

# Peak rates are this far apart.
SPACING = 10.0**0.5
# Moments of a training at which its loss is taken, where it has as many steps.
MOMENTS = 16
WARMUP = 0.1
# A loss so many times as far above the start as a typical one lies above 0 does not come back in a few dozen steps.
LEFT = 3.0


@dataclass
class Looks:
    """Looks at the noise near the end of each training, by its rate: where the descent has come to."""

    by_rate: dict[float, list[NoiseSample]] = field(default_factory=dict)


def short_trainings(
    trainable: Trainable,
    *,
    center: float,
    batch_size: int,
    num_steps: int,
    horizon: float,
    highest: float = math.inf,
    looks: Looks | None = None,
    after_first: Callable[[], None] = lambda: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> ShortTrainings:
    """Train at three rates from the same weights on the same batches; the trainable is as before afterwards.

    Each has a warmup and a linear decay to zero of its own, so that what is compared has ended: a schedule that is cut off
    compares rates that still wait for their decay. The second rate is half a decade below the first, the third a step
    further in the direction that was better. What ends lowest is read by ``curves.read_early``, which also lowers the
    rate to what the whole horizon bears.

    Args:
        trainable: a run, which must be able to set its rate step by step.
        center: the first peak rate.
        batch_size: rows a step.
        num_steps: of each training.
        horizon: steps of that batch size in the whole training.
        highest: no rate above this is tried.
        looks: is filled with looks at the noise over the last quarter of each training.
        after_first: called when the first training has ended, at its weights: to measure something there.
        should_stop: asked before every step; what ran until then is left unread.

    Raises:
        RequestError: the trainable cannot set its rate step by step.
    """
    if not isinstance(trainable, RatePerStep):
        raise RequestError(
            f"short trainings are not supported by {type(trainable).__name__}: it cannot set its rate per step"
        )
    started = time.perf_counter()
    tried = list[_Training]()
    first = min(center, highest)
    for rate in (first, first / SPACING, None):
        peak = _third(tried, highest) if rate is None else rate
        training = _Training(trainable, peak, batch_size, num_steps)
        with trainable.restored():
            is_whole = training.run(looks, should_stop)
            if is_whole and not tried:
                after_first()
        tried.append(training)
        if not is_whole:
            break
    tried.sort(key=lambda training: training.peak)
    rates, curves = [training.peak for training in tried], [training.losses for training in tried]
    # a moment stands for so many steps, and the horizon is counted in moments
    each = max(1.0, num_steps / MOMENTS)
    reading = read_early(rates, curves, horizon=max(1.0, horizon / each))
    is_cut = should_stop()
    return ShortTrainings(
        batch_size=batch_size,
        steps=num_steps,
        rates=tuple(rates),
        curves=tuple(tuple(curve) for curve in curves),
        low=None if is_cut else reading.low,
        value=None if is_cut else reading.value,
        high=None if is_cut else reading.high,
        reason="stopped before they ended" if is_cut else reading.reason,
        samples=sum(training.samples for training in tried),
        seconds=time.perf_counter() - started,
    )


def multiplier(step: int, num_steps: int) -> float:
    """Of the peak rate at a step: up over a tenth of the steps, then straight to zero; taken at the step's middle.

    >>> [round(multiplier(step, 20), 3) for step in (0, 1, 2, 19)]
    [0.244, 0.694, 0.875, 0.025]
    """
    passed = (step + 0.5) / num_steps
    return min(1.0, passed / WARMUP) * (1.0 - passed)


def _third(tried: list[_Training], highest: float) -> float:
    """Half a decade further on the better side of the first two rates."""
    fast, slow = tried
    wants_faster = fast.end < slow.end and fast.peak * SPACING <= highest
    return fast.peak * SPACING if wants_faster else slow.peak / SPACING


@dataclass
class _Training:
    """One short training.

    Attributes:
        losses: at its moments, all finite; fewer than the others have when it left.
        samples: rows that were stepped on.
    """

    trainable: Trainable
    peak: float
    batch_size: int
    num_steps: int
    losses: list[float] = field(default_factory=list)
    samples: int = 0

    @property
    def end(self) -> float:
        """The last loss, infinite when it left before its end."""
        return self.losses[-1] if len(self.losses) >= min(self.num_steps, MOMENTS) else math.inf

    def run(self, looks: Looks | None, should_stop: Callable[[], bool]) -> bool:
        """Train to the end or until the loss leaves; False when it was stopped."""
        start = self._fixed()
        for step in range(self.num_steps):
            if should_stop():
                return False
            loss = self._step(self.peak * multiplier(step, self.num_steps), step, looks)
            moments = min(self.num_steps, MOMENTS)
            is_moment = (step + 1) * moments // self.num_steps > step * moments // self.num_steps
            if not math.isfinite(loss):
                return True
            if is_moment:
                fixed = self._fixed()
                loss = loss if fixed is None else fixed
                start = loss if start is None else start
                if not math.isfinite(loss) or loss > start + LEFT * max(abs(start), 1.0):
                    return True
                self.losses.append(loss)
        return True

    def _step(self, rate: float, step: int, looks: Looks | None) -> float:
        self.samples += self.batch_size
        if looks is not None and 4 * step >= 3 * self.num_steps and isinstance(self.trainable, LooksAtNoise):
            loss, sample = self.trainable.look_at(rate, batch_size=self.batch_size)
            if sample is not None:
                looks.by_rate.setdefault(self.peak, []).append(sample)
            return loss
        assert isinstance(self.trainable, RatePerStep)
        return self.trainable.step_at(rate, batch_size=self.batch_size)

    def _fixed(self) -> float | None:
        """The loss on fixed rows, where it is known."""
        return self.trainable.fixed_loss(FIXED_ROWS) if isinstance(self.trainable, KnowsFixedLoss) else None
