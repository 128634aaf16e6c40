"""How places and factors are said."""

from __future__ import annotations

from surefoot.diagnosis.log import Log

__all__ = ["at_place", "by_factor", "place_of", "share"]


def at_place(log: Log, place: float) -> str:
    """A place of a log in words: "epoch 3", "step 1,200"."""
    number = f"{place:,.0f}" if place == int(place) else f"{place:,.1f}"
    return f"{log.unit} {number}"


def place_of(log: Log, place: float) -> float | None:
    """What a finding keeps of a place: its epoch, where the log counts epochs."""
    return float(place) if log.unit == "epoch" else None


def by_factor(factor: float) -> str:
    """A factor in words.

    >>> by_factor(3)
    '3 times'
    """
    return f"{factor:g} times"


def share(value: float) -> str:
    """A share in percent.

    >>> share(0.273), share(0.004)
    ('27 %', '0.4 %')
    """
    return f"{100 * value:.0f} %" if value >= 0.095 else f"{100 * value:.1f} %"
