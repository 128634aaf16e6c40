"""A probe as plain text: what it suggests, what it measured, and every batch size beside the others."""

from __future__ import annotations

import math
from collections.abc import Iterable

from surefoot.language import retold, say
from surefoot.records import (
    Capacity,
    FrontierPoint,
    NoiseReading,
    ProbeReport,
    RangeTest,
    Sharpness,
    ShortTrainings,
    Suggestion,
)
from surefoot.reports.amounts import duration, number, rows
from surefoot.reports.in_columns import labelled, table

__all__ = [
    "PARTS",
    "frontier_table",
    "interval",
    "measurements",
    "missing",
    "moment",
    "probe_text",
]

# What a probe measures, by its field in the report.
PARTS = {
    "range_test": "Learning-rate range test",
    "noise": "Gradient noise scale",
    "capacity": "Speed and memory",
    "frontier": "What each batch size would take",
}
WIDTH = 98
_INDENT = 16
_STOPPED_BY = {
    "memory": "memory ends there",
    "rows": "no more rows",
    "price": "more would cost too much",
    "": "",
}


def probe_text(report: ProbeReport) -> str:
    """A probe as aligned lines of less than 100 characters: the answer, what was measured, the price, the frontier."""
    facts = [
        (say("Learning rate"), _suggested(report.learning_rate)),
        (say("Weight decay"), _suggested(report.weight_decay)),
        (say("Batch size"), _suggested(report.batch_size, is_count=True)),
        *measurements(report),
        (say("Price"), say(", ").join(_spent(report))),
        *((say("Note"), retold(note)) for note in report.notes),
    ]
    lines = [labelled(label, text, width=WIDTH, indent=_INDENT) for label, text in facts]
    frontier = frontier_table(report)
    if frontier:
        lines += ["", *(line.rstrip() for line in table(frontier))]
    return "\n".join(lines)


def _spent(report: ProbeReport) -> tuple[str, str]:
    return (
        say("{trainings} trainings", trainings=number(report.trainings)),
        say("{samples:,} samples, {time}", samples=report.samples, time=duration(report.seconds)),
    )


def measurements(report: ProbeReport) -> list[tuple[str, str]]:
    """What was measured beside the pictures, each with a label."""
    return [
        (say("Short runs"), _short(report.short_trainings)),
        (say("Noise scale"), _noise(report)),
        (say("Speed"), _speed(report.capacity)),
        (say("Sharpness"), _sharpness(report.sharpness)),
        (say("Divergence"), _divergence(report.range_test)),
    ]


def frontier_table(report: ProbeReport) -> list[list[str]]:
    """A head, then a line for every batch size; nothing where there is no frontier."""
    if not report.frontier:
        return []
    head = [
        say("batch size"), say("learning rate"), say("steps"), say("samples"), say("predicted time"), say("was run"),
        "",
    ]  # fmt: skip
    return [head, *(_frontier_row(point) for point in report.frontier)]


def _frontier_row(point: FrontierPoint) -> list[str]:
    return [
        rows(point.batch_size),
        "" if point.learning_rate is None else number(point.learning_rate),
        rows(point.steps),
        rows(point.samples),
        "" if point.seconds is None else duration(point.seconds),
        say("yes") if point.was_run else say("no"),
        say("suggested") if point.is_suggested else "",
    ]


def interval(suggestion: Suggestion | NoiseReading, *, is_count: bool = False) -> str:
    """``low to high``, or the end that is known, or nothing.

    Args:
        suggestion: what has ``low`` and ``high``.
        is_count: whether they count rows.

    >>> interval(Suggestion(low=0.001, value=0.003, high=0.01)), interval(Suggestion(low=16), is_count=True)
    ('0.001 to 0.01', 'at least 16')
    """
    low, high = (
        None if end is None else (rows(end) if is_count else number(end)) for end in (suggestion.low, suggestion.high)
    )
    if low is None:
        return "" if high is None else say("at most {high}", high=high)
    return say("at least {low}", low=low) if high is None else say("{low} to {high}", low=low, high=high)


def moment(report: ProbeReport, reading: NoiseReading) -> str:
    """When a reading of the noise scale was taken, the first being now; and whether it says nothing."""
    is_first = reading is report.noise[0]
    when = say("now") if is_first else say("after {count:,} samples", count=reading.samples_seen)
    return when if reading.value is not None or interval(reading) else say("{when}: not known", when=when)


