"""What the constructors of this folder refuse, each in one sentence: the argument, the rule, the value."""

from __future__ import annotations

import math

__all__ = ["require_above", "require_between", "require_count"]


def require_count(name: str, value: object, *, least: int = 1) -> None:
    """Raise unless ``value`` is a whole number of at least ``least``.

    >>> require_count("size", 0)
    Traceback (most recent call last):
        ...
    ValueError: size must be a whole number of at least 1, not 0
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")


def require_above(name: str, value: object, least: float, *, why: str = "") -> None:
    """Raise unless ``value`` is a finite number above ``least``."""
    if not _is_number(value) or not value > least:  # type: ignore[operator] # a number, as just seen
        raise ValueError(f"{name} must be a finite number above {least:g}, not {value!r}{_because(why)}")


def require_between(name: str, value: object, low: float, high: float, *, why: str = "") -> None:
    """Raise unless ``value`` is a number strictly between ``low`` and ``high``."""
    if not _is_number(value) or not low < value < high:  # type: ignore[operator] # a number, as just seen
        raise ValueError(f"{name} must lie strictly between {low:g} and {high:g}, not {value!r}{_because(why)}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _because(why: str) -> str:
    return f": {why}" if why else ""
