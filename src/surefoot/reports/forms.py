"""The forms of a trained model as a table: size, latency, quality, each beside the first."""

from __future__ import annotations

from collections.abc import Iterator

from surefoot.records import Form, Measured

__all__ = ["forms_table"]


def forms_table(measured: Measured) -> str:
    """A line a form, and the notes below."""
    cells = list(_cells(measured))
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)) for line in cells]
    return "\n".join([_title(measured), "", *lines, *([""] if measured.notes else []), *measured.notes])


def _title(measured: Measured) -> str:
    threads = "1 thread" if measured.num_threads == 1 else f"{measured.num_threads} threads"
    return (
        f"{measured.task}: {measured.rows:,} {measured.part} rows, CPU, {threads}; milliseconds a call, "
        f"the median of {measured.repeats} interleaved repeats (10 % to 90 %)"
    )


def _cells(measured: Measured) -> Iterator[list[str]]:
    first = measured.forms[0]
    names = sorted(first.metrics, key=lambda name: (name != "loss", name))
    batches = [cell for size in first.latency for cell in (f"batch {size}", "of first")]
    yield ["form", "size", "of first", *batches, *names]
    for form in measured.forms:
        times = [cell for size in first.latency for cell in _time(form, first, size)]
        values = [f"{form.metrics[name]:.4f}" for name in names]
        yield [form.name, f"{form.size / 1000:,.1f} kB", f"{form.size / first.size:.2f}", *times, *values]


def _time(form: Form, first: Form, size: int) -> tuple[str, str]:
    """A latency with its spread, and as a share of the first form's."""
    found = form.latency[size]
    spread = f"{found.median:.3g} ({found.low:.3g}-{found.high:.3g})"
    return spread, f"{found.median / first.latency[size].median:.2f}"