def missing(report: ProbeReport) -> dict[str, str]:
    """Why a measurement has nothing to show, by its field in the report; what can be shown is not there."""
    found = {}
    test, capacity = report.range_test, report.capacity
    if test is None or sum(map(math.isfinite, test.losses)) < 2:
        found["range_test"] = _why(test)
    if not any(reading.value is not None or reading.low is not None for reading in report.noise):
        reasons = {retold(reading.reason): None for reading in report.noise if reading.reason}
        found["noise"] = say("; ").join(reasons) or _why(None)
    if capacity is None or not capacity.points:
        found["capacity"] = _why(capacity)
    if not report.frontier:
        found["frontier"] = retold(report.batch_size.reason) or say("batch sizes could not be compared")
    return found


def _suggested(suggestion: Suggestion, *, is_count: bool = False) -> str:
    if suggestion.value is None:
        return say("no suggestion: {reason}", reason=retold(suggestion.reason) or say("not measured"))
    value = rows(suggestion.value) if is_count else number(suggestion.value)
    around = interval(suggestion, is_count=is_count)
    return _joined([_around(value, around), retold(suggestion.reason)], say(": "))


def _noise(report: ProbeReport) -> str:
    gap = missing(report).get("noise")
    if gap:
        return gap
    return say("; ").join(f"{moment(report, reading)} {_reading(reading)}".rstrip() for reading in report.noise)


def _reading(reading: NoiseReading) -> str:
    around = interval(reading, is_count=True)
    if reading.value is not None:
        return _around(say("{count} rows", count=rows(reading.value)), around)
    return _around(say("{count} rows", count=around) if around else "", retold(reading.reason)).strip()


def _short(tried: ShortTrainings | None) -> str:
    if tried is None or not tried.rates:
        return say("not measured")
    sentence = "{count} trainings of {steps} steps at peaks of {low} to {high}"
    low, high = number(tried.rates[0]), number(tried.rates[-1])
    parts = [say(sentence, count=len(tried.rates), steps=tried.steps, low=low, high=high), retold(tried.reason)]
    if tried.value is not None:
        sentence = "{rate} for the whole training at a batch of {size}"
        parts.append(say(sentence, rate=number(tried.value), size=tried.batch_size))
    return _joined(parts, say("; "))


def _speed(capacity: Capacity | None) -> str:
    if capacity is None or not capacity.points:
        return _why(capacity)
    fastest = max(point.batch_size / point.seconds if point.seconds > 0 else 0.0 for point in capacity.points)
    parts = [say("up to {speed} rows/s", speed=rows(fastest))]
    if capacity.knee is not None:
        parts.append(say("knee at batch {size}", size=rows(capacity.knee)))
    if capacity.largest is not None:
        stop = say(_STOPPED_BY[capacity.limited_by])
        parts.append(_around(say("largest run {size}", size=rows(capacity.largest)), stop))
    device = say("on {device}", device=capacity.device) if capacity.device else ""
    return _joined([say(", ").join(parts), device, retold(capacity.reason)], say("; "))


def _sharpness(sharpness: Sharpness | None) -> str:
    if sharpness is None or sharpness.value is None:
        return _why(sharpness)
    kind = say("preconditioned") if sharpness.is_preconditioned else ""
    limit = ""
    if sharpness.limit is not None:
        sentence = "{optimizer} is unstable above a rate of {rate}"
        limit = say(sentence, optimizer=sharpness.optimizer, rate=number(sharpness.limit))
    return _joined([_around(number(sharpness.value), kind), limit, retold(sharpness.reason)], say("; "))


def _divergence(test: RangeTest | None) -> str:
    if test is None or not test.rates:
        return _why(test)
    if test.diverged_above is None:
        return say("none up to a rate of {rate}", rate=number(test.rates[-1]))
    return say("the loss diverged at a rate of {rate}", rate=number(test.diverged_above))


def _why(part: RangeTest | Capacity | Sharpness | None) -> str:
    """Why a measurement says nothing."""
    return say("not measured") if part is None or not part.reason else retold(part.reason)


def _around(value: str, around: str) -> str:
    """A value with what stands in brackets behind it."""
    return say("{value} ({around})", value=value, around=around) if around else value


def _joined(parts: Iterable[str], mark: str) -> str:
    return mark.join(part for part in parts if part)
