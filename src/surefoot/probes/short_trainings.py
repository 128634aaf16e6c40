"""A few very short but complete trainings, side by side: which peak rate ends lowest."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from surefoot.batching import NoiseSample
from surefoot.curves.ends import read_ends
from surefoot.errors import UnsupportedError
from surefoot.probes.range_test import FIXED_ROWS
from surefoot.protocols import KnowsFixedLoss, LooksAtNoise, RatePerStep, Trainable
from surefoot.records import ShortTrainings

__all__ = ["MOST_TRAININGS", "Looks", "multiplier", "short_trainings"]

# Peak rates are this far apart.
SPACING = 10.0**0.5
FEWEST_TRAININGS, MOST_TRAININGS = 3, 4
# Moments of a training at which its loss is taken, where it has as many steps.
MOMENTS = 16
WARMUP = 0.1
# Set by eye: a loss so many times as far above the start as a typical one is above 0 does not come back in a few dozen
# steps.
LEFT = 3.0


# Looks at the noise near the end of each training, by its rate.
Looks = dict[float, list[NoiseSample]]


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
    """Train at three or four rates from the same weights on the same batches; the trainable is as before afterwards.

    Each has a warmup and a linear decay to zero of its own, so that what is compared has ended: a schedule that is cut
    off compares rates that still wait for their decay. The second rate is half a decade below the first; the third
    lies a step further in the direction that was better, and so does a fourth where the third was better still.

    Args:
        trainable: a run, which must be able to set its rate step by step.
        center: the first peak rate.
        batch_size: rows a step.
        num_steps: of each training.
        horizon: steps of that batch size in the whole training.
        highest: no rate above this is tried.
        looks: is filled with looks at the noise over the last quarter of each training.
        after_first: called at the weights where the first training that held has ended: to measure something there.
        should_stop: asked before every step; what ran until then is left unread.

    Raises:
        UnsupportedError: the trainable cannot set its rate step by step.
    """
    if not isinstance(trainable, RatePerStep):
        raise UnsupportedError(
            f"short trainings are not supported by {type(trainable).__name__}: it cannot set its rate per step"
        )
    started = time.perf_counter()
    tried, is_measured = list[_Training](), False
    peak: float | None = min(center, highest / SPACING)
    while peak is not None:
        training = _Training(trainable, peak, batch_size, num_steps)
        with trainable.restored():
            is_whole = training.run(looks, should_stop)
            if math.isfinite(training.end) and not is_measured:
                is_measured = True
                after_first()
        tried.append(training)
        peak = _next(tried, highest) if is_whole else None
    tried.sort(key=lambda training: training.peak)
    rates, curves = [training.peak for training in tried], [training.losses for training in tried]
    reading = read_ends(rates, curves, share=num_steps / horizon)
    is_cut = should_stop()
    return ShortTrainings(
        batch_size=batch_size,
        steps=num_steps,
        rates=tuple(rates),
        curves=tuple(tuple(curve) for curve in curves),
        ends=tuple(training.end if math.isfinite(training.end) else math.nan for training in tried),
        value=None if is_cut else reading.value,
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


def _next(tried: Sequence[_Training], highest: float) -> float | None:
    """The next peak rate: beside the best so far, where that side is still open; None when it is enclosed."""
    ranked = sorted(tried, key=lambda training: training.peak)
    if len(ranked) == 1:
        return ranked[0].peak / SPACING
    best = min(range(len(ranked)), key=lambda index: ranked[index].end)
    slower, faster = ranked[0].peak / SPACING, ranked[-1].peak * SPACING
    if len(tried) >= MOST_TRAININGS:
        return None
    if best == len(ranked) - 1 and math.isfinite(ranked[best].end) and faster <= highest:
        return faster
    return slower if best == 0 or len(ranked) < FEWEST_TRAININGS else None


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
                looks.setdefault(self.peak, []).append(sample)
            return loss
        assert isinstance(self.trainable, RatePerStep)
        return self.trainable.step_at(rate, batch_size=self.batch_size)

    def _fixed(self) -> float | None:
        """The loss on fixed rows, where it is known."""
        return self.trainable.fixed_loss(FIXED_ROWS) if isinstance(self.trainable, KnowsFixedLoss) else None
