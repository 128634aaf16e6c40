"""Keras Tuner's hyperparameters as dimensions of a search, and its container that watches what is declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras_tuner
from keras_tuner.engine import hyperparameters as kinds

from surefoot.errors import RequestError
from surefoot.space import Choice, Dimension, Integer, Log, Uniform

__all__ = ["Parameter", "Watching", "dimension_of", "extremes", "is_same", "values_of"]

# A whole number on a logarithmic scale becomes a choice among so many, as evenly spread as whole numbers can be.
NUM_OPTIONS = 32


@dataclass(frozen=True)
class Parameter:
    """A declared hyperparameter under the name that it has as an argument of a model builder.

    Attributes:
        key: its own name; with its conditions behind it where another one has that name too.
        declared: as Keras Tuner has it.
    """

    key: str
    declared: Any

    @property
    def name(self) -> str:
        """As the user declared it."""
        return str(self.declared.name)

    def is_active(self, values: Mapping[str, Any]) -> bool:
        """Whether its conditions hold where the parameters have these values."""
        return all(condition.is_active(values) for condition in self.declared.conditions)


class Watching(keras_tuner.HyperParameters):  # type: ignore[misc] # Keras Tuner has no types
    """A container that refuses a name with two ranges, of which Keras Tuner would silently keep the first.

    Args:
        values: what parameters are to be; others take their default.
        fixed: declared beforehand, as Keras Tuner's ``hyperparameters=``: they override what the model declares.
    """

    def __init__(self, values: Mapping[str, Any] | None = None, *, fixed: Any = None) -> None:
        super().__init__()
        self._overridden = set() if fixed is None else {one.name for one in fixed.space}
        if fixed is not None:
            self.merge(fixed)
        self.values.update(values or {})

    def _retrieve(self, hp: Any) -> Any:
        """What every kind of declaration goes through."""
        if hp.name not in self._overridden:
            for other in self._hps.get(hp.name, ()):
                require_same(other, hp)
        return super()._retrieve(hp)


def require_same(one: Any, other: Any) -> None:
    """Raise where two declarations share name and conditions, and nothing else.

    Raises:
        RequestError: they do.
    """
    if one.conditions == other.conditions and not is_same(one, other):
        raise RequestError(
            f'"{one.name}" is declared twice, as {_described(one)} and as {_described(other)}; '
            "Keras Tuner keeps the first: give the two names of their own, or one range"
        )


def is_same(one: Any, other: Any) -> bool:
    """Whether two declarations allow the same values."""
    return type(one) is type(other) and _range(one) == _range(other)


def dimension_of(declared: Any) -> Dimension | None:
    """What a search may choose from; None where there is nothing to choose.

    >>> dimension_of(kinds.Float("rate", 1e-4, 1e-2, sampling="log"))
    Log(low=0.0001, high=0.01)
    >>> dimension_of(kinds.Int("units", 32, 96, step=32))
    Choice(options=(32, 64, 96))
    """
    options = values_of(declared)
    if options is not None:
        return Choice(tuple(options)) if len(options) > 1 else None
    low, high = declared.min_value, declared.max_value
    if isinstance(declared, kinds.Int):
        return Integer(low, high)
    return Log(low, high) if declared.sampling == "log" else Uniform(low, high)


def values_of(declared: Any) -> Sequence[Any] | None:
    """All values of a parameter, or as many as stand for them; None for an open range.

    Raises:
        RequestError: it is none of Keras Tuner's kinds.
    """
    if isinstance(declared, kinds.Fixed):
        return [declared.value]
    if isinstance(declared, kinds.Boolean):
        return [False, True]
    if isinstance(declared, kinds.Choice):
        return list(dict.fromkeys(declared.values))
    if not isinstance(declared, kinds.Float | kinds.Int):
        raise RequestError(
            f'"{declared.name}" is a {type(declared).__name__}; a search takes Int, Float, Choice, Boolean and Fixed'
        )
    if declared.min_value == declared.max_value:
        return [declared.min_value]
    is_even = declared.sampling == "linear" and declared.step in {None, 1}
    if declared.step is not None and not (is_even and isinstance(declared, kinds.Int)):
        return list(declared.values)
    if is_even or (declared.sampling == "log" and isinstance(declared, kinds.Float)):
        return None
    spread = (declared.prob_to_value((place + 0.5) / NUM_OPTIONS) for place in range(NUM_OPTIONS))
    return sorted({declared.min_value, *spread, declared.max_value})


def extremes(declared: Any) -> Sequence[Any]:
    """Values that show what a parameter does: both ends of a range, every option that is no number."""
    options = values_of(declared)
    if options is None:
        return [declared.min_value, declared.max_value]
    is_numbers = all(isinstance(option, int | float) and not isinstance(option, bool) for option in options)
    return sorted({min(options), max(options)}) if is_numbers else options


def _range(declared: Any) -> dict[str, Any]:
    return {key: value for key, value in declared.get_config().items() if key not in {"name", "default", "conditions"}}


def _described(declared: Any) -> str:
    said = ", ".join(f"{key}={value!r}" for key, value in _range(declared).items() if value is not None)
    return f"{type(declared).__name__}({said})"
