"""How fast and how large a step can be: real steps with larger and larger batches, and the two lines through them."""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from surefoot.batching import fit_step_time
from surefoot.batching.checks import require_count
from surefoot.errors import UnsupportedError
from surefoot.protocols import RatePerStep, StepCost, TellsCost, Trainable
from surefoot.records import Capacity, CapacityPoint

__all__ = ["capacity", "find_knee"]

# A visit to a batch size is one step that weighs the memory, and whose seconds do not count, then so many that do: more
# where they are cheap, as the first ones after another size are still slow (measured: see docs/log.md, 2026-11-21).
FEWEST_STEPS, MOST_STEPS, CHEAP_SHARE = 3, 9, 1 / 16
# Visits to every size, far apart in time. The least of their medians counts: other processes only ever slow a step.
# Under load a prediction scatters less by it than by the median of all steps (measured: see docs/log.md, 2026-11-21).
VISITS = 3
# Share of the price that is kept for the later visits: set by eye.
LATER_SHARE = 0.25
# Steps with the smallest batch before anything is measured: libraries wake up, the optimizer's state appears.
WARM_UP = 3
# Out of memory is located until a batch that runs and one that does not are this close.
CLOSE = 1.125
# The smallest batch within a tenth of the best throughput is the knee.
NEAR_BEST = 0.9


