"""What may vary in a search, one entry a recipe key."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol

from surefoot.errors import RecipeError, RequestError, nearest
from surefoot.recipe import Recipe, takes

__all__ = [
    "Choice",
    "Dimension",
    "Integer",
    "Log",
    "Uniform",
    "When",
    "active",
    "check",
    "choice",
    "integer",
    "log",
    "samples",
    "uniform",
    "when",
]

KINDS = "sf.space.log, uniform, integer or choice"
_MISSING = object()


class Dimension(Protocol):
    """The values one key may take."""

    def at(self, fraction: float) -> Any:
        """The value at ``fraction`` in [0, 1) of the way through."""
        ...

    def clip(self, value: Any) -> Any:
        """The allowed value nearest to ``value``."""
        ...


@dataclass(frozen=True)
class Log:
    """A number from ``low`` above 0 to ``high``, spread evenly over its logarithm: for rates and strengths."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high < math.inf:
            raise RequestError(f"space.log needs 0 < low <= high, not {self.low!r} and {self.high!r}")

    def at(self, fraction: float) -> float:
        """The value at ``fraction`` of the way, geometrically."""
        return float(self.low * (self.high / self.low) ** fraction)

    def clip(self, value: float) -> float:
        """The allowed value nearest to ``value``."""
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class Uniform:
    """A number from ``low`` to ``high``, spread evenly: for shares and probabilities."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not -math.inf < self.low <= self.high < math.inf:
            raise RequestError(f"space.uniform needs low <= high, not {self.low!r} and {self.high!r}")

    def at(self, fraction: float) -> float:
        """The value at ``fraction`` of the way."""
        return self.low + (self.high - self.low) * fraction

    def clip(self, value: float) -> float:
        """The allowed value nearest to ``value``."""
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class Integer:
    """A whole number from ``low`` to ``high``, both included."""

    low: int
    high: int

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise RequestError(f"space.integer needs low <= high, not {self.low!r} and {self.high!r}")

    def at(self, fraction: float) -> int:
        """The value at ``fraction`` of the way."""
        return min(self.high, self.low + int(fraction * (self.high - self.low + 1)))

    def clip(self, value: float) -> int:
        """The allowed value nearest to ``value``."""
        return min(max(round(value), self.low), self.high)


@dataclass(frozen=True)
class Choice:
    """One of ``options``, one or more values of any kind that a recipe's key takes."""

    options: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.options:
            raise RequestError("space.choice needs at least one value")
        plain = tuple(value.item() if hasattr(value, "item") else value for value in self.options)
        object.__setattr__(self, "options", plain)  # NumPy's numbers are not JSON's

    def at(self, fraction: float) -> Any:
        """The value at ``fraction`` of the way through the list."""
        return self.options[min(int(fraction * len(self.options)), len(self.options) - 1)]

    def clip(self, value: Any) -> Any:
        """``value`` where it is an option, else the nearest number, by ratio among those above 0, else the first."""
        if value in self.options:
            return value
        numbers = [option for option in self.options if isinstance(option, int | float)]
        if not isinstance(value, int | float) or not numbers:
            return self.options[0]
        if min(*numbers, value) > 0:
            return min(numbers, key=lambda option: abs(math.log(option / value)))
        return min(numbers, key=lambda option: abs(option - value))


@dataclass(frozen=True)
class When:
    """A ``dimension`` that counts only where another ``key`` has one of some ``values``."""

    dimension: Log | Uniform | Integer | Choice
    key: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.dimension, Log | Uniform | Integer | Choice):
            raise RequestError(f"space.when needs one of {KINDS} first, not {self.dimension!r}")
        if not self.values:
            raise RequestError(f"space.when needs at least one value that {self.key} may have")

    def at(self, fraction: float) -> Any:
        """The dimension's value at ``fraction`` of the way."""
        return self.dimension.at(fraction)

    def clip(self, value: Any) -> Any:
        """The dimension's allowed value nearest to ``value``."""
        return self.dimension.clip(value)


def log(low: float, high: float) -> Log:
    """A number between ``low`` and ``high`` on a logarithmic scale, both above 0.

    >>> log(1e-4, 1.0).at(0.5)
    0.01
    """
    return Log(low, high)


