"""How places and factors are said."""

from __future__ import annotations

from surefoot.diagnosis.log import Log
from surefoot.language import say

__all__ = ["at_place", "place_of", "share"]

_PLACES = {"epoch": "epoch {number}", "step": "step {number}", "row": "row {number}"}


def at_place(log: Log, place: float) -> str:
    """A place of a log in words and in its own counting: "epoch 3", "step 1,200"."""
    place += log.first - 1
    number = f"{place:,.0f}" if place == int(place) else f"{place:,.1f}"
    return say(_PLACES[log.unit], number=number)


def place_of(log: Log, place: float) -> float | None:
    """What a finding keeps of a place: its epoch, where the log counts epochs."""
    return float(place) + log.first - 1 if log.unit == "epoch" else None


def share(value: float) -> str:
    """A share in percent.

    >>> share(0.273), share(0.004), share(40.0)
    ('27 %', '0.4 %', '40 times')
    """
    if value >= 10.0:
        return say("{factor:g} times", factor=round(min(value, 1e6)))
    return f"{100 * value:.0f} %" if value >= 0.095 else f"{100 * value:.1f} %"