def capacity(
    trainable: Trainable,
    *,
    max_samples: int,
    num_rows: int,
    smallest: int = 16,
    largest: int | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Capacity:
    """Run steps of ``smallest``, twice that, and so on; the trainable is as before afterwards.

    The step time is Pollux's on one device, T(B) = overhead + per_row · B (Qiao et al. 2021, OSDI); memory is a line
    as well; both have the least relative error. After a batch that does not fit, the largest that does is located to an
    eighth by trying. Beyond ``largest`` both lines are guesses: on the CPU, glibc maps tensors above 32 MiB anew at
    every step, and a row may then take twice as long (measured: see docs/log.md, 2026-11-21).

    Args:
        trainable: a run, which must be able to weigh its steps and to be restored.
        max_samples: rows that all steps together may see; never passed.
        num_rows: of the training part; no batch is larger.
        smallest: the first batch, smaller where rows or samples are too few for two sizes.
        largest: no batch is larger than this; None leaves it to rows, memory and price.
        should_stop: asked before every step.

    Raises:
        UnsupportedError: the trainable cannot weigh its steps or cannot be restored.
        ValueError: ``num_rows``, ``smallest`` or ``largest`` is not a whole number of at least 1.
    """
    if not isinstance(trainable, TellsCost) or not isinstance(trainable, RatePerStep):
        lack = "go back to where it was" if isinstance(trainable, TellsCost) else "weigh its steps"
        raise UnsupportedError(f"a capacity probe is not supported by {type(trainable).__name__}: it cannot {lack}")
    started = time.perf_counter()
    largest = num_rows if largest is None else largest
    for name, count in (("num_rows", num_rows), ("smallest", smallest), ("largest", largest)):
        require_count(name, count)
    top = min(num_rows, largest)
    first = _first_size(smallest, top, max_samples)
    climb = _Climb(trainable, max_samples, should_stop)
    with trainable.restored():
        climb.run(first, top)
    points = climb.points
    return Capacity(
        points=points,
        **_laws(points),
        knee=find_knee(points),
        largest=climb.largest or None,
        limited_by="rows" if climb.largest == num_rows else climb.limited_by,
        device=trainable.device,
        reason=_reason(climb, first),
        samples=climb.samples,
        seconds=time.perf_counter() - started,
    )


def find_knee(points: Sequence[CapacityPoint]) -> int | None:
    """The smallest batch within a tenth of the best throughput, in rows a second; None without points.

    >>> def ran(size, seconds):
    ...     return CapacityPoint(batch_size=size, seconds=seconds, steps=3)
    >>> find_knee([ran(16, 0.8), ran(32, 0.9), ran(64, 1.7), ran(128, 3.3)])
    32
    """
    throughput = {point.batch_size: point.batch_size / point.seconds for point in points}
    near = [size for size, rows in throughput.items() if rows >= NEAR_BEST * max(throughput.values())]
    return min(near, default=None)


@dataclass
class _Climb:
    """Steps with larger and larger batches, within a price.

    Attributes:
        samples: rows that were paid for.
        largest: the largest batch that ran, 0 before any did.
        failed: the smallest that did not fit in memory, 0 before any did.
        limited_by: what kept ``largest`` from being larger, where that was neither the rows nor the caller.
        is_stopped: ``should_stop`` said so.
        medians: by batch size, seconds of a step: the median of every visit.
        steps: by batch size, how many counted.
        peak_bytes: by batch size, where it can be told.
    """

    trainable: TellsCost
    max_samples: int
    should_stop: Callable[[], bool]
    samples: int = 0
    largest: int = 0
    failed: int = 0
    limited_by: Literal["memory", "price", ""] = ""
    is_stopped: bool = False
    medians: dict[int, list[float]] = field(default_factory=dict)
    steps: Counter[int] = field(default_factory=Counter)
    peak_bytes: dict[int, int] = field(default_factory=dict)

    def run(self, first: int, top: int) -> None:
        """Climb from ``first`` to ``top`` rows; then visit the sizes again while the price allows."""
        if self._can_pay(WARM_UP * first):
            all(self._step(first) for _ in range(WARM_UP))
        self._climb(first, top)
        if self.failed:
            self._locate()
        for _ in range(VISITS - 1):
            for size in sorted(self.medians):
                if self._can_pay(self.price(size)):
                    self._visit(size)

    @property
    def points(self) -> tuple[CapacityPoint, ...]:
        """What the steps of every size took."""
        return tuple(
            CapacityPoint(
                batch_size=size,
                seconds=min(medians),
                steps=self.steps[size],
                peak_bytes=self.peak_bytes.get(size),
            )
            for size, medians in sorted(self.medians.items())
        )

    def price(self, size: int) -> int:
        """Samples of a visit."""
        return (1 + self._num_timed(size)) * size

    def _num_timed(self, size: int) -> int:
        return min(MOST_STEPS, max(FEWEST_STEPS, int(CHEAP_SHARE * self.max_samples) // size))

    def _climb(self, size: int, top: int) -> None:
        """Visit ``size``, twice that, and so on to ``top``, until one does not fit or the price forbids it."""
        while self._can_pay(self.price(size), share=1.0 - LATER_SHARE if self.largest else 1.0):
            if not self._visit(size):
                self.failed = 0 if self.is_stopped else size
                return
            self.largest = size
            if size == top:
                return
            size = min(2 * size, top)
        self.limited_by = "" if self.is_stopped else "price"

    def _locate(self) -> None:
        """Halve the gap between the largest batch that ran and the smallest that did not, until it is small."""
        self.limited_by = "memory"
        while self.failed - self.largest > 1 and self.failed > CLOSE * self.largest:
            size = (self.largest + self.failed) // 2
            if not self._can_pay(size):
                break
            if self._weigh(size):
                self.largest = size
            elif not self.is_stopped:
                self.failed = size
        if self.largest not in self.medians and self.largest and self._can_pay(self.price(self.largest)):
            self._visit(self.largest)

    def _visit(self, size: int) -> bool:
        """A step that is weighed, then some that are timed; False when one did not run."""
        if not self._weigh(size):
            return False
        timed = list[float]()
        for _ in range(self._num_timed(size)):
            cost = self._step(size)
            if cost is None:
                return False
            timed.append(cost.seconds)
        if 0.0 < statistics.median(timed) < math.inf:
            self.medians.setdefault(size, []).append(statistics.median(timed))
            self.steps[size] += len(timed)
        return True

    def _weigh(self, size: int) -> bool:
        cost = self._step(size, with_memory=True)
        if cost is not None and cost.peak_bytes is not None:
            self.peak_bytes[size] = max(cost.peak_bytes, self.peak_bytes.get(size, 0))
        return cost is not None

    def _step(self, size: int, *, with_memory: bool = False) -> StepCost | None:
        self.is_stopped = self.is_stopped or self.should_stop()
        if self.is_stopped:
            return None
        self.samples += size
        return self.trainable.step_cost(batch_size=size, with_memory=with_memory)

    def _can_pay(self, price: int, *, share: float = 1.0) -> bool:
        return not self.is_stopped and self.samples + price <= share * self.max_samples


def _first_size(smallest: int, top: int, max_samples: int) -> int:
    """Where to start: lower than wanted where it takes that to reach two sizes, yet not at a single row of several.

    >>> _first_size(16, 1000, 10_000), _first_size(16, 10, 10_000), _first_size(16, 1000, 150), _first_size(16, 1, 99)
    (16, 5, 7, 1)
    """
    two_sizes = WARM_UP + 3 * (1 + FEWEST_STEPS)  # in rows of the first size: the second is twice as large
    affordable = int((1.0 - LATER_SHARE) * max_samples) // two_sizes
    return min(smallest, max(affordable, 2), max(top // 2, min(top, 2)))


def _laws(points: Sequence[CapacityPoint]) -> dict[str, float]:
    """The two lines through the points, as fields of the record; none through fewer than two."""
    if len(points) < 2:
        return {}
    sizes = [point.batch_size for point in points]
    fitted = fit_step_time(sizes, [point.seconds for point in points])
    laws = {"overhead": fitted.overhead, "per_row": fitted.per_row, "error": fitted.error}
    weighed = {point.batch_size: point.peak_bytes for point in points if point.peak_bytes}
    if len(weighed) > 1:
        peaks = np.array(list(weighed.values()), dtype=np.float64)
        slope, intercept = np.polyfit(list(weighed), peaks, 1, w=1.0 / peaks)
        laws |= {"fixed_bytes": float(intercept), "bytes_per_row": float(slope)}
    return laws


def _reason(climb: _Climb, first: int) -> str:
    """Why something is missing from the record, or ""."""
    if climb.is_stopped:
        return "stopped before its end"
    if climb.failed == 1:
        return "not even a single row fits in memory"
    price = f"{climb.max_samples} samples"
    if not climb.largest:
        return f"{price} do not pay for {1 + FEWEST_STEPS} steps of {first} rows"
    if not climb.medians:
        return "no step took a time that could be measured"
    if len(climb.medians) == 1:
        why = {"price": f"{price} pay for no more", "memory": "no other fits in memory", "": "there are no more"}
        return f"only batches of {climb.largest} were timed, for {why[climb.limited_by]}: one size gives no line"
    return ""
