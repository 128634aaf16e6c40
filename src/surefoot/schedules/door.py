"""What a schedule's constructor asks of its arguments: each check names the argument, the rule and what came."""

from __future__ import annotations

import itertools
import math
import numbers
from collections.abc import Iterable
from typing import Any

from surefoot.errors import nearest

__all__ = [
    "require_choice",
    "require_count",
    "require_factor",
    "require_floor",
    "require_inside",
    "require_positive",
    "require_rising",
    "require_schedule",
    "require_share",
]


def require_positive(name: str, value: Any) -> None:
    """Raise unless ``value`` is a finite number above 0."""
    if not (_is_number(value) and value > 0):
        raise ValueError(f"{name} must be a finite number above 0, not {value!r}")


def require_floor(value: Any) -> None:
    """Raise unless ``value`` is a multiplier a decay can end at."""
    require_share("floor", value, meaning="it is a share of the base learning rate")


def require_share(name: str, value: Any, *, meaning: str) -> None:
    """Raise unless ``value`` lies in [0, 1]."""
    if not (_is_number(value) and 0.0 <= value <= 1.0):
        raise ValueError(f"{name} must lie in [0, 1], not {value!r}: {meaning}")


def require_factor(name: str, value: Any, *, meaning: str) -> None:
    """Raise unless ``value`` lies in (0, 1]."""
    if not (_is_number(value) and 0.0 < value <= 1.0):
        raise ValueError(f"{name} must be above 0 and at most 1, not {value!r}: {meaning}")


def require_inside(name: str, value: Any, *, meaning: str) -> None:
    """Raise unless ``value`` lies in (0, 1)."""
    if not (_is_number(value) and 0.0 < value < 1.0):
        raise ValueError(f"{name} must lie between 0 and 1, not {value!r}: {meaning}")


def require_count(name: str, value: Any) -> None:
    """Raise unless ``value`` is a whole number from 1 to ten thousand, more than anybody repeats anything."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not 1 <= int(value) <= 10_000:
        raise ValueError(f"{name} must be a whole number from 1 to 10000, not {value!r}")


def require_choice(name: str, value: Any, allowed: Iterable[str]) -> None:
    """Raise unless ``value`` is one of the ``allowed`` names; the message offers the nearest."""
    names = list(allowed)
    if value not in names:
        raise ValueError(f'{name} is "{value}", which does not exist; {nearest(value, names)}')


def require_rising(name: str, values: Any) -> tuple[float, ...]:
    """``values`` as a tuple; raise unless they are finite numbers above 0, each above the one before."""
    if not isinstance(values, list | tuple):
        raise ValueError(f"{name} must be a list of positions, such as [0.5, 0.75], not {values!r}")
    for value in values:
        require_positive(f"every one of {name}", value)
    if any(later <= earlier for earlier, later in itertools.pairwise(values)):
        raise ValueError(f"{name} must rise from each position to the next, not {list(values)!r}")
    return tuple(values)


def require_schedule(name: str, value: Any) -> None:
    """Raise unless ``value`` can be called with a position."""
    if isinstance(value, type):
        raise ValueError(f"{name} must be a schedule, not the class {value.__name__}; make one with {value.__name__}()")
    if not callable(value):
        hint = "; one that reacts cannot be put inside another" if hasattr(value, "update") else ""
        raise ValueError(f"{name} must be a schedule, a function of a position, not {value!r}{hint}")


def _is_number(value: Any) -> bool:
    """Whether ``value`` is a real number that a float can hold; true and false are not numbers here."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
