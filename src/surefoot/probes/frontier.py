"""What training with each batch size would take, to come to the same loss: the trade of time against samples."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.batching import StepTime, efficiency
from surefoot.probes.noise_scale import last_known
from surefoot.probes.suggestion import batch_factor
from surefoot.records import Capacity, FrontierPoint, NoiseReading, Suggestion

__all__ = ["frontier", "suggest_batch"]

# A batch is good enough when its time is within a tenth of the best: the smallest of those wastes the fewest samples.
NEAR_BEST = 1.1
# A larger table than this helps nobody; sizes double.
MOST_SIZES = 12


def frontier(
    noise: Sequence[NoiseReading],
    capacity: Capacity | None,
    *,
    optimizer: str,
    batch_size: int,
    learning_rate: Suggestion,
    samples: int,
    highest: float | None = None,
) -> tuple[FrontierPoint, ...]:
    """One line a batch size: the smallest that was run, twice that, and so on to the largest that was.

    Samples to the same loss are E(B) = E(B₀)·(B_s + B)/(B_s + B₀) (McCandlish et al. 2018, arXiv:1812.06162,
    equation 2.11, with the noise scale in the place of the critical batch), steps are E/B, and a step takes what the
    capacity probe fitted.

    Args:
        noise: readings of the noise scale; the last that is known counts, since it is nearest to the training's middle.
        capacity: what steps of several sizes took.
        optimizer: a recipe's name for it, whose usual rule gives the rate.
        batch_size: B₀, to which ``samples`` and ``learning_rate`` belong.
        learning_rate: suggested at B₀.
        samples: of a whole training.
        highest: no rate above it is given to a larger batch.
    """
    known = last_known(noise)
    scale = None if known is None else known.value
    if scale is None or capacity is None or not capacity.points or capacity.largest is None:
        return ()
    ran = {point.batch_size for point in capacity.points}
    sizes = {batch_size, *ran} if batch_size <= capacity.largest else {*ran}
    law = (
        None if capacity.overhead is None or capacity.per_row is None else StepTime(capacity.overhead, capacity.per_row)
    )
    measured = {point.batch_size: point.seconds for point in capacity.points}
    points = []
    for size in sorted(sizes)[-MOST_SIZES:]:
        needed = samples / efficiency(size, noise_scale=scale, reference=batch_size)
        step = measured.get(size) if law is None else law.seconds(size)
        rate = None
        if learning_rate.value is not None:
            factor = batch_factor(optimizer, batch_size=batch_size, new_batch_size=size, noise_scale=scale)
            rate = learning_rate.value * factor
            rate = min(rate, max(highest, learning_rate.value)) if highest is not None else rate
        points.append(
            FrontierPoint(
                batch_size=size,
                learning_rate=rate,
                steps=needed / size,
                samples=needed,
                seconds=None if step is None else step * needed / size,
                was_run=size in ran,
            )
        )
    return tuple(points)


def suggest_batch(points: Sequence[FrontierPoint], capacity: Capacity | None) -> Suggestion:
    """The smallest batch whose time is within a tenth of the shortest; the interval holds all of them.

    Without a frontier the knee of the throughput is what is left: past it a larger batch saves no time at all.
    """
    timed = {point.batch_size: point.seconds for point in points if point.seconds is not None and point.was_run}
    if len(timed) > 1:
        shortest = min(timed.values())
        near = [size for size, seconds in timed.items() if seconds <= NEAR_BEST * shortest]
        return Suggestion(
            low=min(near), value=min(near), high=max(near), reason="within a tenth of the shortest predicted time"
        )
    if capacity is not None and capacity.knee is not None and len(capacity.points) > 1:
        return Suggestion(value=capacity.knee, reason="the knee of the throughput; the noise scale is not known")
    why = capacity.reason if capacity is not None and capacity.reason else "two batch sizes could not be compared"
    return Suggestion(reason=why)
