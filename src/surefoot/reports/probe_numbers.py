"""What the pictures of a probe show, as plain numbers; the page and the PNG draw the same."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from surefoot.language import say
from surefoot.records import Capacity, CapacityPoint, FrontierPoint, NoiseReading, ProbeReport, RangeTest
from surefoot.reports.amounts import number, rows

__all__ = [
    "Axis",
    "axis_over",
    "fitted_memory",
    "fitted_speed",
    "frontier_label",
    "frontier_points",
    "label_sides",
    "loss_limits",
    "memory_unit",
    "noise_axis",
    "open_interval",
    "size_ticks",
    "speed",
]

Side = Literal["left", "center", "right"]
_LAW_POINTS = 60


@dataclass(frozen=True)
class Axis:
    """What an axis of a picture spans.

    Attributes:
        low: its lower end.
        high: its upper end.
        is_log: whether it is logarithmic.
        ticks: where it is labelled; a linear one leaves that to whoever draws it.
    """

    low: float
    high: float
    is_log: bool = False
    ticks: tuple[float, ...] = ()

    def labels(self) -> list[str]:
        """The ticks as texts."""
        return [rows(tick) if tick >= 1 else number(tick) for tick in self.ticks]


def loss_limits(tests: Sequence[RangeTest]) -> tuple[float, float]:
    """The losses worth drawing: a sweep that left the ground would squeeze everything else into a line."""
    smoothed = [curve for test in tests if (curve := _finite(test.smoothed) or _finite(test.losses)[:1])]
    first = max((curve[0] for curve in smoothed), default=1.0)
    lowest = min((min(curve) for curve in smoothed), default=0.0)
    ceiling = first + 0.6 * (abs(first) or 1.0)
    return lowest - 0.1 * (ceiling - lowest), ceiling


def axis_over(values: Iterable[float], *, room: float = 0.1) -> Axis:
    """An axis around some values: logarithmic where they are positive and differ by more than a factor of five.

    Args:
        values: what will be drawn; those that are not finite are passed over.
        room: the share of the axis to leave free at either end.

    >>> axis_over([30.0, 400.0], room=0.0)
    Axis(low=30.0, high=400.0, is_log=True, ticks=(50.0, 100.0, 200.0))
    """
    finite = _finite(values) or [1.0]
    low, high = min(finite), max(finite)
    if low > 0 and high > 5 * low:
        margin = (high / low) ** room
        low, high = low / margin, high * margin
        return Axis(low, high, is_log=True, ticks=_round_numbers(low, high))
    margin = (room + 0.05) * (high - low or abs(high) or 1.0)
    return Axis(low - margin, high + margin)


def noise_axis(report: ProbeReport) -> Axis:
    """The noise scale's axis, in rows, with room around all that is known."""
    known = [report.batch_size.value, *(end for each in report.noise for end in (each.low, each.value, each.high))]
    drawn = [value for value in known if value is not None and 0 < value < math.inf]
    return axis_over([min(drawn, default=1.0) / 3, 3 * max(drawn, default=1.0)], room=0.0)


def open_interval(reading: NoiseReading, axis: Axis) -> tuple[float, float] | None:
    """A reading's interval within the axis; an end that is not known lies at the axis's own, None where both are not.

    >>> open_interval(NoiseReading(samples_seen=0, low=20.0, looks=9, samples=72), Axis(1.0, 300.0))
    (20.0, 300.0)
    """
    if reading.low is None and reading.high is None:
        return None
    low = axis.low if reading.low is None else reading.low
    high = axis.high if reading.high is None else reading.high
    return max(low, axis.low), min(high, axis.high)


def speed(point: CapacityPoint) -> float:
    """Rows a second; not-a-number where the clock saw no time pass."""
    return point.batch_size / point.seconds if point.seconds > 0 else math.nan


def size_ticks(capacity: Capacity) -> list[int]:
    """The batch sizes that were run, without those too near to the one before for both to be labelled."""
    kept: list[int] = []
    for size in sorted({point.batch_size for point in capacity.points}):
        if not kept or size >= 1.5 * kept[-1]:
            kept.append(size)
    return kept


def fitted_speed(capacity: Capacity) -> list[tuple[float, float]]:
    """Batch sizes and B / (overhead + per_row · B) at them, between the sizes that were run; none without a fit."""
    if capacity.overhead is None or capacity.per_row is None:
        return []
    seconds = ((size, capacity.overhead + capacity.per_row * size) for size in _sizes_between(capacity.points))
    return [(size, size / needed) for size, needed in seconds if needed > 0]


def fitted_memory(capacity: Capacity) -> list[tuple[float, float]]:
    """Batch sizes and fixed_bytes + bytes_per_row · B at them, between the sizes that were run; none without a fit."""
    if capacity.fixed_bytes is None or capacity.bytes_per_row is None:
        return []
    needed = ((size, capacity.fixed_bytes + capacity.bytes_per_row * size) for size in _sizes_between(capacity.points))
    return [(size, size_bytes) for size, size_bytes in needed if size_bytes > 0]


def memory_unit(sizes: Iterable[float]) -> tuple[float, str]:
    """The unit that suits the largest of some sizes: its bytes and its name.

    >>> memory_unit([1000, 3 * 2**30])
    (1073741824.0, 'GiB')
    """
    return (2.0**30, "GiB") if max(sizes) >= 2**30 else (2.0**20, "MiB")


def frontier_points(report: ProbeReport) -> tuple[list[tuple[FrontierPoint, float]], str]:
    """The points to draw, each with its height, and the title of that axis: time, or samples where no time is known."""
    timed = [(point, point.seconds) for point in report.frontier if point.seconds is not None]
    if timed:
        return timed, say("predicted time, s")
    return [(point, point.samples) for point in report.frontier], say("samples")


def frontier_label(point: FrontierPoint) -> tuple[str, str]:
    """A batch size and its learning rate, for two lines beside a dot."""
    return rows(point.batch_size), "" if point.learning_rate is None else number(point.learning_rate)


def label_sides(points: Sequence[tuple[FrontierPoint, float]]) -> list[Side]:
    """On which side of a dot its label stands clear of the curve, which is convex: below it, away from its lowest dot.

    Args:
        points: with their heights, as :func:`frontier_points` gives them.
    """
    lowest = min(points, key=lambda pair: pair[1])[0]
    return ["center" if point is lowest else "left" if point.steps < lowest.steps else "right" for point, _ in points]


def _sizes_between(points: Sequence[CapacityPoint]) -> list[float]:
    sizes = [point.batch_size for point in points]
    first, last = min(sizes, default=0), max(sizes, default=0)
    if first == last:
        return []
    return [first * (last / first) ** (index / _LAW_POINTS) for index in range(_LAW_POINTS + 1)]


def _round_numbers(low: float, high: float) -> tuple[float, ...]:
    """1, 2 and 5 times the powers of ten between two positive numbers; the powers alone where there are many."""
    digits = (1, 2, 5) if high < 300 * low else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = 1 + len(powers) // 8
    found = (float(f"{digit}e{power}") for power in powers[::every] for digit in digits)
    return tuple(number for number in found if low <= number <= high)


def _finite(values: Iterable[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]
