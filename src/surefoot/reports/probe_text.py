"""A probe as plain text: what it suggests, what it measured, and every batch size beside the others."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable

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

__all__ = [
    "PARTS",
    "duration",
    "frontier_table",
    "interval",
    "measurements",
    "missing",
    "moment",
    "number",
    "probe_text",
    "rows",
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
_UNITS = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"))


def probe_text(report: ProbeReport) -> str:
    """A probe as aligned lines of less than 100 characters: the answer, what was measured, the price, the frontier."""
    facts = [
        ("Learning rate", _suggested(report.learning_rate)),
        ("Weight decay", _suggested(report.weight_decay)),
        ("Batch size", _suggested(report.batch_size, is_count=True)),
        *measurements(report),
        ("Price", f"{number(report.trainings)} trainings, {report.samples:,} samples, {duration(report.seconds)}"),
        *(("Note", note) for note in report.notes),
    ]
    lines = [line for label, text in facts for line in _wrapped(label, text)]
    table = frontier_table(report)
    if table:
        widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
        cells = ([cell.rjust(width) for cell, width in zip(row, widths, strict=True)] for row in table)
        lines += ["", *("  ".join(row).rstrip() for row in cells)]
    return "\n".join(lines)


def measurements(report: ProbeReport) -> list[tuple[str, str]]:
    """What was measured beside the pictures, each with a label."""
    return [
        ("Short runs", _short(report.short_trainings)),
        ("Noise scale", _noise(report)),
        ("Speed", _speed(report.capacity)),
        ("Sharpness", _sharpness(report.sharpness)),
        ("Divergence", _divergence(report.range_test)),
    ]


def frontier_table(report: ProbeReport) -> list[list[str]]:
    """A head, then a line for every batch size; nothing where there is no frontier."""
    if not report.frontier:
        return []
    head = ["batch size", "learning rate", "steps", "samples", "predicted time", "was run", ""]
    return [head, *(_frontier_row(point) for point in report.frontier)]


def _frontier_row(point: FrontierPoint) -> list[str]:
    return [
        rows(point.batch_size),
        "" if point.learning_rate is None else number(point.learning_rate),
        rows(point.steps),
        rows(point.samples),
        "" if point.seconds is None else duration(point.seconds),
        "yes" if point.was_run else "no",
        "suggested" if point.is_suggested else "",
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
        return "" if high is None else f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


def moment(report: ProbeReport, reading: NoiseReading) -> str:
    """When a reading of the noise scale was taken, the first being now; and whether it says nothing."""
    when = "now" if reading is report.noise[0] else f"after {reading.samples_seen:,} samples"
    return when if reading.value is not None or interval(reading) else f"{when}: not known"


def missing(report: ProbeReport) -> dict[str, str]:
    """Why a measurement has nothing to show, by its field in the report; what can be shown is not there."""
    found = {}
    test, capacity = report.range_test, report.capacity
    if test is None or sum(map(math.isfinite, test.losses)) < 2:
        found["range_test"] = _why(test)
    if not any(reading.value is not None or reading.low is not None for reading in report.noise):
        reasons = {reading.reason: None for reading in report.noise if reading.reason}
        found["noise"] = "; ".join(reasons) or _why(None)
    if capacity is None or not capacity.points:
        found["capacity"] = _why(capacity)
    if not report.frontier:
        found["frontier"] = report.batch_size.reason or "batch sizes could not be compared"
    return found


def number(value: float) -> str:
    """Three digits.

    >>> number(0.01234), number(1234.5)
    ('0.0123', '1.23e+03')
    """
    return f"{value:.3g}"


def rows(count: float) -> str:
    """A count of rows, of steps or of samples; three digits where it is below a hundred and not whole.

    >>> rows(4096), rows(12.345), rows(1e12)
    ('4,096', '12.3', '1e+12')
    """
    if not math.isfinite(count) or count >= 1e11:
        return number(count)
    return f"{count:,.0f}" if count >= 100 or count == int(count) else number(count)


def duration(seconds: float) -> str:
    """A time in the unit a person would choose.

    >>> [duration(seconds) for seconds in (0.0042, 12.3, 600, 9000)]
    ['0.0042 s', '12.3 s', '10 min', '2.5 h']
    """
    for length, unit in _UNITS:
        if seconds >= 2 * length:
            return f"{seconds / length:,.3g} {unit}"
    return f"{seconds:.3g} s"


def _suggested(suggestion: Suggestion, *, is_count: bool = False) -> str:
    if suggestion.value is None:
        return f"no suggestion: {suggestion.reason or 'not measured'}"
    value = rows(suggestion.value) if is_count else number(suggestion.value)
    around = interval(suggestion, is_count=is_count)
    return _joined([f"{value} ({around})" if around else value, suggestion.reason], ": ")


def _noise(report: ProbeReport) -> str:
    gap = missing(report).get("noise")
    if gap:
        return gap
    return "; ".join(f"{moment(report, reading)} {_reading(reading)}".rstrip() for reading in report.noise)


def _reading(reading: NoiseReading) -> str:
    around = interval(reading, is_count=True)
    if reading.value is not None:
        return f"{rows(reading.value)} rows" + (f" ({around})" if around else "")
    return _joined([f"{around} rows" if around else "", f"({reading.reason})" if reading.reason else ""], " ")


def _short(tried: ShortTrainings | None) -> str:
    if tried is None or not tried.rates:
        return "not measured"
    peaks = f"{number(tried.rates[0])} to {number(tried.rates[-1])}"
    parts = [f"{len(tried.rates)} trainings of {tried.steps} steps at peaks of {peaks}", tried.reason]
    if tried.value is not None:
        parts.append(f"{number(tried.value)} for the whole training at a batch of {tried.batch_size}")
    return _joined(parts, "; ")


def _speed(capacity: Capacity | None) -> str:
    if capacity is None or not capacity.points:
        return _why(capacity)
    fastest = max(point.batch_size / point.seconds if point.seconds > 0 else 0.0 for point in capacity.points)
    parts = [f"up to {rows(fastest)} rows/s"]
    if capacity.knee is not None:
        parts.append(f"knee at batch {rows(capacity.knee)}")
    if capacity.largest is not None:
        stop = _STOPPED_BY[capacity.limited_by]
        parts.append(f"largest run {rows(capacity.largest)}" + (f" ({stop})" if stop else ""))
    return _joined([", ".join(parts), f"on {capacity.device}" if capacity.device else "", capacity.reason], "; ")


def _sharpness(sharpness: Sharpness | None) -> str:
    if sharpness is None or sharpness.value is None:
        return _why(sharpness)
    kind = " (preconditioned)" if sharpness.is_preconditioned else ""
    limit = ""
    if sharpness.limit is not None:
        limit = f"{sharpness.optimizer} is unstable above a rate of {number(sharpness.limit)}"
    return _joined([f"{number(sharpness.value)}{kind}", limit, sharpness.reason], "; ")


def _divergence(test: RangeTest | None) -> str:
    if test is None or not test.rates:
        return _why(test)
    if test.diverged_above is None:
        return f"none up to a rate of {number(test.rates[-1])}"
    return f"the loss diverged at a rate of {number(test.diverged_above)}"


def _why(part: RangeTest | Capacity | Sharpness | None) -> str:
    """Why a measurement says nothing."""
    return "not measured" if part is None or not part.reason else part.reason


def _joined(parts: Iterable[str], mark: str) -> str:
    return mark.join(part for part in parts if part)


def _wrapped(label: str, text: str) -> list[str]:
    lines = textwrap.wrap(text, WIDTH - _INDENT) or [""]
    return [f"{label if index == 0 else '':<{_INDENT}}{line}" for index, line in enumerate(lines)]
