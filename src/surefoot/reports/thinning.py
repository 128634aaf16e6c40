"""Long curves in few points that show the same: the extremes stay."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["kept_places"]


def kept_places(values: Sequence[float | None], most: int) -> list[int]:
    """Which points of a curve to draw: all of a short one; of a long one the lowest and the highest of each stretch.

    The first and the last point stay, and so does the first that is not finite. Every n-th point would lose the peaks;
    the extremes of each stretch are what M4 keeps of a pixel's column (Jugel et al. 2014, VLDB 7(10), section 4).

    >>> kept_places([5, 1, 2, 9, 3, 3, 3, 4], most=4)
    [0, 1, 3, 7]

    Args:
        values: of the curve, in order.
        most: points to keep, about; at least four.
    """
    count = len(values)
    if count <= most:
        return list(range(count))
    numbers = [math.nan if value is None else float(value) for value in values]
    stretches = max(1, (most - 2) // 2)
    kept = {0, count - 1}
    lost = next((index for index, value in enumerate(numbers) if not math.isfinite(value)), None)
    if lost is not None:
        kept.add(lost)
    for stretch in range(stretches):
        start, stop = count * stretch // stretches, count * (stretch + 1) // stretches
        finite = [index for index in range(start, stop) if math.isfinite(numbers[index])]
        if finite:
            kept |= {min(finite, key=numbers.__getitem__), max(finite, key=numbers.__getitem__)}
    return sorted(kept)
