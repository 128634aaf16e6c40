"""Amounts as a person says them: numbers, counts, times."""

from __future__ import annotations

import math

from surefoot.language import say

__all__ = ["duration", "number", "rows"]

_UNITS = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"))


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
            return say("{amount} {unit}", amount=f"{seconds / length:,.3g}", unit=say(unit))
    return say("{amount} {unit}", amount=f"{seconds:.3g}", unit=say("s"))
