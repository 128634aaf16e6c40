"""Whether a value lies at the edge of the range it was searched in, and where to search on."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

__all__ = ["Edge", "edge_of"]

# In this outermost part of the range, on its own scale.
OUTERMOST = 0.02


class Edge(NamedTuple):
    """The end of a range that a value lies at.

    Attributes:
        end: which.
        further: up to where to search on: a decade, or half of the range.
    """

    end: Literal["lower", "upper"]
    further: float


def edge_of(value: float, low: float, high: float, *, is_log: bool) -> Edge | None:
    """The end that a value lies at, or None inside of the range; what begins at 0 does not go on below it.

    >>> edge_of(0.99, 0.001, 1.0, is_log=True), edge_of(0.0, 0.0, 0.5, is_log=False)
    (Edge(end='upper', further=10.0), None)
    >>> edge_of(1, 1, 5, is_log=False)
    Edge(end='lower', further=0.0)

    Args:
        value: the best one.
        low: the lower end of the range, above 0 where its scale is logarithmic.
        high: the upper one, above ``low``.
        is_log: whether the scale is logarithmic.
    """
    place = math.log(value / low) / math.log(high / low) if is_log else (value - low) / (high - low)
    if OUTERMOST < place < 1.0 - OUTERMOST:
        return None
    if place > 0.5:
        return Edge("upper", 10.0 * high if is_log else high + 0.5 * (high - low))
    if low == 0.0:
        return None
    below = low - 0.5 * (high - low)
    return Edge("lower", 0.1 * low if is_log else max(below, 0.0) if low > 0.0 else below)