def uniform(low: float, high: float) -> Uniform:
    """A number between ``low`` and ``high``."""
    return Uniform(low, high)


def integer(low: int, high: int) -> Integer:
    """A whole number between ``low`` and ``high``, both included."""
    return Integer(low, high)


def choice(*options: Any) -> Choice:
    """One of ``options``."""
    return Choice(options)


def when(dimension: Log | Uniform | Integer | Choice, key: str, *values: Any) -> When:
    """``dimension`` where the recipe key ``key`` has one of ``values``; elsewhere its own key keeps its default.

    >>> momentum = when(uniform(0.01, 0.5), "model.norm", "batch")
    >>> space = {"model.norm": choice("none", "batch"), "model.momentum": momentum}
    >>> active(space, {"model.norm": "none", "model.momentum": 0.1})
    {'model.norm': 'none'}
    """
    return When(dimension, key, values)


def active(space: Mapping[str, Dimension], values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` without those whose condition in ``space`` does not hold; one on a key that is left out does not."""
    found = dict(values)
    for _ in space:  # a condition may hang on a key that has one itself
        for key, dimension in space.items():
            if isinstance(dimension, When) and found.get(dimension.key, _MISSING) not in dimension.values:
                found.pop(key, None)
    return found


def check(
    space: Mapping[str, Dimension],
    *,
    base: Recipe | None = None,
    optimizers: Sequence[str] = ("sgd", "adamw"),
    arguments: Sequence[str] = (),
) -> dict[str, Dimension]:
    """``space`` when every key is a recipe key and every range holds only values that the recipe allows.

    Args:
        space: recipe keys and what they may be.
        base: the recipe that supplies everything else.
        optimizers: those that will be tried; a key need suit only one of them.
        arguments: the model builder's, for somebody who leaves out the "model." in front of one.

    Raises:
        RecipeError: a key does not exist or a range holds values that are not allowed.
        RequestError: a value is not a dimension, or the key cannot be searched.
    """
    for key, dimension in space.items():
        if not isinstance(dimension, Log | Uniform | Integer | Choice | When):
            raise RequestError(f"space[{key!r}] is {dimension!r}; it must be one of {KINDS}, or when")
        if isinstance(dimension, When) and dimension.key not in space and dimension.key != "optimizer.name":
            known = nearest(dimension.key, [other for other in (*space, "optimizer.name") if other != key])
            raise RequestError(f"space[{key!r}] hangs on {dimension.key!r}, which does not vary; {known}")
        _require_section(key, arguments)
        if key == "loss.name":
            raise RequestError("loss.name cannot be searched: losses in different units cannot be compared")
        suited = [name for name in optimizers if takes(name, key)] or optimizers[:1]
        for value in samples(dimension):
            condition = {dimension.key: dimension.values[0]} if isinstance(dimension, When) else {}
            _with(base or Recipe(), suited[0]).with_changes({**condition, key: value})
    return dict(space)


def _require_section(key: str, arguments: Sequence[str]) -> None:
    """Raise where a key without a section is, or nearly is, an argument of the model; other keys the recipe refuses."""
    names = [*Recipe.model_fields, *(name for name in arguments if name not in Recipe.model_fields)]
    meant = [] if "." in key else get_close_matches(key, names, n=1)
    if meant and meant[0] not in Recipe.model_fields:
        raise RecipeError(f'there is no section "{key}"; did you mean "model.{meant[0]}", an argument of the model?')


def _with(base: Recipe, optimizer: str) -> Recipe:
    """The base with only the optimizer's name decided."""
    return Recipe(**{**base.to_dict(), "optimizer": {"name": optimizer}})


def samples(dimension: Dimension) -> Sequence[Any]:
    """Values of a ``dimension`` that stand for all: every option, or both ends and two between."""
    if isinstance(dimension, When):
        return samples(dimension.dimension)
    if isinstance(dimension, Choice):
        return dimension.options
    return [dimension.at(fraction) for fraction in (0.0, 0.37, 0.5, 1.0)]
