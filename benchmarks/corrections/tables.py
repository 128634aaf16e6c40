"""Rows of numbers as a table of Markdown, each a mean over seeds with its standard deviation in brackets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean, stdev

__all__ = ["markdown", "spread"]


def spread(values: Sequence[float], form: str = ".3f") -> str:
    """The mean of the values and, in brackets, their standard deviation."""
    if len(values) < 2:
        return format(values[0], form)
    return f"{fmean(values):{form}} ({stdev(values):{form}})"


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The table; every row has as many cells as the header."""
    lines = [list(header), ["---"] * len(header), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
