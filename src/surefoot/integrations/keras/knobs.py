"""A setting of a Keras optimizer that is a variable, so that a compiled step sees it move."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["Knob", "as_rate"]


class Knob:
    """A number of an optimizer: read it as a Keras variable, write it by assignment, between any two steps.

    Args:
        name: the attribute it stands under.
        below: what it stays below; it is never negative.
        needs_start: made with 0 it stays 0: nothing is computed for it and nothing remembered.
    """

    def __init__(self, name: str, *, below: float = math.inf, needs_start: bool = False) -> None:
        self._name, self._below, self._needs_start = name, below, needs_start

    @staticmethod
    def has_variable(optimizer: Any, name: str) -> bool:
        """Whether the setting is there to be moved."""
        return hasattr(optimizer, f"_{name}_knob")

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        return self if optimizer is None else getattr(optimizer, f"_{self._name}_knob", 0.0)

    def __set__(self, optimizer: Any, value: float | None) -> None:
        if value is None:
            return  # what Keras's own constructor says of a decay that it was not given
        number = _at_least_zero(self._name, value, below=self._below)
        if self.has_variable(optimizer, self._name):
            getattr(optimizer, f"_{self._name}_knob").assign(number)
        elif number or not self._needs_start:
            self._begin(optimizer, number)

    def _begin(self, optimizer: Any, number: float) -> None:
        if optimizer.built:
            kind = type(optimizer).__name__
            raise ValueError(
                f"{self._name} was 0 when this {kind} was made, so it keeps nothing for it; make it with a "
                f"{self._name} above 0"
            )
        variable = optimizer.add_variable((), name=self._name)
        variable.assign(number)  # an initializer would round it to float32 on its way
        setattr(optimizer, f"_{self._name}_knob", variable)


def as_rate(value: Any) -> Any:
    """A learning rate as Keras takes it: a float, a schedule of Keras, or a callable.

    Raises:
        ValueError: it is none of them.
    """
    return value if callable(value) else _at_least_zero("learning_rate", value, below=math.inf)


def _at_least_zero(name: str, value: Any, *, below: float) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value < below:
        return float(value)
    room = "finite and " if math.isinf(below) else ""
    limit = "" if math.isinf(below) else f" and below {below:g}"
    raise ValueError(f"{name} must be {room}at least 0{limit}, not {value!r}")
